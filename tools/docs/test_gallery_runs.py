# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the results of gallery runs: found by platform and demo, and recorded."""

from __future__ import annotations

import json
from pathlib import Path

from gallery_runs import last_runs, record

RUN = {
    "demo": "shop",
    "held": 2,
    "expectations": 4,
    "changes": 1,
    "seconds": 12.3,
    "failed": [],
    "unsupported_on": "",
    "seen": {"": ["✔ visitors: 20 answers with status 200"], "more": ["✘ x <1>"]},
}


def write(folder: Path, platform: str, run: dict[str, object]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{platform}.json").write_text(json.dumps([run]), encoding="utf-8")


def test_results_are_found_by_platform_and_demo(tmp_path: Path) -> None:
    write(tmp_path, "docker", RUN)
    assert last_runs(tmp_path) == {"docker": {"shop": RUN}}


def test_prefix_of_a_test_is_removed_from_demo_and_pods(tmp_path: Path) -> None:
    write(
        tmp_path,
        "kubernetes",
        {**RUN, "demo": "t12_shop", "seen": {"": ["✔ x at t12-shop-edge-5f54: eq 12"]}},
    )
    assert last_runs(tmp_path) == {
        "kubernetes": {"shop": {**RUN, "seen": {"": ["✔ x at shop-edge-5f54: eq 12"]}}}
    }


def test_run_of_one_demo_keeps_the_recorded_others(tmp_path: Path) -> None:
    local, recorded = tmp_path / "local", tmp_path / "recorded"
    newer, other = {**RUN, "seconds": 7.0}, {**RUN, "demo": "other"}
    record({"docker": {"shop": RUN, "other": other}}, recorded)
    write(local, "docker", newer)
    assert last_runs(local, recorded) == {"docker": {"shop": newer, "other": other}}


def test_recorded_results_fill_missing_platforms(tmp_path: Path) -> None:
    local, recorded = tmp_path / "local", tmp_path / "recorded"
    record({"local": {"shop": RUN}, "docker": {"shop": RUN}}, recorded)
    newer = {**RUN, "seconds": 7.0}
    write(local, "docker", newer)
    assert last_runs(local, recorded) == {"local": {"shop": RUN}, "docker": {"shop": newer}}
