# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the logs of Envoys during a deployment, with an observer that has one workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import envoy_logs
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import DeployRequest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo

ADMINS: tuple[Any, ...] = ({"proxy": "web-1", "workload": "web-1-envoy"}, {"proxy": "edge"})


class OneLog:
    """An observer of the log of one workload."""

    def __init__(self, demo: DeployedDemo) -> None:
        assert (demo.name, demo.folder) == ("shop", Path("/state"))

    def recent_log_lines(
        self, workloads: Sequence[str], since: float, timeout: float
    ) -> Mapping[str, Sequence[str]]:
        assert min(since, timeout) > 0
        return {name: ["rejected"] for name in workloads if name == "web-1-envoy"}


@pytest.mark.parametrize(("proxy", "lines"), [("web-1", ["rejected"]), ("edge", []), ("other", [])])
def test_log_is_that_of_the_proxys_workload(
    monkeypatch: pytest.MonkeyPatch, proxy: str, lines: list[str]
) -> None:
    monkeypatch.setattr(envoy_logs, "observer_class", lambda _platform: OneLog)
    read = envoy_logs.envoy_logs(DeployRequest("shop", "local", Path("/state"), admins=ADMINS))
    assert [*read(proxy)] == lines


def test_platform_without_an_observer_has_no_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envoy_logs, "observer_class", lambda _platform: None)
    read = envoy_logs.envoy_logs(DeployRequest("shop", "toy", Path("/state"), admins=ADMINS))
    assert [*read("edge")] == []
