# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that an Envoy has discovered, compared with the pods that are ready."""

from __future__ import annotations

import time
from typing import Any

import pytest
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    UpstreamPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.upstream_hosts import (
    host_difference,
    ready_addresses,
    wait_for_first_hosts,
    wait_until_discovered,
)


def pod(name: str, address: str, *, is_ready: bool = True, is_terminating: bool = False) -> dict[str, Any]:
    metadata = {
        "name": name,
        "labels": {"app": "web"},
        **({"deletionTimestamp": "2026-11-24T04:00:00Z"} if is_terminating else {}),
    }
    conditions = [{"type": "Ready", "status": "True" if is_ready else "False"}]
    status = {"phase": "Running", "podIP": address, "conditions": conditions}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


FIRST, SECOND = pod("web-1", "10.0.0.1"), pod("web-2", "10.0.0.2")


def difference(hosts: set[str], expected: int, *pods: dict[str, Any]) -> str:
    cluster: Any = FakeCluster(*pods)
    cluster.lingering = dict.fromkeys(cluster.objects, 1_000)  # terminating pods stay
    upstream = UpstreamPods("app=web", expected)
    return host_difference("web", upstream, hosts, ready_addresses(cluster, {"web": upstream})["web"])


PREVIOUS = pod("web-9", "10.0.0.9", is_terminating=True)


@pytest.mark.parametrize(
    ("hosts", "expected", "message"),
    [
        ({"10.0.0.1", "10.0.0.2"}, 2, ""),
        ({"10.0.0.1"}, 2, "cluster web has 1 of 2 hosts"),
        # The right number, but one of the hosts terminates.
        ({"10.0.0.1", "10.0.0.9"}, 2, "cluster web has 1 of 2 hosts, and 1 previous ones"),
        ({"10.0.0.1", "10.0.0.2", "10.0.0.9"}, 2, "cluster web has 2 of 2 hosts, and 1 previous ones"),
        ({"10.0.0.1", "10.0.0.2"}, 3, "cluster web has 2 of 3 hosts"),
    ],
)
def test_hosts_have_to_be_the_ready_pods(hosts: set[str], expected: int, message: str) -> None:
    assert difference(hosts, expected, FIRST, SECOND, PREVIOUS) == message


def test_pods_that_are_not_ready_do_not_count() -> None:
    unready = pod("web-2", "10.0.0.2", is_ready=False)
    assert difference({"10.0.0.1"}, 1, FIRST, unready) == ""


class FakeMonitor:
    """An Envoy that has discovered one host more at each read."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.reads = addresses, 0

    def cluster_hosts(self) -> dict[str, set[str]]:
        self.reads += 1
        return {"web": {*self.addresses[: self.reads]}}


def test_wait_ends_when_all_hosts_are_discovered() -> None:
    cluster: Any = FakeCluster(FIRST, SECOND)
    monitor: Any = FakeMonitor("10.0.0.1", "10.0.0.2")
    upstreams = {"web": UpstreamPods("app=web", 2)}
    assert wait_until_discovered(cluster, upstreams, monitor, 5) == ""
    assert monitor.reads == 2


def test_wait_reports_the_difference_at_the_deadline() -> None:
    cluster: Any = FakeCluster(FIRST, SECOND)
    monitor: Any = FakeMonitor("10.0.0.1")
    assert wait_until_discovered(cluster, {"web": UpstreamPods("app=web", 2)}, monitor, 0) == (
        "cluster web has 1 of 2 hosts after 0 s without progress. Name resolution returns other pods than those that are ready"
    )


def test_pods_that_cannot_be_listed_are_unreachable() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["list Pod"] = ClusterError("forbidden", "ci is forbidden to list pods.")
    with pytest.raises(AdminUnreachable, match="ci is forbidden to list pods"):
        ready_addresses(cluster, {"web": UpstreamPods("app=web", 1)})


def test_pods_of_all_clusters_are_listed_by_one_request() -> None:
    cluster: Any = FakeCluster(FIRST, SECOND)
    upstreams = {name: UpstreamPods(f"app={name}", 1) for name in ("web", "api")}
    assert ready_addresses(cluster, upstreams) == {"web": {"10.0.0.1", "10.0.0.2"}, "api": set()}
    assert cluster.requests == ["list Pod"]


class LateMonitor(FakeMonitor):
    """An Envoy whose name resolution returns no host at its first reads."""

    def cluster_hosts(self) -> dict[str, set[str]]:
        found = super().cluster_hosts()
        return found if self.reads > 2 else {"web": set()}


def test_first_host_is_waited_for() -> None:
    monitor: Any = LateMonitor("10.0.0.1")
    assert wait_for_first_hosts(["web"], monitor, time.monotonic() + 5) == ""
    assert monitor.reads == 3


def test_cluster_without_hosts_is_reported() -> None:
    monitor: Any = LateMonitor("10.0.0.1")
    assert wait_for_first_hosts(["web"], monitor, time.monotonic()) == (
        "cluster web has no host: name resolution returns none of its ready pods"
    )
