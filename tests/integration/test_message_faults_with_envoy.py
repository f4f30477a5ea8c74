# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test that the planner refuses no message that a supported Envoy accepts: each refused mistake, given to the real Envoy."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import envoys
import pytest
from message_mutants import mutants

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import file_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._demo import loader
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

CONTEXT = {
    "platform": "docker",
    "folder": "/state",
    "envoy": {"image": "envoyproxy/envoy"},
    "python": {"image": "python:3.11"},
    "statsd_exporter": {"image": "prom/statsd-exporter"},
}


def planned(name: str, data: Any) -> Any:
    """Return the plan of a demo. Raises DemoError."""
    return make_plan(name, data, complete_context(CONTEXT), f"{name}.yml")


def accepted_by(version: str, plan: Any, folder: Path) -> bool:
    """Return whether an Envoy accepts the configuration of every proxy of a plan."""
    for file in plan["files"]:
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_bytes(file))
    for check in plan["checks"]:
        if check["name"] == "statsd_exporter":
            continue
        path = folder / check["files"][0]["path"]
        path.write_text(check["files"][0]["content"], encoding="utf-8")
        command = [envoys.binary(version), "--mode", "validate", "--config-path", path, "--log-level", "off"]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
            return False
    return True


def wrongly_refused(
    seed: int, count: int, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> tuple[int, list[str]]:
    """Return how many mistakes the check of messages refuses, and those that an Envoy accepts."""
    checked = loader.check_envoy_messages
    refused, wrong = 0, []
    for name, mistake, data in mutants(seed, count):
        monkeypatch.setattr(loader, "check_envoy_messages", lambda _demo, _file: None)
        try:
            plan = planned(name, data)
        except DemoError:
            continue  # another check refuses it
        monkeypatch.setattr(loader, "check_envoy_messages", checked)
        try:
            planned(name, data)
        except DemoError as error:
            refused += 1
            wrong += [
                f"{version}: {mistake}: {error}"
                for version in (OLDEST, NEWEST)
                if accepted_by(version, plan, folder)
            ]
    return refused, wrong


def test_no_accepted_message_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refused, wrong = wrongly_refused(1, 12, monkeypatch, tmp_path)
    assert wrong == []
    assert refused > 3


@pytest.mark.slow
def test_none_of_many_accepted_messages_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert wrongly_refused(2, 300, monkeypatch, tmp_path)[1] == []
