# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that a cluster keeps for a while, or does not let this user have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    DeploymentSpec,
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import delete, deploy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.delete import remove
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deploy import (
    KubernetesDeployer,
)

LABELS = {"meshlab.envoy/demo": "web", "app.kubernetes.io/name": "app"}
DEMO = "meshlab.envoy/demo=web"


def thing(kind: str, name: str, version: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": LABELS, **more.pop("metadata", {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


SERVICE = thing("Service", "web-app", spec={"ports": [{"port": 80}]})


def deployer_on(cluster: Any, *manifests: dict[str, Any]) -> KubernetesDeployer:
    found = KubernetesDeployer(DeploymentSpec("web", Path("/nonexistent"), manifests=manifests))
    found._cluster = cluster
    return found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (deploy, delete):
        monkeypatch.setattr(module, "SECONDS_TO_GO", 0.02)
        monkeypatch.setattr(module, "PAUSE", 0.005)


def test_what_is_removed_is_gone_afterwards() -> None:
    cluster: Any = FakeCluster(SERVICE, thing("Pod", "web-app-1"))
    cluster.lingers = {("Service", "web-app"): 2, ("Pod", "web-app-1"): 1}
    remove(cluster, [("Service", "web-app")], DEMO, [DEMO])
    assert cluster.things == {}
    assert cluster.asked.count("delete Service") == 1
    assert cluster.asked.count("delete Pod") == 1


@pytest.mark.usefixtures("impatient")
def test_what_does_not_go_is_said_with_what_it_waits_for() -> None:
    balanced = thing(
        "Service", "web-app", metadata={"finalizers": ["service.kubernetes.io/load-balancer-cleanup"]}
    )
    cluster: Any = FakeCluster(balanced)
    cluster.lingers = {("Service", "web-app"): 1_000}
    words = (
        "still there after 0.02 s, though deleted: Service/web-app (which service.kubernetes.io/load-balancer-cleanup has"
        " to let go)"
    )
    with pytest.raises(ClusterError, match="still there") as error:
        remove(cluster, [("Service", "web-app")], DEMO, [DEMO])
    assert error.value.message == words
    deployer = deployer_on(cluster)
    assert deployer.is_deployed()
    with pytest.raises(PlatformFailed) as failed:
        deployer.remove_all()
    assert str(failed.value) == f"Not all of web could be removed; run again: {words}"


def test_a_pod_that_waits_since_a_rollout_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its grace is longer than a teardown should take, and the kubelet shortens no wait that has begun."""
    monkeypatch.setattr(delete, "SECONDS_TO_GO", 5)
    monkeypatch.setattr(delete, "PAUSE", 0.001)
    cluster: Any = FakeCluster(thing("Pod", "web-app-1"), thing("Pod", "web-app-2"))
    cluster.lingers = {("Pod", "web-app-1"): 1_000_000, ("Pod", "web-app-2"): 2}
    cluster.delete("Pod", "web-app-1")
    remove(cluster, [], DEMO, [DEMO])
    assert cluster.things == {}


def test_what_is_wanted_and_being_deleted_is_waited_for() -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.lingers = {("Service", "web-app"): 2}
    cluster.delete("Service", "web-app")
    deployer = deployer_on(cluster, SERVICE)
    deployer.preflight()
    assert cluster.things == {}
    assert deployer.apply().objects == ("Service/web-app",)
    assert "deletionTimestamp" not in cluster.things["Service", "web-app"]["metadata"]


@pytest.mark.usefixtures("impatient")
def test_what_is_wanted_and_does_not_go_is_refused() -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.lingers = {("Service", "web-app"): 1_000}
    cluster.delete("Service", "web-app")
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, SERVICE).preflight()
    assert str(error.value) == (
        "Still there after 0.02 s, though deleted: Service/web-app; see why, and run again when it is gone"
    )


def test_a_right_that_is_missing_in_the_middle_is_told() -> None:
    config = thing("ConfigMap", "web-app", data={"a": "1"})
    mounts = {"volumes": [{"configMap": {"name": "web-app"}}]}
    cluster: Any = FakeCluster(config, thing("Pod", "web-app-1", spec=mounts))
    deployer = deployer_on(cluster, {**config, "data": {"a": "2"}})
    deployer.preflight()
    cluster.refuses["patch Pod"] = ClusterError("forbidden", "somebody is forbidden to patch pods")
    with pytest.raises(PlatformFailed, match=r"and then not: somebody is forbidden to patch pods$"):
        deployer.apply()


def test_what_is_there_and_may_not_be_looked_at_is_somebody_elses() -> None:
    stranger = {**SERVICE, "metadata": {"name": "web-app"}}
    cluster: Any = FakeCluster(stranger)
    cluster.refuses["get Service"] = ClusterError("forbidden", "somebody is forbidden to get services")
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, SERVICE).preflight()
    assert str(error.value) == (
        "Service web-app is there already, and whose it is cannot be seen: somebody is forbidden to get services"
    )


CONFIG = thing("ConfigMap", "web-app", data={"a": "1"})
MOUNTS = {"volumes": [{"configMap": {"name": "web-app"}}]}
DEPLOYMENT = thing(
    "Deployment", "web-app", "apps/v1", spec={"template": {"metadata": {"labels": LABELS}, "spec": MOUNTS}}
)


@pytest.fixture
def cluster() -> Any:
    """One that runs a pod of the demo."""
    made = thing("ReplicaSet", "web-app-1", "apps/v1"), thing("Pod", "web-app-1", spec=MOUNTS)
    return FakeCluster(CONFIG, SERVICE, DEPLOYMENT, *made)


def changes(cluster: Any) -> list[str]:
    return [one for one in cluster.asked if one.split()[0] in ("apply", "patch", "delete")]


@pytest.mark.parametrize("kind", ["Service", "Deployment", "ReplicaSet", "Pod"])
def test_who_may_not_remove_is_told_before_anything_is_changed(cluster: Any, kind: str) -> None:
    cluster.refuses[f"try delete {kind}"] = ClusterError("forbidden", "somebody is forbidden to do that")
    with pytest.raises(PlatformRefused, match=r"^Somebody is forbidden to do that$"):
        deployer_on(cluster, CONFIG).preflight()
    takes_down = deployer_on(cluster)
    assert takes_down.is_deployed()
    with pytest.raises(PlatformRefused, match=r"^Somebody is forbidden to do that$"):
        takes_down.remove_all()
    assert changes(cluster) == []


def test_who_may_not_touch_a_pod_is_told_before_its_files_are_changed(cluster: Any) -> None:
    cluster.refuses["try patch Pod"] = ClusterError("forbidden", "somebody is forbidden to do that")
    with pytest.raises(PlatformRefused, match=r"^Somebody is forbidden to do that$"):
        deployer_on(cluster, {**CONFIG, "data": {"a": "2"}}, SERVICE, DEPLOYMENT).preflight()
    assert changes(cluster) == []


def test_what_does_not_change_is_not_tried() -> None:
    cluster: Any = FakeCluster()
    first = deployer_on(cluster, SERVICE)
    first.preflight()
    first.apply()
    cluster.asked.clear()
    deployer_on(cluster, SERVICE).preflight()
    assert {one.split()[0] for one in cluster.asked} == {"list", "get"}


def policy(*callers: str) -> dict[str, Any]:
    rules = [
        {
            "from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": one}}}],
            "ports": [{"port": 80, "protocol": "TCP"}],
        }
        for one in callers
    ]
    spec = {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Ingress"], "ingress": rules}
    return thing("NetworkPolicy", "web-app", "networking.k8s.io/v1", spec=spec)


def let_in(cluster: Any) -> list[str]:
    """Who may call now; the API server leaves out a list of nobody."""
    found = cluster.things["NetworkPolicy", "web-app"]["spec"].get("ingress") or []
    return [one["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in found]


@pytest.mark.parametrize(
    ("before", "after", "meanwhile"),
    [(["a"], [], ["a"]), (["a"], ["b"], ["b", "a"]), (["a"], ["b", "a"], ["b", "a"]), (["a"], ["a"], ["a"])],
)
def test_who_has_called_may_call_until_the_end_of_a_change(
    before: list[str], after: list[str], meanwhile: list[str]
) -> None:
    cluster: Any = FakeCluster()
    first = deployer_on(cluster, policy(*before))
    first.preflight()
    first.apply()
    first.remove_unlisted()
    assert let_in(cluster) == before
    for breaks_off in (True, False):
        deployer = deployer_on(cluster, policy(*after))
        deployer.preflight()
        told = deployer.apply().objects
        assert let_in(cluster) == meanwhile
        if not breaks_off:
            told += deployer.remove_unlisted().objects
            assert let_in(cluster) == after
    # A run that has nothing to do but the end tells of it, too.
    assert set(told) == ({"NetworkPolicy/web-app"} if after != meanwhile else set())
    cluster.asked.clear()
    deployer_on(cluster, policy(*after)).preflight()
    assert changes(cluster) == []
    assert not any(one.startswith("try") for one in cluster.asked)
