# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests the access log of a generated proxy has, with real Envoys."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from real_envoy import TYPES, Envoy

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import (
    ALL_REQUESTS,
    LOGGED_HEADER,
    http_connection_manager,
    stdout_access_log,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST

GRPC = {"content-type": "application/grpc"}


def route(path: str, status: int = 200, **more: Any) -> dict[str, Any]:
    return {"match": {"path": path}, "direct_response": {"status": status}, **more}


def grpc_status(value: str) -> list[dict[str, Any]]:
    return [{"header": {"key": "grpc-status", "value": value}}]


def config(percent: int, log: Path) -> dict[str, Any]:
    """Return the configuration of an Envoy whose access log is a file, with the filter of the one on standard output."""
    delay = {"header_delay": {}, "percentage": {"numerator": 100}}
    fault = {"@type": f"{TYPES}.filters.http.fault.v3.HTTPFault", "delay": delay}
    routes = [
        route("/"),
        route("/missing", 404),
        route("/served", response_headers_to_add=grpc_status("0")),
        route("/refused", response_headers_to_add=grpc_status("5")),
        {"match": {"path": "/gone"}, "route": {"cluster": "gone"}},
        route("/sampled"),
    ]
    access_log = stdout_access_log(percent)
    access_log["name"] = "envoy.access_loggers.file"
    file = f"{TYPES}.access_loggers.file.v3.FileAccessLog"
    access_log["typed_config"] = {**access_log["typed_config"], "@type": file, "path": str(log)}
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}]
    faults = [{"name": "envoy.filters.http.fault", "typed_config": fault}]
    listener = {
        "name": "main",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [http_connection_manager("main", hosts, faults, None, access_log)]}],
    }
    gone = {"name": "gone", "type": "STATIC", "load_assignment": {"cluster_name": "gone"}}
    return {
        "static_resources": {"listeners": [listener], "clusters": [gone]},
        "layered_runtime": {"layers": [{"name": "admin", "admin_layer": {}}]},
    }


def send(port: int, path: str, **headers: str) -> None:
    """Send a request with the user agent of a load generator, unless `headers` has another one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fields = {"user-agent": "load", **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection.request("GET", path, headers=fields)
    connection.getresponse().read()
    connection.close()


def logged(log: Path) -> Counter[tuple[str, str]]:
    """Return the number of logged requests by path and user agent."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return Counter((line["path"], line["user_agent"]) for line in lines)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_failed_slow_and_own_requests_are_always_logged(tmp_path: Path, version: str) -> None:
    log = tmp_path / "access.log"
    envoy = Envoy(tmp_path, config(0, log), version).start()
    agents = ("meshlab.envoy", "curl/8.0", "Wget/1.21", "Mozilla/5.0")
    try:
        port = envoy.port()
        for _number in range(20):
            send(port, "/")
        send(port, "/served", **GRPC)
        for agent in (*agents, "curling"):
            send(port, "/", user_agent=agent)
        send(port, "/missing")
        send(port, "/gone")
        send(port, "/refused", **GRPC)
        send(port, "/", user_agent="slow", x_envoy_fault_delay_request="1050")
        send(port, "/", user_agent="marked", **{LOGGED_HEADER: "1"})
        envoy.response(f"/runtime_modify?access_log.percent={ALL_REQUESTS}", "POST")
        for _number in range(20):
            send(port, "/sampled")
    finally:
        envoy.stop()  # writes what is left of the log
    assert logged(log) == {
        **{("/", agent): 1 for agent in (*agents, "slow", "marked")},
        **{(path, "load"): 1 for path in ("/missing", "/gone", "/refused")},
        ("/sampled", "load"): 20,
    }
