# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said where something else is verified than what was deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import hint, watched
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import perform

FIXED = {"path": "edge/bootstrap.yaml", "content": "old", "live": None}
LIVE = {"path": "edge/listeners.yaml", "content": "as it is", "live": "edge"}


@pytest.fixture
def plan(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "edge").mkdir()
    (tmp_path / LIVE["path"]).write_text("as it is")
    # Nobody is there: 127.0.0.1 answers nothing on its first port.
    nobody = {"name": "edge", "url": "http://127.0.0.1:1", "format": "envoy"}
    expected = {"endpoint": ["edge"], "stat": "server.live", "op": "eq", "value": 1}
    return {
        "folder": str(tmp_path),
        "files": [FIXED, LIVE],
        "endpoints": [nobody],
        "traffic": [],
        "assertions": [expected],
    }


def test_what_was_deployed_is_what_is_verified(plan: dict[str, Any]) -> None:
    assert hint(plan) == ""
    assert hint({}) == ""
    assert watched(plan) == {"folder": plan["folder"], "files": [LIVE]}


def test_what_cannot_be_read_is_no_hint(plan: dict[str, Any]) -> None:
    assert hint({**plan, "folder": f"{plan['folder']}/elsewhere"}) == ""


def test_a_change_that_is_live_is_told_where_an_expectation_fails(plan: dict[str, Any]) -> None:
    asked = {"plan": plan, "timeout": 0.1, "sleep": 0.1}
    assert "make verify CHANGE=NAME" not in perform(asked, False)["msg"]
    (Path(plan["folder"]) / LIVE["path"]).write_text("as a change has it")
    answer = perform(asked, False)
    assert answer["failed"]
    assert answer["msg"].splitlines()[-1] == (
        f"{plan['folder']}/edge/listeners.yaml is not what this plan would make: after a change, verify that change"
        " (-e change=NAME, make verify CHANGE=NAME), or else deploy the demo again."
    )
