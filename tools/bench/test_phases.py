# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the phases of a playbook."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from measure import ROOT
from phases import END, OTHER, PHASES, START, TASKS, phases, write

LINES = [
    (0.5, "PLAY [Deploy a demo and verify it] ****"),
    (0.6, "TASK [meshlab.envoy.deployment : Facts | Set the image] ****"),
    (0.7, "ok: [localhost]"),
    (0.8, "TASK [meshlab.envoy.deployment : Plan | Compute the files] ****"),
    (1.0, "TASK [Provide Envoy] ****"),
    (1.1, "TASK [meshlab.envoy.deployment : Run | Deploy the plan] ****"),
    (1.5, "TASK [Send the traffic and check the expectations] ****"),
    (2.5, "PLAY RECAP ****"),
]


def test_time_until_the_next_task_belongs_to_a_task() -> None:
    found = phases(LINES, 2.6)
    plan, deploy, verify = PHASES[2:5]
    expected = {START: 0.5, OTHER: 0.4, plan: 0.2, deploy: 0.4, verify: 1.0, END: 0.1}
    assert {name: round(one.seconds, 6) for name, one in found.items()} == pytest.approx(expected)
    assert [found[name].tasks for name in PHASES] == [0, 2, 1, 1, 1, 0]
    assert sum(one.seconds for one in found.values()) == pytest.approx(2.6)


def test_other_platforms_keep_their_phases(tmp_path: Path) -> None:
    target = tmp_path / "build" / "phases.json"
    write("docker", [phases(LINES, 2.6)], target)
    write("local", [phases(LINES, seconds) for seconds in (2.6, 2.8, 9.9)], target)
    found = json.loads(target.read_text(encoding="utf-8"))
    assert found["docker"][END] == {"seconds": 0.1, "tasks": 0}
    assert found["local"][END] == {"seconds": 0.3, "tasks": 0}


@pytest.mark.parametrize("pattern", [pattern for _name, pattern in TASKS])
def test_tasks_of_the_phases_exist(pattern: re.Pattern[str]) -> None:
    files = [*(ROOT / "roles" / "deployment" / "tasks").glob("*.yml"), ROOT / "playbooks" / "site.yml"]
    names = re.findall(r"(?m)^ *- name: (.*)$", "\n".join(one.read_text(encoding="utf-8") for one in files))
    assert any(pattern.search(name) for name in names)
