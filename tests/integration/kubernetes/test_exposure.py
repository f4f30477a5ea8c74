# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reaches a demo's pods and who does not, what pods are allowed, and what an eviction costs."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cluster_home import ClusterHome, kubectl
from deployment import Deployment
from kubernetes_support import asked_meanwhile, container_of

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

DEMO = "front_proxy"
INGRESS, READ_ONLY = 10000, 9902
IMAGE = "python:3.11-slim-bookworm"
CLIENTS = 4
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
# Asks from inside a pod which of the given addresses take a connection, all at once.
REACHES = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reaches(one):
    try:
        socket.create_connection(tuple(one), timeout=3).close()
        return True
    except OSError:
        return False
with ThreadPoolExecutor(16) as pool:
    print(json.dumps(list(pool.map(reaches, json.loads(sys.argv[1])))))
"""
# What the Gateway API's own schema is to a test of what is applied and removed: there is no such kind without it.
STAND_IN_SCHEMA = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "httproutes.gateway.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in for tests"},
    },
    "spec": {
        "group": "gateway.networking.k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "HTTPRoute", "listKind": "HTTPRouteList", "plural": "httproutes", "singular": "httproute"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def front() -> Iterator[Deployment]:
    """front_proxy, two of service1, each published port on a port of the node."""
    home = ClusterHome("kubernetes")
    deployment = Deployment(home, DEMO)
    present(deployment, plan(deployment, service_type="NodePort"))
    yield deployment
    home.close()


def plan(deployment: Deployment, **settings: Any) -> Any:
    return deployment.plan(replicas={"service1": 2}, kubernetes=settings)


def present(deployment: Deployment, wanted: Any) -> dict[str, Any]:
    answer = deployment.run(wanted)
    assert not answer["failed"], answer["msg"]
    return answer


def soon(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not after {seconds} s: {what}"
        time.sleep(0.2)
    return found


def named(home: ClusterHome, kind: str, end: str) -> dict[str, Any]:
    [found] = [one for one in home.objects(kind) if one["metadata"]["name"].endswith(end)]
    return found


def test_a_node_port_is_reached_from_outside(front: Deployment) -> None:
    assert isinstance(front.home, ClusterHome)
    address, port = node_port(front.home, "-edge")
    with urllib.request.urlopen(f"http://{address}:{port}/service/2", timeout=10) as answer:
        assert (answer.status, answer.headers["server"]) == (200, "envoy")
    assert front.run(plan(front, service_type="NodePort"))["changed"] is False


def node_port(home: ClusterHome, end: str) -> tuple[str, int]:
    """Return where a Service's port `http` is reached from outside."""
    [node, *_others] = connect({}).list("Node")
    address = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
    service = named(home, "Service", end)
    return address, next(one["nodePort"] for one in service["spec"]["ports"] if one["name"] == "http")


def test_who_may_connect(front: Deployment) -> None:
    """Neighbours reach what is published, Prometheus the numbers as well, and only the edge the sidecars."""
    home = front.home
    assert isinstance(home, ClusterHome)
    elsewhere = ClusterHome("kubernetes")
    try:
        stranger(home, "stranger", {})
        stranger(elsewhere, "stranger", {})
        stranger(elsewhere, "prometheus", PROMETHEUS)
        for space, name in ((home, "stranger"), (elsewhere, "stranger"), (elsewhere, "prometheus")):
            waited = kubectl(space, "wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")
            assert waited.returncode == 0, waited.stderr
        addresses = {
            group: home.pods(DEMO, group)[0]["status"]["podIP"] for group in ("edge", "service1", "service2")
        }
        published = [(addresses["edge"], 8080 + home.shift), (addresses["service1"], 8080)]
        numbers = [(one, READ_ONLY) for one in addresses.values()]
        private = [
            (addresses["service1"], INGRESS),
            (addresses["service2"], INGRESS),
            (addresses["service2"], 8080),
        ]
        every = [*published, *numbers, *private]
        most = [True] * 2 + [True] * 3 + [False] * 3
        soon(lambda: reached(elsewhere, "prometheus", every) == most, "Prometheus reads numbers")
        for space in (home, elsewhere):
            assert reached(space, "stranger", every) == [True] * 2 + [False] * 6
        # The edge is let in: who asks it is answered by a sidecar.
        [edge] = home.pods(DEMO, "edge")
        with asked_meanwhile(home, DEMO, "edge", 8080 + home.shift, "/service/2") as counts:
            pass
        assert set(counts) == {"200"}, (edge["metadata"]["name"], counts)
        kubectl(home, "delete", "pod", "stranger", "--now", "--wait=false")
    finally:
        elsewhere.close()


def stranger(home: ClusterHome, name: str, labels: dict[str, str]) -> None:
    """Start a pod that does nothing but ask."""
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sleep", "600"],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    user = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": user, "terminationGracePeriodSeconds": 0}
    home.cluster.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
    )


