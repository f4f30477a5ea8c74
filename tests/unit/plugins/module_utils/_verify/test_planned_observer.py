# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer of a plan's demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import WorkloadError
from ansible_collections.meshlab.envoy.plugins.module_utils._verify import planned_observer
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.planned_observer import (
    observed_part,
    observer_of,
)

WORKLOAD = {"name": "web-1", "command": ["web"], "environment": {"PASSWORD": "secret"}, "group": "web"}
PLAN: Any = {
    "name": "shop",
    "platform": "local",
    "folder": "~/shop",
    "addresses": [{"name": "edge/http", "url": "http://192.0.2.1:8080", "what": ""}],
    "workloads": [WORKLOAD],
    "files": [{"content": "secret"}],
}


def test_secrets_are_not_sent_to_the_host() -> None:
    part = observed_part(PLAN)
    assert "secret" not in str(part)
    assert [*part] == ["name", "platform", "folder", "addresses", "workloads"]


def test_observer_gets_the_demo_of_the_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    demos: list[Any] = []
    monkeypatch.setattr(planned_observer, "observer_class", lambda _platform: demos.append)
    observer_of(PLAN, None)
    [demo] = demos
    assert (demo.name, demo.folder, demo.bind) == ("shop", tmp_path / "shop", "192.0.2.1")
    assert [workload.name for workload in demo.workloads] == ["web-1"]


@pytest.mark.parametrize("missing", ["platform", "workloads"])
def test_plan_without_workloads_or_platform_is_not_observed(missing: str) -> None:
    assert observer_of({**PLAN, missing: None}, None) is None


def test_wrong_workload_is_refused() -> None:
    with pytest.raises(WorkloadError, match="workload web-1: command is missing"):
        observer_of({**PLAN, "workloads": [{**WORKLOAD, "command": []}]}, None)
