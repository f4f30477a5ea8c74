# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the API server, and each thing that can go wrong in its own words. Against a stand-in for it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

PODS = "/api/v1/namespaces/demo/pods"
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as one:
        yield one


@pytest.fixture
def cluster(api_server: FakeApiServer) -> Iterator[Cluster]:
    with connect(api_server.options()) as one:
        yield one


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "message": message}


def test_list(api_server: FakeApiServer, cluster: Cluster) -> None:
    metadata = {"name": "a", "managedFields": [{}]}
    api_server.respond("GET /apis/apps/v1/namespaces/demo/deployments", {"items": [{"metadata": metadata}]})
    found = cluster.list("Deployment", "app in (a,b)", fields="metadata.name=a")
    assert found == [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}]
    assert api_server.requests[0][1] == {
        "labelSelector": ["app in (a,b)"],
        "fieldSelector": ["metadata.name=a"],
    }
    assert api_server.requests[0][3]["authorization"] == "Bearer secret-token"


def test_it_asks_as_who_is_impersonated(api_server: FakeApiServer) -> None:
    api_server.respond("GET /api/v1/namespaces/demo/pods", {"items": []})
    with connect(api_server.options(impersonate_user="her", impersonate_groups=["a", "b"])) as cluster:
        cluster.list("Pod")
    headers = api_server.requests[0][3]
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("her", "a, b")
    assert headers["authorization"] == "Bearer secret-token"


