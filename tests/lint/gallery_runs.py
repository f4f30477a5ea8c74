# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last runs of the gallery saw, from build/gallery/*.json, which `make demos` and the tests of the gallery write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Data = Mapping[str, Any]

RUNTIMES = ("local", "docker", "kubernetes", "openshift")


def last_runs(folder: Path) -> dict[str, dict[str, Data]]:
    """Return what the last runs of the gallery saw, by runtime and demo; runtimes without a run are not there."""
    found: dict[str, dict[str, Data]] = {}
    for runtime in RUNTIMES:
        path = folder / f"{runtime}.json"
        if path.is_file():
            runs = [_plain(one) for one in json.loads(path.read_text(encoding="utf-8"))]
            found[runtime] = {one["demo"]: one for one in runs}
    return found


def _plain(run: Data) -> Data:
    """Return a run with the demo's own name: tests call it t4711_front_proxy, and its pods t4711-front-proxy-edge."""
    prefix = re.match(r"t\d+_", run["demo"])
    if prefix is None:
        return run
    mine = re.compile(rf"\b{prefix[0][:-1]}[_-]")
    seen = {change: [mine.sub("", line) for line in lines] for change, lines in run.get("seen", {}).items()}
    return {**run, "demo": mine.sub("", run["demo"]), "seen": seen}
