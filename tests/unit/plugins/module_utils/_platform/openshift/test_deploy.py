# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployer of pods on OpenShift: its quotas, and messages that name its command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo_objects import DEPLOYMENT, SERVICE, changing_requests
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    DeploymentSpec,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NamespaceMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.deploy import (
    OpenShiftDeployer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import deployer_class


def deployer_on(cluster: Any, *manifests: dict[str, Any]) -> OpenShiftDeployer:
    spec = DeploymentSpec("web", Path("/nonexistent"), manifests=manifests or (SERVICE,))
    deployer = OpenShiftDeployer(spec)
    deployer._cluster = cluster
    return deployer


def test_platform_has_its_own_deployer() -> None:
    assert deployer_class("openshift") is OpenShiftDeployer


def test_missing_project_names_oc_new_project() -> None:
    class NoProject(FakeCluster):
        def get(self, kind: str, name: str) -> dict[str, Any] | None:
            return None

    with pytest.raises(NamespaceMissing, match=r"Create it \(oc new-project demo\)"):
        deployer_on(NoProject()).preflight()


def test_name_in_use_names_oc_label() -> None:
    with pytest.raises(PlatformRefused, match="oc --namespace demo label service web-app"):
        deployer_on(FakeCluster({**SERVICE, "metadata": {"name": "web-app"}})).preflight()


def test_quota_of_several_projects_is_refused_before_any_change() -> None:
    quota = {
        "kind": "AppliedClusterResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"quota": {"hard": {"pods": "4"}}},
        "status": {"total": {"used": {"pods": "4"}}},
    }
    cluster: Any = FakeCluster(quota)
    with pytest.raises(PlatformRefused, match=r"^ClusterResourceQuota team .* adds 1 pods \(app: 1\)"):
        deployer_on(cluster, SERVICE, DEPLOYMENT).preflight()
    assert changing_requests(cluster) == []


@pytest.mark.parametrize("kind", ["not_found", "forbidden"])
def test_cluster_without_such_quotas_is_deployed_to(kind: str) -> None:
    cluster: Any = FakeCluster()
    cluster.errors["list AppliedClusterResourceQuota"] = ClusterError(kind, "no such kind")
    deployer_on(cluster, SERVICE, DEPLOYMENT).preflight()
