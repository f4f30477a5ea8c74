# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments to a real cluster: what changes, what goes live, and what a teardown leaves."""

from __future__ import annotations

import base64
import json
import shutil
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_home import ClusterHome
from deployment import Deployment
from plan_changes import with_file_changed, with_first_address
from pod_requests import get_from_pod, requests_during

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_admin import (
    PodAdmin,
)

# The default port of a sidecar.
INGRESS = 10000
# The routes of service1's sidecar, in the state folder and in the ConfigMap.
ROUTES, ROUTES_KEY = "service1/routes/ingress.yaml", "routes__ingress.yaml"
RDS = "http.ingress.rds.ingress"
# A cluster that opens a connection for each request.
ONCE = {
    "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {}},
            "common_http_protocol_options": {"max_requests_per_connection": 1},
        }
    }
}


@pytest.fixture
def front(home: ClusterHome) -> Iterator[Deployment]:
    """Return a demo with an edge, two services and certificates, which is not deployed yet."""
    deployment = Deployment(home, "front_proxy")
    yield deployment
    answer = deployment.run(deployment.plan(), state="absent")
    assert not answer["failed"], answer["msg"]


def present(deployment: Deployment, plan: Any, **options: Any) -> dict[str, Any]:
    answer = deployment.run(plan, **options)
    assert not answer["failed"], answer["msg"]
    return answer


def test_deploy_redeploy_and_teardown(front: Deployment, home: ClusterHome) -> None:
    plan = front.plan()
    predicted = present(front, plan, _ansible_check_mode=True, _ansible_diff=True)
    assert predicted["changed"]
    assert predicted["started"] == ["edge", "service1", "service2"]
    assert home.remaining("front_proxy") == []
    done = present(front, plan, _ansible_diff=True)
    assert (done["started"], done["restarted"], done["removed"]) == (predicted["started"], [], [])
    assert done["objects"] == predicted["objects"]
    assert {"Deployment/" + one["metadata"]["name"] for one in home.objects("Deployment")} < {
        *done["objects"]
    }
    [secret] = home.objects("Secret")
    key = base64.b64decode(secret["data"]["tls.key"]).decode()
    assert "PRIVATE KEY" in key
    for text in (key.splitlines()[3], secret["data"]["tls.key"][60:100]):
        assert text not in json.dumps(done)
    [edge] = home.pods("front_proxy", "edge")
    assert get_from_pod(home.cluster, edge["metadata"]["name"], 8080 + home.shift, "/service/2")[0] == 200
    containers = home.running("front_proxy")
    again = present(front, plan)
    assert (again["changed"], again["objects"], again["files"]) == (False, [], [])
    assert not present(front, plan, _ansible_check_mode=True)["changed"]
    assert home.running("front_proxy") == containers
    gone = present(front, plan, state="absent", _ansible_check_mode=True)
    assert (gone["changed"], gone["removed"]) == (True, ["edge", "service1", "service2"])
    present(front, plan, state="absent")
    assert home.remaining("front_proxy") == []
    assert home.cluster.list("Pod") == []
    assert not present(front, plan, state="absent")["changed"]


