# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a demo in a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from demo_objects import CONFIG_MAP, DEPLOYMENT, POD, REPLICA_SET, SELECTOR, SERVICE, make_object
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import deployed_objects
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    DeployedObjects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import object_key

FORBIDDEN = ClusterError("forbidden", "ci is forbidden to list that.")
NOT_FOUND = ClusterError("not_found", "the server has no such resource")


def deployed_on(cluster: Any, *planned: tuple[str, str]) -> DeployedObjects:
    deployed = DeployedObjects(SELECTOR, planned, {"app": "my_app"})
    deployed.update(cluster)
    return deployed


@pytest.fixture
def deployed() -> DeployedObjects:
    return deployed_on(FakeCluster(CONFIG_MAP, SERVICE, DEPLOYMENT, REPLICA_SET, POD))


def test_objects_of_the_demo_are_listed_by_kind_and_name(deployed: DeployedObjects) -> None:
    assert {*deployed.objects} == {object_key(one) for one in (CONFIG_MAP, SERVICE, DEPLOYMENT)}
    assert [one["metadata"]["name"] for one in deployed.rollouts.pods] == ["web-app-1"]
    assert deployed.exist()
    assert not deployed_on(FakeCluster()).exist()


def test_lists_share_six_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many threads as lists would open as many connections: each handshake costs more than a list."""
    threads: list[int] = []

    def observed(function: Any, items: Any, count: int) -> Any:
        threads.append(count)
        return map_to_dict(function, items, count)

    monkeypatch.setattr(deployed_objects, "map_to_dict", observed)
    cluster = FakeCluster(CONFIG_MAP)
    deployed_on(cluster)
    assert threads == [6]
    assert len(cluster.requests) == 16


@pytest.mark.parametrize("error", [FORBIDDEN, NOT_FOUND])
def test_unplanned_optional_kind_may_be_unavailable(error: ClusterError) -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.errors["list Route"] = error
    assert [*deployed_on(cluster).objects] == [("Service", "web-app")]


def test_planned_optional_kind_has_to_be_available() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["list Route"] = NOT_FOUND
    with pytest.raises(PlatformRefused, match=r"^This cluster does not support Route\. Install its API"):
        deployed_on(cluster, ("Route", "web"))


def test_forbidden_list_of_a_required_kind_is_refused() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["list Secret"] = FORBIDDEN
    with pytest.raises(PlatformRefused, match=r"^Ci is forbidden to list that\.$") as error:
        deployed_on(cluster)
    assert not isinstance(error.value, PlatformUnavailable)


def test_cluster_that_does_not_answer_is_unavailable() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["list Secret"] = ClusterError("no_cluster", "no API server answers")
    with pytest.raises(PlatformUnavailable, match=r"^No API server answers\.$"):
        deployed_on(cluster)


def test_forbidden_get_of_the_namespace_is_tolerated() -> None:
    cluster: Any = FakeCluster()
    cluster.errors["get Namespace"] = FORBIDDEN
    assert deployed_on(cluster).namespace == {"metadata": {}}


def test_group_is_named_as_in_the_demo(deployed: DeployedObjects) -> None:
    assert deployed.group_of(POD) == "my_app"
    assert deployed.group_of({"metadata": {"name": "stranger"}}) == "stranger"


def test_created_objects_of_removed_deployments_are_found(deployed: DeployedObjects) -> None:
    assert deployed.created_for([("Deployment", "web-app")]) == [
        ("ReplicaSet", "web-app-1"),
        ("Pod", "web-app-1"),
    ]
    assert deployed.created_for([("Service", "web-app")]) == []


def test_pods_that_mount_a_config_map_are_found(deployed: DeployedObjects) -> None:
    assert deployed.pods_that_mount([("ConfigMap", "web-app")]) == [("Pod", "web-app-1")]
    assert deployed.pods_that_mount([("Secret", "web-app"), ("Service", "web-app")]) == []


def test_changes_name_started_restarted_and_removed(deployed: DeployedObjects) -> None:
    new = make_object("Deployment", "web-new", "apps/v1", spec={"template": {}})
    new["metadata"]["labels"] = {"app.kubernetes.io/name": "new"}
    changed = {**DEPLOYMENT, "spec": {"template": {"spec": {"other": 1}}}}
    after = {object_key(one): one for one in (new, changed)}
    found = deployed.changes(after, [("Service", "web-app")])
    assert (found.started, found.restarted, found.removed) == (("new",), ("my_app",), ())
    assert found.objects == ("Deployment/web-app", "Deployment/web-new", "Service/web-app")
    assert [entry["after_header"] for entry in found.diff] == [
        "Deployment/web-new",
        "Deployment/web-app",
        "Service/web-app (absent)",
    ]


def test_unchanged_objects_are_no_change(deployed: DeployedObjects) -> None:
    assert not deployed.changes(deployed.objects).changed


def test_unplanned_objects_are_those_to_remove(deployed: DeployedObjects) -> None:
    planned = [("Service", "web-app"), ("Deployment", "web-app")]
    assert deployed.unplanned(planned) == [("ConfigMap", "web-app")]
