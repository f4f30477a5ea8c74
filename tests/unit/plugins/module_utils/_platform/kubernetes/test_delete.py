# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deletion of objects that exist for some time afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from demo_objects import SELECTOR, SERVICE, make_object
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import delete
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.delete import delete_objects


def test_delete_returns_when_nothing_exists_any_more() -> None:
    cluster: Any = FakeCluster(SERVICE, make_object("Pod", "web-app-1"))
    cluster.lingering = {("Service", "web-app"): 2, ("Pod", "web-app-1"): 1}
    delete_objects(cluster, [("Service", "web-app")], SELECTOR, [SELECTOR])
    assert cluster.objects == {}
    assert cluster.requests.count("delete Service") == 1
    assert cluster.requests.count("delete Pod") == 1


def test_timeout_names_the_object_and_its_finalizers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delete, "DELETION_TIMEOUT", 0.02)
    finalizers = ["service.kubernetes.io/load-balancer-cleanup"]
    cluster: Any = FakeCluster(make_object("Service", "web-app", metadata={"finalizers": finalizers}))
    cluster.lingering = {("Service", "web-app"): 1_000}
    with pytest.raises(ClusterError) as error:
        delete_objects(cluster, [("Service", "web-app")], SELECTOR, [SELECTOR])
    assert error.value.reason == "timeout"
    assert error.value.message == (
        "still existing 0.02 s after the deletion: Service/web-app"
        " (finalizers: service.kubernetes.io/load-balancer-cleanup)"
    )


def test_pod_that_already_terminates_is_removed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its grace period, as after a rollout, is longer than a teardown may take, and the kubelet does not shorten it."""
    monkeypatch.setattr(delete, "DELETION_TIMEOUT", 5)
    monkeypatch.setattr(delete, "PAUSE", 0.001)
    cluster: Any = FakeCluster(make_object("Pod", "web-app-1"), make_object("Pod", "web-app-2"))
    cluster.lingering = {("Pod", "web-app-1"): 1_000_000, ("Pod", "web-app-2"): 2}
    cluster.delete("Pod", "web-app-1")
    delete_objects(cluster, [], SELECTOR, [SELECTOR])
    assert cluster.objects == {}


def test_owners_are_deleted_before_what_they_create() -> None:
    cluster: Any = FakeCluster(
        make_object("Deployment", "web-app", "apps/v1"),
        make_object("ReplicaSet", "web-app-1", "apps/v1"),
        make_object("Pod", "web-app-1"),
        SERVICE,
    )
    keys = [("Service", "web-app"), ("Deployment", "web-app")]
    delete_objects(cluster, keys, SELECTOR, [SELECTOR])
    deletions = [one.removeprefix("delete ") for one in cluster.requests if one.startswith("delete ")]
    assert deletions == ["Deployment", "Service", "ReplicaSet", "Pod"]