def test_route_goes_live_in_all_pods_without_lost_requests(front: Deployment, home: ClusterHome) -> None:
    replicas = {"service1": 3}
    present(front, front.plan(replicas=replicas))
    containers = home.running("front_proxy")
    maps = {one["metadata"]["name"] for one in home.objects("ConfigMap")}
    new = front.plan(responding("new"), replicas=replicas)
    with requests_during(home, "front_proxy", "edge", 8080 + home.shift, "/service/1") as counts:
        done = present(front, new)
    assert counts.pop("200") > 20
    assert not counts
    assert {one for one in done["files"] if "yaml" in one} == {ROUTES, "manifests.yaml"}
    assert (done["started"], done["restarted"], done["removed"]) == ([], [], [])
    assert home.running("front_proxy") == containers
    assert {one["metadata"]["name"] for one in home.objects("ConfigMap")} == maps
    pods = home.pods("front_proxy", "service1")
    assert len(pods) == 3
    [admin] = [one for one in new["admins"] if one["proxy"] == "service1"]
    for pod in pods:
        assert get_from_pod(home.cluster, pod["metadata"]["name"], INGRESS, "/new") == (200, "new")
        seen = PodAdmin(home.cluster, pod["metadata"]["name"], admin["pods"]["port"])
        stats = seen.stats(r"^listener_manager\.listener_modified$|rds\..*config_reload$", 60)
        seen.close()
        # Envoy reads all files of a mounted ConfigMap again, and applied one of them.
        assert stats == {"listener_manager.listener_modified": "0", f"{RDS}.config_reload": "2"}
    assert not present(front, new)["changed"]


def test_change_of_callers_refuses_no_connection(home: ClusterHome) -> None:
    """Each change has other callers, and NetworkPolicies admit the previous callers until its end."""
    deployment = Deployment(home, "dynamic_config_fs")

    def plan_calling(to: str) -> Any:
        """Return a plan whose edge calls one of two services, on a new connection for each request."""
        route = {"match": {"prefix": "/"}, "route": {"cluster": f"to_{to}"}}
        edge = {
            "listeners": {"http": {"routes": [route]}},
            "clusters": {f"to_{to}": {"to": to, "cluster": ONCE}},
        }
        return deployment.plan({"proxies": {"edge": edge}})

    try:
        present(deployment, plan_calling("green"))
        with requests_during(home, "dynamic_config_fs", "edge", 8080 + home.shift, "/") as counts:
            for to in ("blue", "green"):
                done = present(deployment, plan_calling(to))
                assert (done["started"], done["restarted"]) == ([], [])
        assert counts.pop("200") > 20
        assert not counts
    finally:
        deployment.run(deployment.plan(), state="absent")


def test_rejected_file_is_restored_in_all_pods(front: Deployment, home: ClusterHome) -> None:
    replicas = {"service1": 2}
    good = front.plan(responding("good"), replicas=replicas)
    present(front, good)
    # No pod has this address. The validation does not bind addresses.
    bad = with_file_changed(
        front.plan(responding("bad"), replicas=replicas),
        "service1/listeners.yaml",
        lambda text: with_first_address(text, "203.0.113.7"),
    )
    answer = front.run(bad)
    assert answer["failed"]
    message = answer["msg"]
    assert "services.service1.sidecar: service1: the running Envoy did not accept: pod " in message
    assert "listener 'ingress'" in message
    assert "203.0.113.7" in message
    assert "Cannot assign requested address" in message
    assert "The previous files of service1 were restored and confirmed" in message
    for pod in home.pods("front_proxy", "service1"):
        name = pod["metadata"]["name"]
        assert name in message or "and 1 more" in message
        assert get_from_pod(home.cluster, name, INGRESS, "/good") == (200, "good")
    [live] = [one for one in home.objects("ConfigMap") if "-service1-" in one["metadata"]["name"]]
    state = home.state("front_proxy") / "service1/listeners.yaml"
    assert live["data"]["listeners.yaml"] == state.read_text()
    assert "203.0.113.7" not in live["data"]["listeners.yaml"]
    assert not present(front, good)["failed"]


def test_rejected_clusters_are_explained_by_the_log(front: Deployment) -> None:
    """Envoy's admin interface shows the reasons for listeners only."""
    plan = front.plan()
    present(front, plan)
    bad = with_file_changed(
        plan, "service1/clusters.yaml", lambda text: text.replace("type: STATIC", "type: EDS", 1)
    )
    answer = front.run(bad)
    assert answer["failed"]
    assert "services.service1.sidecar: service1: the running Envoy did not accept: pod " in answer["msg"]
    assert "cannot create an EDS cluster without an EDS config" in answer["msg"]
    assert "The previous files of service1 were restored and confirmed" in answer["msg"]
    assert not present(front, plan)["failed"]


