# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last runs of the gallery saw: this checkout's own, which `make demos` and the tests of the gallery write to build/gallery,
and those on record in docs/site/runs, which `make table` takes from there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Data = Mapping[str, Any]

RECORD = Path(__file__).resolve().parents[2] / "docs" / "site" / "runs"
PLATFORMS = ("local", "docker", "kubernetes", "openshift")


def last_runs(*folders: Path) -> dict[str, dict[str, Data]]:
    """Return what the last runs of the gallery saw, by platform and demo, from the first folder that has the platform's.

    Platforms without a run are not there.
    """
    found: dict[str, dict[str, Data]] = {}
    for platform in PLATFORMS:
        for path in (folder / f"{platform}.json" for folder in folders):
            if path.is_file():
                runs = [_plain(one) for one in json.loads(path.read_text(encoding="utf-8"))]
                found[platform] = {one["demo"]: one for one in runs}
                break
    return found


def record(seen: Mapping[str, Mapping[str, Data]], folder: Path) -> None:
    """Write what `last_runs` returned where every clone has it: a line for each demo, so that a difference can be read."""
    folder.mkdir(exist_ok=True)
    for platform, runs in seen.items():
        rounded = ({**runs[demo], "seconds": round(runs[demo]["seconds"], 1)} for demo in sorted(runs))
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, sort_keys=True) for one in rounded)
        (folder / f"{platform}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _plain(run: Data) -> Data:
    """Return a run with the demo's own name: tests call it t4711_front_proxy, and its pods t4711-front-proxy-edge."""
    prefix = re.match(r"t\d+_", run["demo"])
    if prefix is None:
        return run
    mine = re.compile(rf"\b{prefix[0][:-1]}[_-]")
    seen = {change: [mine.sub("", line) for line in lines] for change, lines in run.get("seen", {}).items()}
    return {**run, "demo": mine.sub("", run["demo"]), "seen": seen}