def reached(home: ClusterHome, pod: str, addresses: list[tuple[str, int]]) -> list[bool]:
    ran = kubectl(home, "exec", pod, "--", "python3", "-c", REACHES, json.dumps(addresses))
    assert ran.returncode == 0, ran.stderr
    answer: list[bool] = json.loads(ran.stdout)
    return answer


def test_pods_are_allowed_next_to_nothing(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)
    look = "id -u; grep ' / ' /proc/mounts; ls /var/run/secrets/kubernetes.io 2>&1; grep CapEff /proc/self/status"
    for group in ("edge", "service1", "service2"):
        pod = home.pods(DEMO, group)[0]
        assert not [one for one in pod["spec"]["volumes"] if "serviceAccountToken" in json.dumps(one)]
        for one in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]:
            ran = kubectl(
                home, "exec", pod["metadata"]["name"], "--container", one["name"], "--", "sh", "-c", look
            )
            uid, root, token, rights = ran.stdout.splitlines()
            assert uid == "65532"
            assert root.split()[3].startswith("ro,"), root
            assert "No such file" in token
            assert int(rights.split()[1], 16) == 0


def test_keys_are_in_secrets_only(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)
    key = (home.state(DEMO) / "edge/certs/tls.key").read_text()
    assert "PRIVATE KEY" in key
    shown = "".join(
        json.dumps(home.objects(kind)) for kind in ("ConfigMap", "Deployment", "Service", "Pod", "ReplicaSet")
    )
    manifests = (home.state(DEMO) / "manifests.yaml").read_text()
    for text in (shown, manifests):
        assert "front-proxy" in text
        assert "PRIVATE KEY" not in text
        assert key.splitlines()[3] not in text
    assert [one["metadata"]["name"] for one in home.objects("Secret")] == [
        f"{home.prefix}-front-proxy-edge-certs"
    ]


def test_an_eviction_loses_no_request_and_a_second_one_has_to_wait(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)

    def allowed() -> int:
        return int(named(home, "PodDisruptionBudget", "-service1")["status"].get("disruptionsAllowed", 0))

    soon(lambda: allowed() == 1, "the budget allows one")
    first, second = (one["metadata"]["name"] for one in home.pods(DEMO, "service1"))
    with asked_meanwhile(home, DEMO, "edge", 8080 + home.shift, "/service/1") as counts:
        assert evicted(home, first) == ""
        refused = evicted(home, second)
        assert "violate the pod's disruption budget" in refused
        soon(lambda: home.cluster.get("Pod", first) is None, "the pod is gone")
        soon(lambda: allowed() == 1, "another serves in its place")
    assert counts.pop("200") > 30
    assert not counts
    assert {second} < {one["metadata"]["name"] for one in home.pods(DEMO, "service1")}


def evicted(home: ClusterHome, pod: str) -> str:
    """Evict a pod as `kubectl drain` does; return what is said against it."""
    path = f"/api/v1/namespaces/{home.namespace}/pods/{pod}/eviction"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod},
        # Which this cluster's name resolution needs less of than others' do.
        "deleteOptions": {"gracePeriodSeconds": 12},
    }
    ran = kubectl(home, "create", "--raw", path, "-f", "-", given=json.dumps(eviction))
    return ran.stderr if ran.returncode else ""


def test_a_load_balancer_is_not_waited_for(front: Deployment) -> None:
    """Who gives addresses to Services is not there, and the demo's own traffic does not need it."""
    balanced = plan(front, service_type="LoadBalancer")
    done = present(front, balanced)
    names = {f"Service/{front.home.prefix}-front-proxy-{group}" for group in ("edge", "service1")}
    assert {one for one in done["objects"] if one.startswith("Service/")} == names
    assert (done["started"], done["restarted"]) == ([], [])
    edge = named(front.home, "Service", "-edge")
    assert (edge["spec"]["type"], edge["status"]["loadBalancer"]) == ("LoadBalancer", {})
    assert not present(front, balanced)["changed"]
    # What the type before had is gone with it.
    present(front, plan(front))
    edge = named(front.home, "Service", "-edge")
    assert edge["spec"]["type"] == "ClusterIP"
    assert [one for one in edge["spec"]["ports"] if "nodePort" in one] == []
    assert not present(front, plan(front))["changed"]


def test_http_routes_come_and_go_with_the_setting(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)
    routed = plan(front, gateway="infra/public", domain="apps.example.com")
    served = serves(home, "HTTPRoute")
    if not served:
        refused = front.run(routed)
        assert refused["msg"].endswith(
            "This cluster has no HTTPRoute: install what brings it, or do without. Nothing was changed."
        )
        home.cluster.apply(STAND_IN_SCHEMA)
    try:
        soon(lambda: serves(home, "HTTPRoute"), "HTTPRoute is served")
        soon(lambda: front.run(routed, _ansible_check_mode=True)["failed"] is False, "HTTPRoutes are taken")
        name = f"{home.prefix}-front-proxy-edge"
        assert f"HTTPRoute/{name}-http" in present(front, routed)["objects"]
        found = {one["metadata"]["name"]: one["spec"] for one in home.objects("HTTPRoute")}
        assert found[f"{name}-http"] == {
            "parentRefs": [{"name": "public", "namespace": "infra"}],
            "hostnames": [f"{name}-http.apps.example.com"],
            "rules": [{"backendRefs": [{"name": name, "port": 8080 + home.shift}]}],
        }
        assert not present(front, routed)["changed"]
        gone = present(front, plan(front))
        assert {one for one in gone["objects"] if "HTTPRoute" in one} == {f"HTTPRoute/{one}" for one in found}
        assert home.objects("HTTPRoute") == []
    finally:
        if not served:
            home.cluster.delete("CustomResourceDefinition", STAND_IN_SCHEMA["metadata"]["name"])  # type: ignore[index]


