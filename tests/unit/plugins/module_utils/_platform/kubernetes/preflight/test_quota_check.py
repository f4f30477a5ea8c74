# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quotas and foreign objects before a deployment: refused with the numbers, and nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from demo_objects import DEPLOYMENT, LABELS, SERVICE, changing_requests, deployer_on
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused

THREE = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": 3}}


def quota(used: int, hard: int) -> dict[str, Any]:
    return {
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"pods": str(hard)}},
        "status": {"used": {"pods": str(used)}},
    }


def test_quota_is_refused_before_any_change() -> None:
    cluster: Any = FakeCluster(quota(0, 2))
    cluster.errors["dry-run apply Pod"] = ClusterError("invalid", "Pod x: exceeded quota: small")
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, SERVICE, THREE).preflight()
    assert str(error.value) == (
        "ResourceQuota small in namespace demo: this deployment adds 3 pods (app: 3), but 2 of 2 are left."
        " Raise pods of the quota to 3, lower the replicas, or use another namespace."
    )
    assert changing_requests(cluster) == []


def test_rollout_exceeds_a_full_quota() -> None:
    pods = [
        {"kind": "Pod", "metadata": {"name": f"web-app-{number}", "labels": LABELS}} for number in range(3)
    ]
    cluster: Any = FakeCluster(quota(3, 3), THREE, *pods)
    template = {**THREE["spec"]["template"], "spec": {"containers": [{"name": "x"}]}}
    changed = {**THREE, "spec": {**THREE["spec"], "template": template}}
    with pytest.raises(PlatformRefused, match="adds 1 pods"):
        deployer_on(cluster, changed).preflight()
    cluster.objects["ResourceQuota", "small"] = quota(3, 4)
    deployer_on(cluster, changed).preflight()


def test_user_without_access_to_quotas_can_deploy() -> None:
    cluster: Any = FakeCluster(quota(0, 2))
    cluster.errors["list ResourceQuota"] = ClusterError("forbidden", "ci is forbidden to list quotas")
    deployer_on(cluster, THREE).preflight()


def test_foreign_object_with_immutable_fields_is_named() -> None:
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web-app"}}
    cluster: Any = FakeCluster(foreign)
    cluster.errors["dry-run apply Deployment"] = ClusterError(
        "invalid", "Deployment web-app: spec.selector: Invalid value: field is immutable"
    )
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, THREE).preflight()
    assert str(error.value) == (
        "Deployment web-app in namespace demo belongs to no demo. Remove it, use another namespace, or rename this demo."
        " If it belongs to this demo, label it:"
        " kubectl --namespace demo label deployment web-app meshlab.envoy/demo=web."
    )
    assert changing_requests(cluster) == []
