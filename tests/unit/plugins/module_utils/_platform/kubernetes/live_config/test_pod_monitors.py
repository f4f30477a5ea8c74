# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitors of a proxy's pods."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_monitors import (
    PodMonitors,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
)

RUNNING = {"phase": "Running", "containerStatuses": [{"name": "envoy", "state": {"running": {}}}]}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "labels": {"app": "web"}},
    "spec": {"volumes": [{"configMap": {"name": "web-edge"}}]},
    "status": RUNNING,
}


def pod(name: str, **more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(POD), "metadata": {"name": name, "labels": {"app": "web"}}, **more}


def monitors_of(cluster: FakeCluster) -> PodMonitors:
    return PodMonitors(
        cast("Any", cluster), ProxyPods("app=web"), ("ConfigMap", "web-edge"), lambda _pod: None
    )


def test_only_running_pods_that_mount_the_map_are_monitored() -> None:
    other_map = pod("other-map", spec={"volumes": [{"configMap": {"name": "other"}}]})
    waiting = [{"name": "envoy", "state": {"waiting": {}}}]
    not_started = pod("not-started", status={"phase": "Pending", "containerStatuses": waiting})
    terminating = pod("terminating")
    terminating["metadata"]["deletionTimestamp"] = "2026-11-24T04:00:00Z"
    cluster = FakeCluster(pod("web-1"), other_map, not_started, terminating)
    cluster.lingering = {("Pod", "terminating"): 1_000}
    assert [*monitors_of(cluster).update()] == ["web-1"]


def test_monitors_are_kept_while_their_pod_runs() -> None:
    cluster = FakeCluster(pod("web-1"), pod("web-2"))
    monitors = monitors_of(cluster)
    first = monitors.update()["web-1"]
    cluster.delete("Pod", "web-2")
    assert monitors.update() == {"web-1": first}
    assert monitors.names() == ("web-1",)


def unreachable(_pod: str, _monitor: Any) -> str:
    raise AdminUnreachable("no response")


def test_pod_that_has_gone_is_no_problem() -> None:
    assert monitors_of(FakeCluster()).problems(["web-1"], unreachable) == {"web-1": ""}


def test_running_pod_that_does_not_respond_is_an_error() -> None:
    with pytest.raises(AdminUnreachable, match=r"^pod web-1: no response$"):
        monitors_of(FakeCluster(pod("web-1"))).problem(["web-1"], unreachable)


def test_equal_problems_are_joined() -> None:
    problems = {"web-1": "late", "web-2": "", "web-3": "late", "web-4": "gone"}
    assert joined(problems) == "pod web-1 and 1 more: late; pod web-4: gone"