def test_manual_changes_are_reverted(front: Deployment, home: ClusterHome) -> None:
    plan = front.plan(responding("wanted"))
    present(front, plan)
    name = home.name("front_proxy").replace("_", "-")
    home.cluster.delete("Service", f"{name}-edge")
    home.cluster.patch("NetworkPolicy", f"{name}-edge", {"spec": {"ingress": []}})
    [config] = [one for one in home.objects("ConfigMap") if "-service1-" in one["metadata"]["name"]]
    manual = config["data"][ROUTES_KEY].replace("wanted", "manual")
    home.cluster.patch("ConfigMap", config["metadata"]["name"], {"data": {ROUTES_KEY: manual}})
    done = present(front, plan)
    assert set(done["objects"]) == {f"NetworkPolicy/{name}-edge", f"Service/{name}-edge"}
    assert done["files"] == [ROUTES]
    assert (done["started"], done["restarted"], done["removed"]) == ([], [], [])
    [pod] = home.pods("front_proxy", "service1")
    assert get_from_pod(home.cluster, pod["metadata"]["name"], INGRESS, "/wanted") == (200, "wanted")
    assert not present(front, plan)["changed"]
    home.cluster.delete("Deployment", f"{name}-service2")
    assert present(front, plan)["started"] == ["service2"]


def test_lost_state_folder_is_written_again(front: Deployment, home: ClusterHome) -> None:
    plan = front.plan()
    present(front, plan)
    containers = home.running("front_proxy")
    state = home.state("front_proxy")
    shutil.rmtree(state)
    done = present(front, plan)
    # A new authority has signed new certificates.
    assert done["objects"] == [f"Secret/{home.name('front_proxy').replace('_', '-')}-edge-certs"]
    assert home.running("front_proxy") == containers
    assert not present(front, plan)["changed"]


def test_scaling_waits_for_discovery_and_keeps_pods(front: Deployment, home: ClusterHome) -> None:
    present(front, front.plan())
    before = home.running("front_proxy")
    plan = front.plan(replicas={"service1": 3})
    done = present(front, plan)
    assert (done["started"], done["restarted"]) == ([], [])
    assert before < home.running("front_proxy")
    [edge] = home.pods("front_proxy", "edge")
    admin = PodAdmin(home.cluster, edge["metadata"]["name"], 9901)
    members = admin.counters(r"^cluster\.service1\.membership_(healthy|degraded|total)$", 5)
    admin.close()
    # The standby endpoint is degraded. Expectations do not count it.
    assert members == {
        "cluster.service1.membership_healthy": 3,
        "cluster.service1.membership_degraded": 1,
        "cluster.service1.membership_total": 4,
    }
    with requests_during(home, "front_proxy", "edge", 8080 + home.shift, "/service/1") as counts:
        present(front, front.plan())
    assert counts.pop("200") > 20
    assert not counts


def test_rollout_of_a_start_option_loses_no_request(front: Deployment, home: ClusterHome) -> None:
    present(front, front.plan())
    maps = {one["metadata"]["name"] for one in home.objects("ConfigMap")}
    with requests_during(home, "front_proxy", "edge", 8080 + home.shift, "/service/1") as counts:
        done = present(front, front.plan(start_option("info")))
    assert counts.pop("200") > 20
    assert not counts
    assert (done["started"], done["restarted"], done["removed"]) == ([], ["edge"], [])
    after = {one["metadata"]["name"] for one in home.objects("ConfigMap")}
    assert len(after) == len(maps)
    assert len(after - maps) == len(maps - after) == 1
    assert {f"ConfigMap/{one}" for one in after ^ maps} <= {*done["objects"]}


