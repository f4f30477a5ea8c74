# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin interface of a pod's Envoy, and its monitor."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_confirmation
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    AdminForbidden,
    AdminTimeout,
    AdminUnreachable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import pod_admin
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_admin import (
    PodAdmin,
    PodMonitor,
)

FORBIDDEN = ClusterError("forbidden", "ci is forbidden to do that")


class FailingCluster:
    """A cluster whose port-forwards fail."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def forward(self, *_arguments: Any, **_options: Any) -> None:
        raise self.error


class _Admin(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"LIVE\n")

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    """Start an API server that forwards port 9901 of pod web-1 to an admin interface."""
    admin = ThreadingHTTPServer(("127.0.0.1", 0), _Admin)
    threading.Thread(target=admin.serve_forever, args=(0.01,), daemon=True).start()
    with fake_api_server() as server:
        server.ports["web-1:9901"] = admin.server_port
        yield server
    admin.shutdown()
    admin.server_close()


def test_one_port_forward_serves_several_requests(api_server: FakeApiServer) -> None:
    with connect(api_server.options()) as cluster:
        admin = PodAdmin(cluster, "web-1", 9901)
        assert [admin.get("/ready", 5) for _request in range(3)] == ["LIVE\n"] * 3
        admin.close()
    assert len(api_server.forwards) == 1


def test_broken_port_forward_is_opened_again(api_server: FakeApiServer) -> None:
    with connect(api_server.options()) as cluster:
        admin = PodAdmin(cluster, "web-1", 9901)
        assert admin.get("/ready", 5) == "LIVE\n"
        api_server.forwards[0].shutdown(socket.SHUT_RDWR)
        assert admin.get("/ready", 5) == "LIVE\n"
        admin.close()
    assert len(api_server.forwards) == 2


def test_port_without_listener_is_unreachable(api_server: FakeApiServer) -> None:
    with connect(api_server.options()) as cluster:
        admin = PodAdmin(cluster, "web-1", 9)
        with pytest.raises(AdminUnreachable, match="nothing listens on that port"):
            admin.get("/ready", 5)
        assert not admin.is_running()
        admin.close()


def test_missing_permission_is_forbidden() -> None:
    cluster: Any = FailingCluster(FORBIDDEN)
    admin = PodAdmin(cluster, "web-1", 9901)
    with pytest.raises(ConfigRefused, match=r"^ci is forbidden to do that\."):
        admin.is_running()
    with pytest.raises(AdminForbidden, match="ci is forbidden to do that"):
        admin.get("/stats", 1)
    admin.close()


def test_other_errors_are_retried_until_the_timeout() -> None:
    cluster: Any = FailingCluster(ClusterError("broken", "the connection broke"))
    admin = PodAdmin(cluster, "web-1", 9901)
    with pytest.raises(AdminTimeout, match="the connection broke"):
        admin.get("/stats", 0.02)
    admin.close()


def monitor_with(read_log: Any, refresh: Any = lambda: None) -> PodMonitor:
    cluster: Any = FailingCluster(FORBIDDEN)
    return PodMonitor(PodAdmin(cluster, "web-1", 9901), refresh, read_log)


def test_rejection_is_read_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xds_confirmation, "LOG_PAUSES", (0, 0))
    line = "[2026-11-26 12:22:01.568][1][warning][config] [source/x.cc:81] Filesystem config update rejected: why"
    logs = iter([[], [line]])
    assert monitor_with(lambda: next(logs)).rejection_from_log() == "why"


def test_unreadable_log_has_no_rejection() -> None:
    def read_log() -> list[str]:
        raise FORBIDDEN

    assert monitor_with(read_log).rejection_from_log() == ""


def test_wait_refreshes_the_pod_once_in_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    refreshes: list[int] = []

    def refresh() -> None:
        refreshes.append(1)
        raise FORBIDDEN  # which the next step of the change reports

    monitor = monitor_with(list, refresh)
    monitor.on_wait()
    assert refreshes == []
    monkeypatch.setattr(pod_admin, "REFRESH_INTERVAL", -1)
    monitor.on_wait()
    assert refreshes == [1]
