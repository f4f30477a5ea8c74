# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to an API server: headers, retries, and the errors of connections."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import (
    Cluster,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

PODS = "/api/v1/namespaces/demo/pods"


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as server:
        yield server


@pytest.fixture
def cluster(api_server: FakeApiServer) -> Iterator[Cluster]:
    with connect(api_server.options()) as cluster:
        yield cluster


def test_requests_have_the_impersonated_user(api_server: FakeApiServer) -> None:
    api_server.respond(f"GET {PODS}", {"items": []})
    with connect(api_server.options(impersonate_user="jane", impersonate_groups=["a", "b"])) as cluster:
        cluster.list("Pod")
    headers = api_server.requests[0][3]
    assert (headers["impersonate-user"], headers["impersonate-group"]) == ("jane", "a, b")
    assert headers["authorization"] == "Bearer secret-token"


def test_busy_server_is_retried_after_its_time(
    api_server: FakeApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        api_server.respond(f"GET {PODS}", {"items": []})

    monkeypatch.setattr("time.sleep", sleep)
    busy: dict[str, Any] = {"kind": "Status", "message": "too many requests"}
    api_server.respond(f"GET {PODS}", busy, 429, **{"retry-after": "2"})
    assert cluster.list("Pod") == []
    assert pauses == [2.0]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_error_is_retried(
    api_server: FakeApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            api_server.respond(f"GET {PODS}", {"items": []})

    monkeypatch.setattr("time.sleep", sleep)
    api_server.respond(f"GET {PODS}", {"kind": "Status", "message": "try again"}, status)
    assert cluster.list("Pod") == []
    assert pauses == [0.1, 0.2, 0.4]


def test_refusal_is_not_retried(
    api_server: FakeApiServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("the request was repeated"))
    for status in (400, 401, 403, 404, 409, 422):
        api_server.respond(f"GET {PODS}", {"kind": "Status", "message": "no"}, status)
        with pytest.raises(ClusterError):
            cluster.list("Pod")


def test_tls_alert_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    decode_error = bytes((21, 3, 1, 0, 2, 2, 50))  # a fatal alert, RFC 8446, section 6
    accepted: list[int] = []

    def respond() -> None:
        with suppress(OSError):  # at the end of the test
            while True:
                with server.accept()[0] as connection:
                    accepted.append(1)
                    connection.recv(65_536)
                    connection.sendall(decode_error)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=respond, daemon=True).start()
        host = f"https://127.0.0.1:{server.getsockname()[1]}"
        with connect({"host": host, "api_key": "x"}) as cluster:
            with pytest.raises(ClusterError, match="decode error"):
                cluster.list("Pod")
            assert len(accepted) == 3
            with pytest.raises(ClusterError, match="decode error"):
                cluster.forward("a", 1)
            assert len(accepted) == 6


def test_closed_connection_is_opened_again(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}", {"items": []})
    cluster.list("Pod")
    api_server.close_before_response = 1
    assert cluster.list("Pod") == []


def test_response_that_is_not_json_is_an_error(api_server: FakeApiServer, cluster: Cluster) -> None:
    api_server.respond(f"GET {PODS}", b"<html>")
    with pytest.raises(ClusterError, match="is not an API server: pods in namespace demo is not a JSON"):
        cluster.list("Pod")


def test_refused_connection_names_server_and_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with connect({"host": f"https://127.0.0.1:{port}", "api_key": "x"}) as cluster:
        for send in (lambda: cluster.list("Pod"), lambda: cluster.forward("a", 1)):
            with pytest.raises(ClusterError) as error:
                send()
            assert error.value.reason == "no_cluster"
            assert error.value.message == (
                f"no API server answers at https://127.0.0.1:{port} (connection refused)."
                " Check that the cluster is up, and that option host has the right address."
            )


def test_server_without_tls_is_an_error(api_server: FakeApiServer) -> None:
    with connect(api_server.options(host=api_server.url.replace("http", "https"))) as cluster:
        for send in (lambda: cluster.list("Pod"), lambda: cluster.forward("a", 1)):
            with pytest.raises(ClusterError, match="no TLS connection to the API server"):
                send()


def test_many_threads_share_a_pool_of_connections(api_server: FakeApiServer, cluster: Cluster) -> None:
    for number in range(200):
        api_server.respond(f"GET {PODS}/p{number}", {"n": number})
    before = len(os.listdir("/proc/self/fd"))
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda number: cluster.get("Pod", f"p{number}"), range(200)))
    assert found == [{"n": number} for number in range(200)]
    # The pool keeps 16 connections, each with two ends in this process.
    assert len(os.listdir("/proc/self/fd")) - before <= 2 * 2 * 16
