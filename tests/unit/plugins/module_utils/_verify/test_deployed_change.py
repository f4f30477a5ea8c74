# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hint about deployed files that differ from the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.deployed_change import (
    change_hint,
    live_files,
)

STATIC = {"path": "edge/bootstrap.yaml", "content": "old", "live": None}
LIVE = {"path": "edge/listeners.yaml", "content": "as planned", "live": "edge"}


@pytest.fixture
def plan(tmp_path: Path) -> dict[str, Any]:
    """Return a plan whose watched file is deployed."""
    (tmp_path / "edge").mkdir()
    (tmp_path / LIVE["path"]).write_text("as planned")
    return {"folder": str(tmp_path), "files": [STATIC, LIVE]}


def test_deployed_plan_has_no_hint(plan: dict[str, Any]) -> None:
    assert change_hint(plan) == ""
    assert change_hint({}) == ""


def test_only_watched_files_are_live(plan: dict[str, Any]) -> None:
    assert live_files(plan) == {"folder": plan["folder"], "files": [LIVE]}


def test_unreadable_file_has_no_hint(plan: dict[str, Any]) -> None:
    assert change_hint({**plan, "folder": f"{plan['folder']}/missing"}) == ""


def test_other_content_has_a_hint(plan: dict[str, Any]) -> None:
    (Path(plan["folder"]) / LIVE["path"]).write_text("as a change has it")
    assert change_hint(plan) == (
        f"{plan['folder']}/edge/listeners.yaml: the deployed file differs from this plan. After a change, verify that"
        " change (-e change=NAME, make verify CHANGE=NAME). Otherwise deploy the demo again."
    )