def test_objects_of_others_are_not_changed(
    front: Deployment, home: ClusterHome, request: pytest.FixtureRequest
) -> None:
    other = Deployment(home, "service_envoy")
    request.addfinalizer(lambda: other.run(other.plan(), state="absent"))
    stranger = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stranger"}, "data": {"a": "b"}}
    home.cluster.apply(stranger)
    plan = front.plan()
    present(front, plan)
    present(other, other.plan())
    containers = home.running("service_envoy")
    # The deployment removes service2 with its objects.
    less = front.plan()
    [objects] = [
        [
            one
            for one in less["manifests"]
            if not one["metadata"]["name"].endswith(("-service2", "-service2-pods"))
        ]
    ]
    done = present(front, {**less, "manifests": objects})
    assert done["removed"] == ["service2"]
    assert home.pods("front_proxy", "service2") == []
    present(front, plan, state="absent")
    assert [one for one in home.remaining("front_proxy") if "service_envoy" not in one] == []
    assert home.running("service_envoy") == containers
    assert home.cluster.get("ConfigMap", "stranger")["data"] == {"a": "b"}  # type: ignore[index]
    home.cluster.delete("ConfigMap", "stranger")


def test_name_in_use_is_refused_before_any_change(front: Deployment, home: ClusterHome) -> None:
    name = home.name("front_proxy").replace("_", "-")
    service = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    home.cluster.apply(service)
    answer = front.run(front.plan())
    home.cluster.delete("ServiceAccount", name)
    assert answer["failed"]
    assert answer["msg"] == (
        f"ServiceAccount {name} in namespace {home.namespace} belongs to no demo. Remove it, use another namespace,"
        f" or rename this demo. If it belongs to this demo, label it: kubectl --namespace {home.namespace} label"
        f" serviceaccount {name} meshlab.envoy/demo={home.name('front_proxy')}. Nothing was changed."
    )
    assert not answer["changed"]
    assert home.remaining("front_proxy") == []


def test_pod_deleted_during_a_change_does_not_count(
    front: Deployment, home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas = {"service1": 2}
    present(front, front.plan(replicas=replicas))
    victim, other = (one["metadata"]["name"] for one in home.pods("front_proxy", "service1"))
    patch = Cluster.patch

    def patched(self: Cluster, kind: str, name: str, merge: Any, **more: Any) -> Any:
        if name == victim:
            self.delete("Pod", victim, grace=0)
        return patch(self, kind, name, merge, **more)

    monkeypatch.setattr(Cluster, "patch", patched)
    done = present(front, front.plan(responding("without"), replicas=replicas))
    assert ROUTES in done["files"]
    monkeypatch.undo()
    assert get_from_pod(home.cluster, other, INGRESS, "/without")[0] == 200


def test_broken_port_forward_is_opened_again(
    front: Deployment, home: ClusterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    present(front, front.plan())
    forward = Cluster.forward
    opened: list[socket.socket] = []

    def breaks(self: Cluster, *arguments: Any, **more: Any) -> Any:
        # Each second port-forward is cut at once.
        found = forward(self, *arguments, **more)
        opened.append(found)
        if len(opened) % 2:
            found.relay.remote.close()
        return found

    monkeypatch.setattr(Cluster, "forward", breaks)
    done = present(front, front.plan(responding("reconnected")))
    assert ROUTES in done["files"]
    assert len(opened) > 1


def responding(word: str) -> dict[str, Any]:
    """Return a change of the routes of service1's sidecar: `/word` responds with the word."""
    own = {
        "match": {"prefix": f"/{word}"},
        "direct_response": {"status": 200, "body": {"inline_string": word}},
    }
    routes = [own, {"match": {"prefix": "/"}, "route": {"cluster": "service1"}}]
    return {
        "services": {"service1": {"sidecar": {"listeners": {"ingress": {"port": INGRESS, "routes": routes}}}}}
    }


def start_option(level: str) -> dict[str, Any]:
    """Return a change of the edge's bootstrap, which Envoy reads only at its start."""
    return {"proxies": {"edge": {"bootstrap": {"node": {"metadata": {"level": level}}}}}}