def serves(home: ClusterHome, kind: str) -> bool:
    try:
        home.cluster.list(kind)
    except ClusterError as error:
        if error.reason != "not_found":
            raise
        return False
    return True


def test_clients_that_stay_connected_lose_no_request_when_the_edge_is_replaced(front: Deployment) -> None:
    """From outside, on one connection each for as long as they are let: a Service leads them elsewhere only when they come back."""
    home = front.home
    assert isinstance(home, ClusterHome)
    present(front, rolled(plan(front, service_type="NodePort"), "info"))
    [before] = home.pods(DEMO, "edge")
    with staying_connected(node_port(home, "-edge")) as told:
        done = present(front, rolled(plan(front, service_type="NodePort"), "warning"))
        assert done["restarted"] == ["edge"]
        name = before["metadata"]["name"]
        soon(lambda: home.cluster.get("Pod", name) is None, "the pod of before is gone")
    assert told.pop("200") > 100
    assert told.pop("connections") >= 2 * CLIENTS
    assert not told


def rolled(wanted: Any, level: str) -> Any:
    """Return a plan whose edge is replaced where the level is another, and whose pods go sooner than they do by themselves."""
    container = container_of(wanted, "edge", "envoy")
    place = container["args"].index("--log-level") + 1
    container["args"][place] = level
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    command[-1] = re.sub(r"sleep \d+$", "sleep 4", command[-1])
    return wanted


@contextmanager
def staying_connected(address: tuple[str, int]) -> Iterator[Counter[str]]:
    """Ask on kept connections all the time; count answers by status, connections, and whatever goes wrong by its words."""
    told: Counter[str] = Counter()
    stopped = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(*address, timeout=10)
        connection.auto_open = 0
        while not stopped.wait(0.02):
            try:
                if connection.sock is None:
                    connection.connect()
                    told["connections"] += 1
                connection.request("GET", "/service/2")
                answer = connection.getresponse()
                answer.read()
                told[str(answer.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                told[repr(error)] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=ask) for _client in range(CLIENTS)]
    for one in threads:
        one.start()
    try:
        yield told
    finally:
        stopped.set()
        for one in threads:
            one.join(30)


@pytest.mark.lab
@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_routes_end_tls_as_they_are_told_and_go_with_the_setting(platform: str) -> None:
    """On OpenShift unless switched off, elsewhere where switched on. A Route needs no pods to be looked at, so there are none."""
    home = ClusterHome(platform)
    front = Deployment(home, DEMO)
    try:
        present(front, podless(front, routes=True, termination="reencrypt", domain="apps.example.com"))
        name = f"{home.prefix}-front-proxy-edge"
        specs = {one["metadata"]["name"]: one["spec"] for one in home.objects("Route")}
        assert {one: spec["host"] for one, spec in specs.items()} == {
            one: f"{one}.apps.example.com"
            for one in (f"{name}-http", f"{name}-https", f"{home.prefix}-front-proxy-service1-app")
        }
        assert specs[f"{name}-http"]["tls"] == {
            "termination": "edge",
            "insecureEdgeTerminationPolicy": "Redirect",
        }
        authority = (home.state(DEMO) / "edge/certs/ca.crt").read_text()
        assert specs[f"{name}-https"]["tls"] == {
            "termination": "reencrypt",
            "insecureEdgeTerminationPolicy": "Redirect",
            "destinationCACertificate": authority,
        }
        passed = present(front, podless(front, routes=True, domain="apps.example.com"))
        assert passed["objects"] == [f"Route/{name}-https"]
        [tls] = [
            one["spec"]["tls"] for one in home.objects("Route") if one["metadata"]["name"] == f"{name}-https"
        ]
        assert tls == {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}
        off = present(front, podless(front, routes=False))
        assert {*off["objects"]} == {f"Route/{one}" for one in specs}
        assert home.objects("Route") == []
        present(front, podless(front, routes=True))
        assert not front.run(front.plan(), state="absent")["failed"]
        assert home.remaining(DEMO) == []
    finally:
        home.close()


def podless(deployment: Deployment, **settings: Any) -> Any:
    """Return a plan without what takes time."""
    whole = deployment.plan(kubernetes=settings)
    objects = [one for one in whole["manifests"] if one["kind"] != "Deployment"]
    return {**whole, "manifests": objects, "admins": [], "workloads": []}
