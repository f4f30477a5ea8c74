# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the lab's cluster: it accepts correct objects and rejects wrong ones, as tests of rendered manifests require."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from kubernetes import client, config, stream
from kubernetes.client.exceptions import ApiException

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        os.environ.get("MESHLAB_LAB_KUBERNETES") != "lab", reason="the lab's Kubernetes does not run"
    ),
]

ENVOY = "envoyproxy/envoy:v1.40.0"
PYTHON = "python:3.11-slim-bookworm"
SLEEP = ["python3", "-c", "import signal; signal.sigwait({signal.SIGTERM})"]
GO_MOD = Path(__file__).parents[1] / "lab" / "kubernetes" / "go.mod"
RANGE = "1000650000/10000"
ADDRESSES = "import socket; print(sorted({one[4][0] for name in %r for one in socket.getaddrinfo(name, 80)}))"
GET = "import urllib.request; print(urllib.request.urlopen('http://%s', timeout=%d).status)"
T = TypeVar("T")


class TemporaryNamespace:
    """A namespace of the tests, with methods that create pods and run commands in it."""

    def __init__(self, core: client.CoreV1Api, labels: dict[str, str], annotations: dict[str, str]) -> None:
        self.core = core
        self.name = f"meshlab-lab-{secrets.token_hex(4)}"
        core.create_namespace({"metadata": {"name": self.name, "labels": labels, "annotations": annotations}})

    def pod(self, name: str, image: str, command: list[str] | None = None, **spec: Any) -> dict[str, Any]:
        """Create a pod with no security context except those in `spec` and `container`."""
        container = {"name": name, "image": image, **spec.pop("container", {})}
        if command:
            container["command"] = command
        metadata = {"name": name, "labels": {"app": name}}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
        return self.core.create_namespaced_pod(self.name, {"metadata": metadata, "spec": spec})

    def hardened(self, name: str, image: str, command: list[str] | None = None, **container: Any) -> None:
        """Create a pod with the security context that Pod Security `restricted` requires."""
        security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        user = {"runAsUser": 101, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        self.pod(
            name, image, command, container={"securityContext": security, **container}, securityContext=user
        )

    def ready(self, *names: str) -> None:
        def unready() -> list[str]:
            pods = self.core.list_namespaced_pod(self.name).items
            ready = {
                pod.metadata.name
                for pod in pods
                for one in pod.status.conditions or ()
                if (one.type, one.status) == ("Ready", "True")
            }
            return [name for name in names if name not in ready]

        wait_for(lambda: not unready(), lambda: f"not ready: {unready()}")

    def run(self, pod: str, *command: str) -> str:
        session = stream.stream(
            self.core.connect_get_namespaced_pod_exec,
            pod,
            self.name,
            command=list(command),
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        try:
            session.run_forever(timeout=30)
            return session.read_all().strip()
        finally:
            # `close` does not close a connection that the server has closed.
            session.sock.shutdown()


def wait_for(read: Callable[[], T], failure: Callable[[], str], seconds: float = 120) -> T:
    deadline = time.monotonic() + seconds
    while not (value := read()):
        assert time.monotonic() < deadline, failure()
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def api() -> Iterator[client.ApiClient]:
    with config.new_client_from_config() as api:
        yield api
        api.rest_client.pool_manager.clear()


@pytest.fixture(scope="module")
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture(scope="module")
def namespace(core: client.CoreV1Api) -> Iterator[TemporaryNamespace]:
    """Create a namespace that enforces Pod Security, with an Envoy, its service, and two client pods."""
    namespace = TemporaryNamespace(core, {"pod-security.kubernetes.io/enforce": "restricted"}, {})
    try:
        probe = {"httpGet": {"port": 9901, "path": "/ready"}, "periodSeconds": 1}
        namespace.hardened(
            "envoy", ENVOY, ports=[{"containerPort": 10000, "name": "http"}], readinessProbe=probe
        )
        namespace.hardened("allowed", PYTHON, SLEEP)
        namespace.hardened("other", PYTHON, SLEEP)
        ports = [{"port": 80, "targetPort": "http"}]
        core.create_namespaced_service(
            namespace.name,
            {
                "metadata": {"name": "web"},
                "spec": {"type": "NodePort", "selector": {"app": "envoy"}, "ports": ports},
            },
        )
        namespace.ready("envoy", "allowed", "other")
        yield namespace
    finally:
        core.delete_namespace(namespace.name)


@pytest.fixture(scope="module")
def openshift(core: client.CoreV1Api) -> Iterator[TemporaryNamespace]:
    """Create a namespace with OpenShift's rules."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "meshlab.envoy/openshift": "true"}
    namespace = TemporaryNamespace(core, labels, {"openshift.io/sa.scc.uid-range": RANGE})
    yield namespace
    core.delete_namespace(namespace.name)


def test_node_is_ready_and_runs_the_pinned_version(core: client.CoreV1Api) -> None:
    [node] = core.list_node().items
    assert {one.type: one.status for one in node.status.conditions}["Ready"] == "True"
    [version] = re.findall(r"^\tk8s\.io/kubernetes (\S+)$", GO_MOD.read_text(encoding="utf-8"), re.MULTILINE)
    assert (
        node.status.node_info.kubelet_version,
        client.VersionApi(core.api_client).get_code().git_version,
    ) == (
        version,
        version,
    )


def test_anonymous_request_is_rejected(api: client.ApiClient) -> None:
    context = ssl.create_default_context(cafile=api.configuration.ssl_ca_cert)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(f"{api.configuration.host}/version", timeout=10)
    refused.value.close()
    assert refused.value.code == 401


def test_logs_exec_and_port_forward_reach_a_pod(namespace: TemporaryNamespace) -> None:
    log = namespace.core.read_namespaced_pod_log("envoy", namespace.name)
    assert "starting main dispatch loop" in log
    assert namespace.run("envoy", "id", "-u") == "101"
    forward = stream.portforward(
        namespace.core.connect_get_namespaced_pod_portforward, "envoy", namespace.name, ports="9901"
    )
    with closing(forward), closing(http.client.HTTPConnection("envoy")) as connection:
        connection.sock = forward.socket(9901)
        connection.request("GET", "/ready")
        assert connection.getresponse().read() == b"LIVE\n"
    wait_for(lambda: not forward.connected, lambda: "the connection does not end")
    forward.websocket.shutdown()


def test_service_is_reachable_by_name_and_node_port(
    namespace: TemporaryNamespace, core: client.CoreV1Api
) -> None:
    service = core.read_namespaced_service("web", namespace.name).spec
    names = ["web", f"web.{namespace.name}", f"web.{namespace.name}.svc.cluster.local"]
    assert namespace.run("allowed", "python3", "-c", ADDRESSES % names) == str([service.cluster_ip])
    assert namespace.run("allowed", "python3", "-c", GET % ("web", 10)) == "200"
    [node] = core.list_node().items
    [address] = [one.address for one in node.status.addresses if one.type == "InternalIP"]
    for target in (f"{address}:{service.ports[0].node_port}", service.cluster_ip):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{target}", timeout=10) as response:
            assert response.status == 200


def test_network_policy_admits_only_selected_pods(namespace: TemporaryNamespace) -> None:
    policies = client.NetworkingV1Api(namespace.core.api_client)
    peers = [{"podSelector": {"matchLabels": {"app": "allowed"}}}]
    policies.create_namespaced_network_policy(
        namespace.name,
        {
            "metadata": {"name": "allowed-only"},
            "spec": {
                "podSelector": {"matchLabels": {"app": "envoy"}},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": peers, "ports": [{"port": "http"}]}],
            },
        },
    )

    def result_of_get(pod: str, seconds: int = 10) -> str:
        return namespace.run(pod, "python3", "-c", GET % ("web", seconds)).splitlines()[-1]

    timed_out = "<urlopen error timed out>"
    wait_for(lambda: timed_out in result_of_get("other", 1), lambda: "the other pod still reaches Envoy")
    assert result_of_get("allowed") == "200"
    # The policy does not list the port of the admin interface.
    address = namespace.core.read_namespaced_pod("envoy", namespace.name).status.pod_ip
    assert timed_out in namespace.run("allowed", "python3", "-c", GET % (f"{address}:9901", 1))
    policies.delete_namespaced_network_policy("allowed-only", namespace.name)
    wait_for(lambda: result_of_get("other", 1) == "200", lambda: "the other pod still does not reach Envoy")


def test_pod_security_rejects_a_pod_without_security_context(namespace: TemporaryNamespace) -> None:
    with pytest.raises(ApiException, match="violates PodSecurity") as refused:
        namespace.pod("bare", PYTHON, SLEEP)
    assert refused.value.status == 403


def test_openshift_sets_user_of_namespace_and_group_0(openshift: TemporaryNamespace) -> None:
    openshift.pod("bare", PYTHON, SLEEP, initContainers=[{"name": "first", "image": PYTHON}])
    openshift.ready("bare")
    assert openshift.run("bare", "id") == "uid=1000650000 gid=0(root) groups=0(root),1000650000"


def test_openshift_derives_different_users_for_namespaces(core: client.CoreV1Api) -> None:
    def user(_number: int) -> int:
        namespace = TemporaryNamespace(core, {"meshlab.envoy/openshift": "true"}, {})
        try:
            # Pods need the default service account, which the controller manager creates.
            create = {
                "metadata": {"name": "bare"},
                "spec": {"containers": [{"name": "bare", "image": PYTHON}]},
            }
            created = wait_for(
                lambda: _created(core, namespace.name, create), lambda: "the API server creates no pod"
            )
            return created.spec.security_context.run_as_user
        finally:
            core.delete_namespace(namespace.name)

    with ThreadPoolExecutor() as pool:
        first, second = pool.map(user, range(2))
    assert first != second
    assert min(first, second) >= 1_000_000_000
    assert (first % 10_000, second % 10_000) == (0, 0)


def _created(core: client.CoreV1Api, namespace: str, pod: dict[str, Any]) -> Any:
    try:
        return core.create_namespaced_pod(namespace, pod, dry_run="All")
    except ApiException as error:
        if "serviceaccount" in (error.body or ""):
            return None
        raise


@pytest.mark.parametrize("field", ["pod", "container", "group"])
def test_openshift_rejects_a_user_of_another_namespace(openshift: TemporaryNamespace, field: str) -> None:
    spec = {
        "pod": {"securityContext": {"runAsUser": 101}},
        "container": {"container": {"securityContext": {"runAsUser": 101}}},
        "group": {"securityContext": {"fsGroup": 101}},
    }[field]
    with pytest.raises(ApiException, match=r"must be in the ranges: \[1000650000, 1000659999\]"):
        openshift.pod("fixed", PYTHON, SLEEP, **spec)


def test_route_is_created_and_a_wrong_one_is_rejected(openshift: TemporaryNamespace) -> None:
    routes = client.CustomObjectsApi(openshift.core.api_client)
    resource = ("route.openshift.io", "v1", openshift.name, "routes")

    def route(name: str, **tls: str) -> dict[str, Any]:
        spec = {"to": {"kind": "Service", "name": "web"}, "port": {"targetPort": "http"}, "tls": tls}
        return {
            "apiVersion": "route.openshift.io/v1",
            "kind": "Route",
            "metadata": {"name": name},
            "spec": spec,
        }

    created = routes.create_namespaced_custom_object(
        *resource, route("web", termination="edge", insecureEdgeTerminationPolicy="Redirect")
    )
    assert (created["spec"]["to"]["weight"], created["spec"]["wildcardPolicy"]) == (100, "None")
    for wrong, message in (
        ({"termination": "none"}, "Unsupported value"),
        ({"termination": "passthrough", "certificate": "-"}, "no certificate of its own"),
    ):
        with pytest.raises(ApiException, match=message):
            routes.create_namespaced_custom_object(*resource, route("wrong", **wrong))
