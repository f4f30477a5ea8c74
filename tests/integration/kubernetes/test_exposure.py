# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access to the pods of a demo, the privileges of pods, and evictions."""

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
from plan_changes import container_of
from pod_requests import requests_during

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

DEMO = "front_proxy"
INGRESS, READ_ONLY = 10000, 9902
IMAGE = "python:3.11-slim-bookworm"
CLIENTS = 4
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
# Runs in a pod: prints which of the given addresses accept a connection.
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


@pytest.fixture(scope="module")
def front() -> Iterator[Deployment]:
    """Deploy front_proxy with two replicas of service1, and each published port on a port of the node."""
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


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)
    return found


def named(home: ClusterHome, kind: str, end: str) -> dict[str, Any]:
    [found] = [one for one in home.objects(kind) if one["metadata"]["name"].endswith(end)]
    return found


def test_node_port_is_reachable_from_outside(front: Deployment) -> None:
    assert isinstance(front.home, ClusterHome)
    address, port = node_port(front.home, "-edge")
    with urllib.request.urlopen(f"http://{address}:{port}/service/2", timeout=10) as answer:
        assert (answer.status, answer.headers["server"]) == (200, "envoy")
    assert front.run(plan(front, service_type="NodePort"))["changed"] is False


def node_port(home: ClusterHome, end: str) -> tuple[str, int]:
    """Return the address of a Service's port `http` outside of the cluster."""
    [node, *_others] = connect({}).list("Node")
    address = next(one["address"] for one in node["status"]["addresses"] if one["type"] == "InternalIP")
    service = named(home, "Service", end)
    return address, next(one["nodePort"] for one in service["spec"]["ports"] if one["name"] == "http")


def test_network_policies_admit_only_their_callers(front: Deployment) -> None:
    """All pods reach published ports, Prometheus also the metrics, and only the edge the sidecars."""
    home = front.home
    assert isinstance(home, ClusterHome)
    other_home = ClusterHome("kubernetes")
    try:
        start_client(home, "client", {})
        start_client(other_home, "client", {})
        start_client(other_home, "prometheus", PROMETHEUS)
        for client_home, name in ((home, "client"), (other_home, "client"), (other_home, "prometheus")):
            waited = kubectl(client_home, "wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}")
            assert waited.returncode == 0, waited.stderr
        addresses = {
            group: home.pods(DEMO, group)[0]["status"]["podIP"] for group in ("edge", "service1", "service2")
        }
        published = [(addresses["edge"], 8080 + home.shift), (addresses["service1"], 8080)]
        metrics = [(one, READ_ONLY) for one in addresses.values()]
        private = [
            (addresses["service1"], INGRESS),
            (addresses["service2"], INGRESS),
            (addresses["service2"], 8080),
        ]
        addresses_of_all = [*published, *metrics, *private]
        for_prometheus = [True] * 2 + [True] * 3 + [False] * 3
        wait_for(
            lambda: reached(other_home, "prometheus", addresses_of_all) == for_prometheus,
            "Prometheus reaches the metrics",
        )
        for client_home in (home, other_home):
            assert reached(client_home, "client", addresses_of_all) == [True] * 2 + [False] * 6
        # The sidecars admit the edge.
        [edge] = home.pods(DEMO, "edge")
        with requests_during(home, DEMO, "edge", 8080 + home.shift, "/service/2") as counts:
            pass
        assert set(counts) == {"200"}, (edge["metadata"]["name"], counts)
        kubectl(home, "delete", "pod", "client", "--now", "--wait=false")
    finally:
        other_home.close()


def start_client(home: ClusterHome, name: str, labels: dict[str, str]) -> None:
    """Start a pod that can send requests."""
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


def test_pods_have_no_privileges(front: Deployment) -> None:
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


def test_private_keys_are_only_in_secrets(front: Deployment) -> None:
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


def test_eviction_loses_no_request_and_blocks_a_second_one(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)

    def allowed() -> int:
        return int(named(home, "PodDisruptionBudget", "-service1")["status"].get("disruptionsAllowed", 0))

    wait_for(lambda: allowed() == 1, "the PodDisruptionBudget allows a disruption")
    first, second = (one["metadata"]["name"] for one in home.pods(DEMO, "service1"))
    with requests_during(home, DEMO, "edge", 8080 + home.shift, "/service/1") as counts:
        assert evicted(home, first) == ""
        refused = evicted(home, second)
        assert "violate the pod's disruption budget" in refused
        wait_for(lambda: home.cluster.get("Pod", first) is None, "the deletion of the pod")
        wait_for(lambda: allowed() == 1, "the replacement of the pod")
    assert counts.pop("200") > 30
    assert not counts
    assert {second} < {one["metadata"]["name"] for one in home.pods(DEMO, "service1")}


def evicted(home: ClusterHome, pod: str) -> str:
    """Evict a pod as `kubectl drain` does; return the error text."""
    path = f"/api/v1/namespaces/{home.namespace}/pods/{pod}/eviction"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod},
        # The name resolution of the lab's cluster needs less time than in other clusters.
        "deleteOptions": {"gracePeriodSeconds": 12},
    }
    ran = kubectl(home, "create", "--raw", path, "-f", "-", given=json.dumps(eviction))
    return ran.stderr if ran.returncode else ""


