# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and record the results of the last runs of the gallery.

`make demos` and the gallery tests write the results of a checkout to build/gallery. `make table` copies them to docs/site/runs, so that
every clone has results.
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
    """Return the results of the last runs by platform and demo, each from the first folder that has it.

    A platform without a run is absent.
    """
    found: dict[str, dict[str, Data]] = {}
    for platform in PLATFORMS:
        for path in (folder / f"{platform}.json" for folder in folders):
            if path.is_file():
                for run in map(_plain, json.loads(path.read_text(encoding="utf-8"))):
                    found.setdefault(platform, {}).setdefault(run["demo"], run)
    return found


def record(runs_by_platform: Mapping[str, Mapping[str, Data]], folder: Path) -> None:
    """Write results to a folder, with one line for each demo, so that differences are readable."""
    folder.mkdir(exist_ok=True)
    for platform, runs in runs_by_platform.items():
        rounded = ({**runs[demo], "seconds": round(runs[demo]["seconds"], 1)} for demo in sorted(runs))
        lines = ",\n".join(json.dumps(one, ensure_ascii=False, sort_keys=True) for one in rounded)
        (folder / f"{platform}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _plain(run: Data) -> Data:
    """Return a result with the original name of the demo. Tests add a prefix: t4711_front_proxy, and pods t4711-front-proxy-edge."""
    prefix = re.match(r"t\d+_", run["demo"])
    if prefix is None:
        return run
    prefixed = re.compile(rf"\b{prefix[0][:-1]}[_-]")
    seen = {
        change: [prefixed.sub("", line) for line in lines] for change, lines in run.get("seen", {}).items()
    }
    return {**run, "demo": prefixed.sub("", run["demo"]), "seen": seen}
