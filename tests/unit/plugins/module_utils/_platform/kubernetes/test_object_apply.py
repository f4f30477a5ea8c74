# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The apply of planned objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo_objects import CONFIG_MAP, MOUNTS, SELECTOR, SERVICE, make_object
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    PlatformFailed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deployed_objects import (
    DeployedObjects,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_apply import (
    ObjectApplier,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.object_diff import (
    APPLIED,
    object_key,
)

CRASHING = make_object(
    "Pod",
    "web-app-1",
    spec=MOUNTS,
    status={
        "containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    },
)


def applier_on(cluster: Any) -> ObjectApplier:
    deployed = DeployedObjects(SELECTOR, (), {})
    deployed.update(cluster)
    cluster.requests.clear()
    return ObjectApplier(cluster, Path("/nonexistent"), deployed, {})


def test_completed_object_has_a_digest() -> None:
    complete = applier_on(FakeCluster()).completed(SERVICE)
    assert complete
    assert complete["metadata"]["annotations"][APPLIED]


def test_object_without_certificate_is_incomplete() -> None:
    secret = make_object("Secret", "certs", metadata={"annotations": {"meshlab.envoy/folder": "edge/certs"}})
    assert applier_on(FakeCluster()).completed(secret) is None


def test_manually_created_object_is_taken_over() -> None:
    cluster: Any = FakeCluster(SERVICE)
    applier = applier_on(cluster)
    key = object_key(SERVICE)
    assert applier.differs_from_existing(key, SERVICE)
    applier.apply({key: SERVICE})
    assert cluster.requests == ["take over Service", "apply Service"]


def test_changed_config_map_refreshes_the_pods_that_mount_it() -> None:
    cluster: Any = FakeCluster(CONFIG_MAP, make_object("Pod", "web-app-1", spec=MOUNTS), SERVICE)
    applier = applier_on(cluster)
    applier.apply({object_key(CONFIG_MAP): {**CONFIG_MAP, "data": {"a": "2"}}})
    assert cluster.requests == ["take over ConfigMap", "apply ConfigMap", "patch Pod"]


def test_crashing_pod_is_replaced() -> None:
    cluster: Any = FakeCluster(CRASHING)
    assert applier_on(cluster).replace_delayed_pods(AppliedChanges()) == ["app"]
    assert cluster.requests == ["delete Pod"]


def test_crashing_pod_of_a_restarted_group_is_left_alone() -> None:
    cluster: Any = FakeCluster(CRASHING)
    assert applier_on(cluster).replace_delayed_pods(AppliedChanges(restarted=("app",))) == []
    assert cluster.requests == []


def test_forbidden_replacement_fails() -> None:
    cluster: Any = FakeCluster(CRASHING)
    applier = applier_on(cluster)
    cluster.errors["delete Pod"] = ClusterError("forbidden", "ci is forbidden to delete pods")
    with pytest.raises(PlatformFailed) as failed:
        applier.replace_delayed_pods(AppliedChanges())
    assert str(failed.value) == (
        "A pod that does not start cannot be replaced: Ci is forbidden to delete pods."
    )