def test_deployment_does_not_wait_for_a_load_balancer(front: Deployment) -> None:
    """The lab's cluster assigns no address to the Service, and the traffic of the demo does not need one."""
    balanced = plan(front, service_type="LoadBalancer")
    done = present(front, balanced)
    names = {f"Service/{front.home.prefix}-front-proxy-{group}" for group in ("edge", "service1")}
    assert {one for one in done["objects"] if one.startswith("Service/")} == names
    assert (done["started"], done["restarted"]) == ([], [])
    edge = named(front.home, "Service", "-edge")
    assert (edge["spec"]["type"], edge["status"]["loadBalancer"]) == ("LoadBalancer", {})
    assert not present(front, balanced)["changed"]
    # The fields of the previous type are removed.
    present(front, plan(front))
    edge = named(front.home, "Service", "-edge")
    assert edge["spec"]["type"] == "ClusterIP"
    assert [one for one in edge["spec"]["ports"] if "nodePort" in one] == []
    assert not present(front, plan(front))["changed"]


def test_http_routes_follow_the_setting(front: Deployment) -> None:
    home = front.home
    assert isinstance(home, ClusterHome)
    routed = plan(front, gateway="infra/public", domain="apps.example.com")
    if not serves(home, "HTTPRoute"):  # a cluster of the user; the lab has the schemas of the Gateway API
        refused = front.run(routed)
        assert refused["msg"].endswith(
            "This cluster does not support HTTPRoute. Install its API, or do not use it. Nothing was changed."
        )
        return
    assert front.run(routed, _ansible_check_mode=True)["failed"] is False
    name = f"{home.prefix}-front-proxy-edge"
    assert f"HTTPRoute/{name}-http" in present(front, routed)["objects"]
    found = {one["metadata"]["name"]: one["spec"] for one in home.objects("HTTPRoute")}
    route = found[f"{name}-http"]
    assert route["hostnames"] == [f"{name}-http.apps.example.com"]
    # The schema adds defaults, which are no change of a second run.
    (parent,), (rule,) = route["parentRefs"], route["rules"]
    assert (parent["kind"], parent["namespace"], parent["name"]) == ("Gateway", "infra", "public")
    (backend,) = rule["backendRefs"]
    assert (backend["kind"], backend["name"], backend["port"]) == ("Service", name, 8080 + home.shift)
    assert not present(front, routed)["changed"]
    gone = present(front, plan(front))
    assert {one for one in gone["objects"] if "HTTPRoute" in one} == {f"HTTPRoute/{one}" for one in found}
    assert home.objects("HTTPRoute") == []


def serves(home: ClusterHome, kind: str) -> bool:
    try:
        home.cluster.list(kind)
    except ClusterError as error:
        if error.reason != "not_found":
            raise
        return False
    return True


def test_connected_clients_lose_no_request_in_a_rollout(front: Deployment) -> None:
    """Each client keeps its connection until the edge closes it; a Service routes only new connections to another pod."""
    home = front.home
    assert isinstance(home, ClusterHome)
    present(front, rolled(plan(front, service_type="NodePort"), "info"))
    [before] = home.pods(DEMO, "edge")
    with staying_connected(node_port(home, "-edge")) as counts:
        done = present(front, rolled(plan(front, service_type="NodePort"), "warning"))
        assert done["restarted"] == ["edge"]
        name = before["metadata"]["name"]
        wait_for(lambda: home.cluster.get("Pod", name) is None, "the deletion of the previous pod")
    assert counts.pop("200") > 100
    assert counts.pop("connections") >= 2 * CLIENTS
    assert not counts


def rolled(wanted: Any, level: str) -> Any:
    """Change the log level of the edge in a plan, which replaces its pod, and shorten the wait before the stop."""
    container = container_of(wanted, "edge", "envoy")
    place = container["args"].index("--log-level") + 1
    container["args"][place] = level
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    command[-1] = re.sub(r"sleep \d+$", "sleep 4", command[-1])
    return wanted


@contextmanager
def staying_connected(address: tuple[str, int]) -> Iterator[Counter[str]]:
    """Send requests on kept connections during the block; count responses by status, connections, and errors by their text."""
    counts: Counter[str] = Counter()
    stopped = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection(*address, timeout=10)
        connection.auto_open = 0
        while not stopped.wait(0.02):
            try:
                if connection.sock is None:
                    connection.connect()
                    counts["connections"] += 1
                connection.request("GET", "/service/2")
                response = connection.getresponse()
                response.read()
                counts[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                counts[repr(error)] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=send) for _client in range(CLIENTS)]
    for one in threads:
        one.start()
    try:
        yield counts
    finally:
        stopped.set()
        for one in threads:
            one.join(30)


@pytest.mark.lab
@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_routes_follow_their_settings(platform: str) -> None:
    """Routes are on by default on OpenShift only. They need no pods, and this test deploys none."""
    home = ClusterHome(platform)
    front = Deployment(home, DEMO)
    try:
        present(
            front, plan_without_pods(front, routes=True, termination="reencrypt", domain="apps.example.com")
        )
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
        passed = present(front, plan_without_pods(front, routes=True, domain="apps.example.com"))
        assert passed["objects"] == [f"Route/{name}-https"]
        [tls] = [
            one["spec"]["tls"] for one in home.objects("Route") if one["metadata"]["name"] == f"{name}-https"
        ]
        assert tls == {"termination": "passthrough", "insecureEdgeTerminationPolicy": "Redirect"}
        off = present(front, plan_without_pods(front, routes=False))
        assert {*off["objects"]} == {f"Route/{one}" for one in specs}
        assert home.objects("Route") == []
        present(front, plan_without_pods(front, routes=True))
        assert not front.run(front.plan(), state="absent")["failed"]
        assert home.remaining(DEMO) == []
    finally:
        home.close()


def plan_without_pods(deployment: Deployment, **settings: Any) -> Any:
    """Return a plan without Deployments, whose rollouts take time."""
    whole = deployment.plan(kubernetes=settings)
    objects = [one for one in whole["manifests"] if one["kind"] != "Deployment"]
    return {**whole, "manifests": objects, "admins": [], "workloads": []}
