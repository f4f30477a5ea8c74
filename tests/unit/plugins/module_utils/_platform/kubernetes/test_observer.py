# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer of pods, with a cluster in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from demo_objects import make_object
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.observer import (
    KubernetesObserver,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

WORKLOADS = (
    Workload(name="my_app", command=("x",), group="my_app", container="app"),
    Workload(name="my_app-envoy", command=("x",), group="my_app", container="envoy", network="my_app"),
)


def observer_on(cluster: Any) -> KubernetesObserver:
    access: Any = SimpleNamespace(cluster=lambda: cluster)
    return KubernetesObserver(DeployedDemo("web", Path("/nonexistent"), WORKLOADS, access=access))


def test_missing_deployment_is_not_waited_for() -> None:
    found = observer_on(FakeCluster()).wait_until_settled(60)
    assert [(name, status.state) for name, status in found.items()] == [("my_app", "failed")]


def test_deployment_with_its_pods_is_ready() -> None:
    status = {"observedGeneration": 1, "replicas": 0}
    deployment = make_object(
        "Deployment", "web-my-app", "apps/v1", metadata={"generation": 1}, spec={"replicas": 0}, status=status
    )
    assert observer_on(FakeCluster(deployment)).wait_until_settled(60) == {}


@pytest.mark.parametrize("reason", ["forbidden", "no_cluster"])
def test_cluster_that_refuses_is_not_observed(reason: str) -> None:
    cluster = FakeCluster()
    cluster.errors = {
        f"list {kind}": ClusterError(reason, "no") for kind in ("Deployment", "Pod", "ReplicaSet")
    }
    assert observer_on(cluster).recent_log_lines(("my_app",), 0.0, 1.0) == {}
    if reason == "forbidden":
        assert observer_on(cluster).wait_until_settled(60) == {}


def test_plan_that_selects_no_pods_is_not_observed() -> None:
    found = KubernetesObserver(DeployedDemo("web", Path("/nonexistent"), WORKLOADS))
    assert (found.wait_until_settled(60), found.recent_log_lines(("my_app",), 0.0, 1.0)) == ({}, {})


def test_logs_of_all_pods_of_a_workload_are_joined() -> None:
    labels = {"meshlab.envoy/demo": "web", "app.kubernetes.io/name": "my-app"}
    other = {**labels, "app.kubernetes.io/name": "edge"}
    pods = [make_object("Pod", name, metadata={"labels": labels}) for name in ("p1", "p2")]
    cluster = FakeCluster(*pods, make_object("Pod", "p3", metadata={"labels": other}))
    read = []

    def logs(pod: str, container: str, **options: Any) -> list[str]:
        read.append((pod, container))
        assert options["seconds"] >= 1
        if pod == "p2":
            raise ClusterError("not_found", "no log")
        return [pod]

    cluster.logs = logs  # type: ignore[assignment, method-assign]
    assert observer_on(cluster).recent_log_lines(("my_app-envoy",), 0.0, 1.0) == {"my_app-envoy": ["p1"]}
    assert sorted(read) == [("p1", "envoy"), ("p2", "envoy")]
