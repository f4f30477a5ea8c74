# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy of a supported version with the configuration of a test, and modules that run as in Ansible."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from envoys import binary
from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST

TYPES = "type.googleapis.com/envoy.extensions"


def answering(route: dict[str, Any] | None = None, name: str = "main", **more: Any) -> dict[str, Any]:
    """Return a listener on a free port that responds with 200, and with 503 below /bad."""
    routes = [
        {"match": {"prefix": "/bad"}, "direct_response": {"status": 503}},
        {"match": {"prefix": "/"}, **(route or {"direct_response": {"status": 200}})},
    ]
    router = {"@type": f"{TYPES}.filters.http.router.v3.Router"}
    manager = {
        "@type": f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {
            "name": name,
            "validate_clusters": False,
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes, **more}],
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {
        "name": name,
        "traffic_direction": "INBOUND",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": filters}],
    }


class Envoy:
    """A real Envoy whose admin is a Unix socket."""

    def __init__(self, folder: Path, config: dict[str, Any], version: str = NEWEST) -> None:
        self.folder, self.version = folder, version
        admin = {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}}
        (folder / "envoy.json").write_text(
            json.dumps({"node": {"id": "tested", "cluster": "tests"}, "admin": admin, **config})
        )
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/admin.sock"

    def start(self) -> Envoy:
        command = [str(binary(self.version)), "-c", "envoy.json", "--concurrency", "1"]
        command += ["--disable-hot-restart", "-l", "error", "--log-path", "envoy.log"]
        self.process = subprocess.Popen(command, cwd=self.folder)
        deadline = time.monotonic() + 60
        while b"LIVE\n" not in self.response("/ready"):
            assert self.process.poll() is None, (self.folder / "envoy.log").read_text()
            assert time.monotonic() < deadline, "not ready after a minute"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def response(self, path: str, method: str = "GET") -> bytes:
        """Return the response of the admin; empty if Envoy does not listen."""
        with suppress(FileNotFoundError, ConnectionError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(f"{self.folder}/admin.sock")
            connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
            with http.client.HTTPResponse(connection, method=method) as response:
                response.begin()
                return response.read()
        return b""

    def port(self, name: str = "main") -> int:
        for line in self.response("/listeners").decode().splitlines():
            if line.startswith(f"{name}::"):
                return int(line.rpartition(":")[2])
        raise AssertionError(f"no listener {name}")


def run(module: ModuleType, **arguments: Any) -> dict[str, Any]:
    """Run a module as Ansible does, and return its result."""
    return run_module(module, arguments)
