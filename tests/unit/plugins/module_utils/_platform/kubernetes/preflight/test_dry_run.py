# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dry runs: problems that are found before anything is changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from demo_objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    POD,
    REPLICA_SET,
    SELECTOR,
    SERVICE,
    changing_requests,
    deployer_on,
)
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.errors import (
    NamespaceMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    object_key,
    with_digest,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.preflight.dry_run import (
    DryRun,
)

FORBIDDEN = ClusterError("forbidden", "ci is forbidden to do that")


@pytest.fixture
def cluster() -> Any:
    """Return a cluster that runs a pod of the demo."""
    return FakeCluster(CONFIG_MAP, SERVICE, DEPLOYMENT, REPLICA_SET, POD)


def dry_run_of(cluster: Any, *things: dict[str, Any], tool: str = "kubectl") -> dict[Any, Any]:
    existing: dict[tuple[str, str], dict[str, Any]] = {}
    run = DryRun(cluster, SELECTOR, existing, lambda _thing: "app", tool)
    return run.run({object_key(one): with_digest(one) for one in things})


@pytest.mark.parametrize("kind", ["Service", "Deployment", "ReplicaSet", "Pod"])
def test_forbidden_deletion_is_found_before_any_change(cluster: Any, kind: str) -> None:
    cluster.errors[f"dry-run delete {kind}"] = FORBIDDEN
    with pytest.raises(PlatformRefused, match=r"^Ci is forbidden to do that\.$"):
        deployer_on(cluster, CONFIG_MAP).preflight()
    teardown = deployer_on(cluster)
    assert teardown.is_deployed()
    with pytest.raises(PlatformRefused, match=r"^Ci is forbidden to do that\.$"):
        teardown.remove_all()
    assert changing_requests(cluster) == []


def test_forbidden_pod_patch_is_found_before_any_change(cluster: Any) -> None:
    cluster.errors["dry-run patch Pod"] = FORBIDDEN
    with pytest.raises(PlatformRefused, match=r"^Ci is forbidden to do that\.$"):
        deployer_on(cluster, {**CONFIG_MAP, "data": {"a": "2"}}, SERVICE, DEPLOYMENT).preflight()
    assert changing_requests(cluster) == []


def test_unchanged_objects_are_not_requested() -> None:
    cluster: Any = FakeCluster()
    first = deployer_on(cluster, SERVICE)
    first.preflight()
    first.apply()
    cluster.requests.clear()
    deployer_on(cluster, SERVICE).preflight()
    assert {one.split()[0] for one in cluster.requests} == {"list", "get"}


def test_rejected_pods_name_their_group() -> None:
    cluster: Any = FakeCluster()
    message = "Pod web-app-dry-run in namespace demo: violates PodSecurity"
    cluster.errors["dry-run apply Pod"] = ClusterError("invalid", message)
    with pytest.raises(PlatformRefused) as error:
        dry_run_of(cluster, DEPLOYMENT)
    assert str(error.value) == (
        "app: the cluster rejects its pods: violates PodSecurity. Change the demo or the namespace's rules."
    )


def test_pods_without_proxy_of_the_mesh_are_refused() -> None:
    deployment = copy.deepcopy(DEPLOYMENT)
    labels = deployment["spec"]["template"]["metadata"].setdefault("labels", {})
    labels["sidecar.istio.io/inject"] = "true"
    with pytest.raises(
        PlatformRefused, match=r"^app: the cluster injects no Istio proxy into its pods\. Install Istio"
    ):
        dry_run_of(FakeCluster(), deployment)
    proxy = {"name": "istio-proxy", "image": "istio/proxyv2:1"}
    deployment["spec"]["template"]["spec"].setdefault("initContainers", []).append(proxy)
    assert [*dry_run_of(FakeCluster(), deployment)] == [("Deployment", "web-app")]


def test_pod_rejected_because_of_the_user_is_no_problem() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["dry-run apply Pod"] = FORBIDDEN
    assert [*dry_run_of(cluster, DEPLOYMENT)] == [("Deployment", "web-app")]


def test_all_problems_are_in_one_message() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["dry-run apply Service"] = ClusterError("forbidden", "ci is forbidden to patch services.")
    cluster.errors["dry-run apply ConfigMap"] = ClusterError("not_found", "no such path")
    with pytest.raises(PlatformRefused) as error:
        dry_run_of(cluster, SERVICE, CONFIG_MAP)
    assert str(error.value) == (
        "Ci is forbidden to patch services."
        " ConfigMap web-app: the cluster does not support ConfigMap. Install its API, or do not use it."
    )


def test_missing_namespace_is_a_missing_prerequisite() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["dry-run apply Service"] = ClusterError("not_found", "there is no namespace demo.")
    with pytest.raises(NamespaceMissing, match=r"^There is no namespace demo\.$"):
        dry_run_of(cluster, SERVICE)


def test_name_in_use_has_the_command_to_label_the_object() -> None:
    cluster: Any = FakeCluster({**SERVICE, "metadata": {"name": "web-app"}})
    with pytest.raises(PlatformRefused) as error:
        dry_run_of(cluster, SERVICE, tool="oc")
    assert str(error.value) == (
        "Service web-app in namespace demo belongs to no demo. Remove it, use another namespace, or rename this demo."
        " If it belongs to this demo, label it:"
        " oc --namespace demo label service web-app meshlab.envoy/demo=web."
    )


def test_name_in_use_by_another_demo_names_it() -> None:
    labels = {"meshlab.envoy/demo": "shop"}
    cluster: Any = FakeCluster({**SERVICE, "metadata": {"name": "web-app", "labels": labels}})
    with pytest.raises(PlatformRefused) as error:
        dry_run_of(cluster, SERVICE)
    assert str(error.value) == (
        "Service web-app in namespace demo belongs to demo shop."
        " Remove it, use another namespace, or rename this demo."
    )


def test_name_in_use_with_unreadable_labels_is_refused() -> None:
    cluster: Any = FakeCluster({**SERVICE, "metadata": {"name": "web-app"}})
    cluster.errors["get Service"] = ClusterError("forbidden", "ci is forbidden to get services")
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, SERVICE).preflight()
    assert str(error.value) == (
        "Service web-app exists, and its labels cannot be read: Ci is forbidden to get services."
    )
