# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of a cluster, against a fake API server: what it requests and returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    with fake_api_server() as server:
        yield server


@pytest.fixture
def cluster(api_server: FakeApiServer) -> Iterator[Cluster]:
    with connect(api_server.options()) as cluster:
        yield cluster


def status(message: str) -> dict[str, Any]:
    return {"kind": "Status", "message": message}


def test_list_has_selectors_and_completes_objects(api_server: FakeApiServer, cluster: Cluster) -> None:
    metadata = {"name": "a", "managedFields": [{}]}
    api_server.respond("GET /apis/apps/v1/namespaces/demo/deployments", {"items": [{"metadata": metadata}]})
    found = cluster.list("Deployment", "app in (a,b)", fields="metadata.name=a")
    assert found == [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}]
    _request, query, _body, headers = api_server.requests[0]
    assert query == {"labelSelector": ["app in (a,b)"], "fieldSelector": ["metadata.name=a"]}
    assert headers["authorization"] == "Bearer secret-token"


def test_list_distinguishes_two_groups_of_one_kind(api_server: FakeApiServer, cluster: Cluster) -> None:
    path = "/apis/networking.istio.io/v1/namespaces/demo/gateways"
    api_server.respond(f"GET {path}", {"items": [{"metadata": {}}]})
    [gateway] = cluster.list("Gateway.networking.istio.io")
    assert (gateway["apiVersion"], gateway["kind"]) == ("networking.istio.io/v1", "Gateway")


def test_list_of_an_unsupported_kind_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(ClusterError) as error:
        cluster.list("Gateway")
    assert error.value.reason == "not_found"


def test_get_of_a_missing_object_is_none(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /api/v1/namespaces/other/pods/a", {"metadata": {"name": "a"}})
    assert cluster.get("Pod", "a", namespace="other") == {"metadata": {"name": "a"}}
    assert cluster.get("Pod", "b") is None


def test_get_of_an_object_without_namespace(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /api/v1/namespaces/demo", {"kind": "Namespace"})
    assert cluster.get("Namespace", "demo") == {"kind": "Namespace"}


def test_apply_is_server_side_and_returns_warnings(api_server: FakeApiServer, cluster: Cluster) -> None:
    warning = '299 - "would violate PodSecurity \\"restricted:latest\\", twice", 299 - "and more"'
    path = "/api/v1/namespaces/demo/services/web"
    api_server.respond(f"PATCH {path}", {"metadata": {"name": "web"}}, warning=warning)
    result = cluster.apply(SERVICE, dry_run=True)
    assert result.object == {"metadata": {"name": "web"}}
    assert result.warnings == ('would violate PodSecurity "restricted:latest", twice', "and more")
    _request, query, body, headers = api_server.requests[0]
    assert query == {"fieldManager": ["meshlab.envoy"], "force": ["true"], "dryRun": ["All"]}
    assert headers["content-type"] == "application/apply-patch+yaml"
    assert json.loads(body) == SERVICE
    cluster.apply(SERVICE)
    assert "dryRun" not in api_server.requests[1][1]


def test_apply_uses_the_namespace_of_the_object(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("PATCH /api/v1/namespaces/shop/services/web", {})
    cluster.apply({**SERVICE, "metadata": {"name": "web", "namespace": "shop"}})


def test_take_over_retries_a_conflict_5_times(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}/a", {"metadata": {"name": "a", "resourceVersion": "7"}})
    api_server.respond(f"PATCH {PODS}/a", status("the object has been modified"), 409)
    with pytest.raises(ClusterError) as error:
        cluster.take_over("Pod", "a")
    assert error.value.reason == "conflict"
    patches = [
        json.loads(body) for request, _query, body, _headers in api_server.requests if "PATCH" in request
    ]
    assert patches == [{"metadata": {"resourceVersion": "7", "managedFields": []}}] * 5


def test_patch_is_a_merge_patch(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"PATCH {PODS}/a", {"metadata": {"name": "a"}})
    cluster.patch("Pod", "a", {"metadata": {"annotations": {"x": None}}})
    _request, query, body, headers = api_server.requests[0]
    assert headers["content-type"] == "application/merge-patch+json"
    assert json.loads(body) == {"metadata": {"annotations": {"x": None}}}
    assert "dryRun" not in query
    cluster.patch("Pod", "a", {}, dry_run=True)
    assert api_server.requests[1][1]["dryRun"] == ["All"]


def test_delete_returns_whether_the_object_existed(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"DELETE {PODS}/a", status(""))
    assert cluster.delete("Pod", "a", grace=0) is True
    assert cluster.delete("Pod", "b") is False
    options = json.loads(api_server.requests[0][2])
    assert (options["propagationPolicy"], options["gracePeriodSeconds"]) == ("Background", 0)
    assert "dryRun" not in options


def test_dry_run_of_a_delete_is_in_the_body(api_server: FakeApiServer, cluster: Cluster) -> None:
    """The API server ignores the query parameter of a request with a body."""
    api_server.respond(f"DELETE {PODS}/a", status(""))
    cluster.delete("Pod", "a", dry_run=True)
    assert json.loads(api_server.requests[0][2])["dryRun"] == ["All"]


def test_logs_returns_lines(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}/a/log", b"one\ntwo\n")
    assert cluster.logs("a", "envoy", previous=True, lines=2) == ["one", "two"]
    assert api_server.requests[0][1] == {"container": ["envoy"], "previous": ["true"], "tailLines": ["2"]}


def test_version_is_major_and_minor(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond("GET /version", {"major": "1", "minor": "34+"})
    assert cluster.version() == (1, 34)


def test_unknown_kind_is_invalid(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="unknown kind 'Widget'"):
        cluster.list("Widget")
    with pytest.raises(ClusterError, match="unknown kind 'v2 Pod'"):
        cluster.apply({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "x"}})