def test_get_is_none_where_there_is_none(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /api/v1/namespaces/other/pods/a", {"metadata": {"name": "a"}})
    assert cluster.get("Pod", "a", namespace="other") == {"metadata": {"name": "a"}}
    assert cluster.get("Pod", "b") is None


def test_apply_is_server_side_and_returns_warnings(api_server: FakeApiServer, cluster: Cluster) -> None:
    said = '299 - "would violate PodSecurity \\"restricted:latest\\", twice", 299 - "and more"'
    api_server.respond(
        "PATCH /api/v1/namespaces/demo/services/web", {"metadata": {"name": "web"}}, warning=said
    )
    answer = cluster.apply(SERVICE, dry_run=True)
    assert answer.object == {"metadata": {"name": "web"}}
    assert answer.warnings == ('would violate PodSecurity "restricted:latest", twice', "and more")
    _request, query, body, headers = api_server.requests[0]
    assert query == {"fieldManager": ["meshlab.envoy"], "force": ["true"], "dryRun": ["All"]}
    assert headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(body) == SERVICE
    cluster.apply(SERVICE)
    assert "dryRun" not in api_server.requests[1][1]


def test_an_objects_own_namespace_counts(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("PATCH /api/v1/namespaces/shop/services/web", {})
    cluster.apply({**SERVICE, "metadata": {"name": "web", "namespace": "shop"}})


def test_what_has_no_namespace(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /api/v1/namespaces/demo", {"kind": "Namespace"})
    assert cluster.get("Namespace", "demo") == {"kind": "Namespace"}


def test_patch(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"PATCH {PODS}/a", {"metadata": {"name": "a"}})
    cluster.patch("Pod", "a", {"metadata": {"annotations": {"x": None}}})
    assert api_server.requests[0][3]["content-type"] == "application/merge-patch+json"
    assert json.loads(api_server.requests[0][2]) == {"metadata": {"annotations": {"x": None}}}
    assert "dryRun" not in api_server.requests[0][1]
    cluster.patch("Pod", "a", {}, dry_run=True)
    assert api_server.requests[1][1]["dryRun"] == ["All"]


def test_delete(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"DELETE {PODS}/a", status(""))
    assert cluster.delete("Pod", "a", grace=0) is True
    assert cluster.delete("Pod", "b") is False
    assert "dryRun" not in json.loads(api_server.requests[0][2])
    cluster.delete("Pod", "a", dry_run=True)
    # Not in the query, which the API server does not look at beside a body.
    assert json.loads(api_server.requests[2][2])["dryRun"] == ["All"]
    options = json.loads(api_server.requests[0][2])
    assert (options["propagationPolicy"], options["gracePeriodSeconds"]) == ("Background", 0)


def test_logs(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}/a/log", b"one\ntwo\n")
    assert cluster.logs("a", "envoy", previous=True, lines=2) == ["one", "two"]
    assert api_server.requests[0][1] == {"container": ["envoy"], "previous": ["true"], "tailLines": ["2"]}


def test_version_and_kinds_that_may_not_be_there(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /version", {"major": "1", "minor": "34+"})
    assert cluster.version() == (1, 34)
    with pytest.raises(ClusterError) as error:
        cluster.list("Gateway")
    assert error.value.reason == "not_found"
    # Two groups have a kind of that name.
    api_server.respond(
        "GET /apis/networking.istio.io/v1/namespaces/demo/gateways", {"items": [{"metadata": {}}]}
    )
    [gateway] = cluster.list("Gateway.networking.istio.io")
    assert (gateway["apiVersion"], gateway["kind"]) == ("networking.istio.io/v1", "Gateway")


CANNOT = 'pods is forbidden: User "ci" cannot list resource "pods" in API group "" in the namespace "demo"'
NOBODY = CANNOT.replace('"ci"', '"system:anonymous"')
POLICY = 'pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


@pytest.mark.parametrize(
    ("code", "message", "reason", "words"),
    [
        (401, "Unauthorized", "unauthorized", "rejects these credentials. Log in again"),
        (
            403,
            CANNOT,
            "forbidden",
            "ci is forbidden to list pods in namespace demo. Bind it to a Role with verb",
        ),
        (403, NOBODY, "unauthorized", "the request has no credentials"),
        (403, POLICY, "invalid", "pods in namespace demo: violates PodSecurity"),
        (404, 'namespaces "demo" not found', "not_found", "there is no namespace demo. Create it"),
        (409, "object is being deleted", "conflict", "object is being deleted"),
        (422, "spec.x: Invalid value", "invalid", "pods in namespace demo: spec.x: Invalid value"),
        (500, "etcdserver: no leader", "server", "no leader"),
        (504, "", "timeout", "the API server returned status 504"),
    ],
)
def test_refusals_are_told_apart(
    api_server: FakeApiServer, cluster: Cluster, code: int, message: str, reason: str, words: str
) -> None:
    api_server.respond(f"GET {PODS}", status(message), code)
    with pytest.raises(ClusterError) as error:
        cluster.list("Pod")
    assert error.value.reason == reason
    assert words in error.value.message


def test_a_busy_server_is_asked_again(
    api_server: FakeApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        api_server.respond(f"GET {PODS}", {"items": []})

    monkeypatch.setattr("time.sleep", sleep)
    api_server.respond(f"GET {PODS}", status("too many requests"), 429, **{"retry-after": "2"})
    assert cluster.list("Pod") == []
    assert waited == [2.0]


def test_a_kept_connection_that_was_closed_is_opened_again(
    api_server: FakeApiServer, cluster: Cluster
) -> None:
    api_server.respond(f"GET {PODS}", {"items": []})
    cluster.list("Pod")
    api_server.close_before_response = 1
    assert cluster.list("Pod") == []


def test_what_is_no_api_server(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}", b"<html>")
    with pytest.raises(ClusterError, match="is not an API server"):
        cluster.list("Pod")


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with connect({"host": f"https://127.0.0.1:{port}", "api_key": "x"}) as cluster:
        for work in (lambda: cluster.list("Pod"), lambda: cluster.forward("a", 1)):
            with pytest.raises(ClusterError) as error:
                work()
            assert error.value.reason == "no_cluster"
            words = f"no API server answers at https://127.0.0.1:{port} (connection refused). Check that the cluster is up"
            assert words in error.value.message


def test_a_server_that_says_nothing_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"http://127.0.0.1:{server.getsockname()[1]}"
        with connect({"host": host, "api_key": "x"}) as cluster, pytest.raises(ClusterError) as error:
            cluster.forward("a", 1, timeout=0.2)
    assert error.value.reason == "timeout"


def test_where_tls_was_expected(api_server: FakeApiServer) -> None:
    with connect(api_server.options(host=api_server.url.replace("http", "https"))) as cluster:
        for work in (lambda: cluster.list("Pod"), lambda: cluster.forward("a", 1)):
            with pytest.raises(ClusterError, match="no TLS connection to the API server"):
                work()


def test_kinds_that_nobody_knows(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="unknown kind 'Widget'"):
        cluster.list("Widget")
    with pytest.raises(ClusterError, match="unknown kind 'v2 Pod'"):
        cluster.apply({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "x"}})


def test_many_threads_share_one(api_server: FakeApiServer, cluster: Cluster) -> None:
    for number in range(200):
        api_server.respond(f"GET {PODS}/p{number}", {"n": number})
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda number: cluster.get("Pod", f"p{number}"), range(200)))
    assert found == [{"n": number} for number in range(200)]
    assert len(os.listdir("/proc/self/fd")) - before <= 2 * 2 * 16, (
        "no more are kept than the pool's size, at both ends"
    )
