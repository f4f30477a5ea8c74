# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of a deployment with quotas: pods, their resources, objects, scopes and messages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.resource_kinds import kind_of
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.quotas import (
    PodDemand,
    cluster_resource_quota,
    pod_demand,
    quota_problems,
    resource_quota,
)

POD = {
    "spec": {
        "initContainers": [
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}}},
            {"name": "ends before the pod is ready", "resources": {"requests": {"cpu": "1"}}},
        ],
        "containers": [
            {"resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m"}}}
        ],
    }
}


def quota(hard: dict[str, Any], used: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "small"},
        "spec": {"hard": hard, **spec},
        "status": {"used": used or dict.fromkeys(hard, "0")},
    }


def problems(found: dict[str, Any], *demands: PodDemand, created: tuple[str, ...] = ()) -> list[str]:
    objects = [
        {"apiVersion": kind_of(kind).version, "kind": kind, "spec": {"ports": [{}, {}], "type": "NodePort"}}
        for kind in created
    ]
    return quota_problems([resource_quota(found, "demo")], objects, demands)


def test_sum_of_all_pods_is_compared() -> None:
    web, edge = PodDemand("web", 2, 0, POD), PodDemand("edge", 1, 0, POD)
    assert problems(quota({"pods": "3"}), web, edge) == []
    [problem] = problems(quota({"pods": "2"}), web, edge)
    assert problem == (
        "ResourceQuota small in namespace demo: this deployment adds 3 pods (web: 2, edge: 1), but 2 of 2 are left."
        " Raise pods of the quota to 3, lower the replicas, or use another namespace."
    )


def test_rollout_needs_one_more_pod_at_once() -> None:
    demand = PodDemand("web", 0, 1, POD)
    assert problems(quota({"pods": "4"}, {"pods": "3"}), demand) == []
    [problem] = problems(quota({"pods": "3"}, {"pods": "3"}), demand)
    assert (
        "adds 1 pods (web: 1 during the rollout), but 0 of 3 are left. Raise pods of the quota to 4,"
        in problem
    )


@pytest.mark.parametrize(
    ("resource", "hard", "expected"),
    [
        ("requests.memory", "127Mi", "adds 128Mi requests.memory"),
        ("memory", "100M", "adds 128Mi memory"),
        ("requests.cpu", "0.039", "adds 40m requests.cpu"),
        ("cpu", "39m", "adds 40m cpu"),
        ("limits.cpu", "0.9", "adds 1 limits.cpu"),
        ("count/pods", "1", "adds 2 count/pods"),
        ("count/replicasets.apps", "0", "adds 1 count/replicasets.apps"),
    ],
)
def test_resources_of_pods_are_compared(resource: str, hard: str, expected: str) -> None:
    [problem] = problems(quota({resource: hard}), PodDemand("web", 2, 0, POD))
    assert expected in problem
    assert problems(quota({resource: "1Gi"}), PodDemand("web", 2, 0, POD)) == []


def test_objects_are_counted() -> None:
    for resource, number in {
        "services": 2,
        "services.nodeports": 4,
        "count/services": 2,
        "configmaps": 1,
        "count/networkpolicies.networking.k8s.io": 1,
        "count/routes.route.openshift.io": 1,
    }.items():
        created = ("Service", "Service", "ConfigMap", "NetworkPolicy", "Route")
        assert problems(quota({resource: number}), created=created) == []
        [problem] = problems(quota({resource: number - 1}), created=created)
        assert (
            f"this deployment adds {number} {resource}, but {number - 1} of {number - 1} are left" in problem
        )


def test_quota_for_other_pods_is_ignored() -> None:
    demand = PodDemand("web", 2, 0, POD)
    expressions = [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
    assert problems(quota({"pods": "1"}, scopes=["BestEffort"]), demand) == []
    assert problems(quota({"pods": "1"}, scopeSelector={"matchExpressions": expressions}), demand) == []
    assert len(problems(quota({"pods": "1"}, scopes=["NotTerminating"]), demand)) == 1


def test_only_missing_pods_are_added() -> None:
    planned = {"spec": {"replicas": 3}}
    assert pod_demand("web", planned, 0, is_rollout=True, pod=POD).pods == 3
    assert pod_demand("web", planned, 3, is_rollout=False, pod=POD).pods == 0
    assert pod_demand("web", planned, 1, is_rollout=False, pod=POD).pods == 2
    assert pod_demand("web", planned, 3, is_rollout=True, pod=POD).pods == 1
    assert pod_demand("web", planned, 5, is_rollout=False, pod=POD).pods == 0


def test_quota_of_several_projects_counts_all_of_them() -> None:
    applied = {
        "metadata": {"name": "team"},
        "spec": {"selector": {}, "quota": {"hard": {"pods": "10", "requests.cpu": "1"}}},
        "status": {
            "total": {"hard": {"pods": "10"}, "used": {"pods": "8"}},
            "namespaces": [{"namespace": "demo", "status": {"used": {"pods": "1"}}}],
        },
    }
    found = cluster_resource_quota(applied, "demo")
    [problem] = quota_problems([found], [], [PodDemand("web", 3, 0, POD)])
    assert problem == (
        "ClusterResourceQuota team for namespace demo: this deployment adds 3 pods (web: 3), but 2 of 10 are left."
        " Raise pods of the quota to 11, lower the replicas, or use another namespace."
    )
    assert quota_problems([found], [], [PodDemand("web", 2, 0, POD)]) == []


def test_new_quota_of_several_projects_has_no_status() -> None:
    applied = {"metadata": {"name": "team"}, "spec": {"quota": {"hard": {"pods": "2"}}}}
    assert quota_problems([cluster_resource_quota(applied, "demo")], [], [PodDemand("web", 2, 0, {})]) == []
