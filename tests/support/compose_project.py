# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compose projects that tests deploy with workloads of their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import ARGUMENTS, perform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy as module

IMAGE = "python:3.11-slim-bookworm"
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["NAME"].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


def docker(*arguments: str, check: bool = True, stdin: str = "") -> str:
    """Run the docker command; return its output."""
    ran = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, input=stdin, check=False
    )
    assert ran.returncode == 0 or not check, ran.stderr
    return ran.stdout.strip()


def usable() -> bool:
    """Return whether a Docker daemon answers."""
    return bool(shutil.which("docker")) and bool(
        docker("version", "--format", "{{.Server.Version}}", check=False)
    )


class ComposeProject:
    """The compose project of one test, deployed by the module."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        # Further parts of the plan.
        self.files: list[dict[str, Any]] = []
        self.directories: list[dict[str, str]] = []
        self.admins: list[dict[str, str]] = []

    def run(self, *workloads: Workload, check: bool = False, **options: Any) -> dict[str, Any]:
        """Deploy workloads; return the module's result, with `failed` in any case."""
        return self._module({"plan": self.plan(*workloads), "timeout": 30, **options}, check)

    def perform(self, *workloads: Workload) -> dict[str, Any]:
        """Deploy workloads without the module, which prints to the one standard output: two threads can do this at once."""
        defaults = {key: one.get("default") for key, one in ARGUMENTS.items()}
        return {"failed": False, **perform({**defaults, "plan": self.plan(*workloads), "timeout": 30}, False)}

    def plan(self, *workloads: Workload) -> dict[str, Any]:
        """Return the plan of workloads."""
        document = compose(self.name, workloads, "127.0.0.1")
        return {
            **self._identity(),
            "files": [
                {"path": "compose.yaml", "content": json.dumps(document)},  # JSON is YAML
                {"path": "app/server.py", "content": SERVER},
                *self.files,
            ],
            "directories": self.directories,
            "admins": self.admins,
            "workloads": [one.to_dict() for one in workloads],
        }

    def teardown(self, check: bool = False) -> dict[str, Any]:
        """Tear the project down without its plan; return the module's result."""
        return self._module({**self._identity(), "state": "absent"}, check)

    def _identity(self) -> dict[str, str]:
        return {"name": self.name, "platform": "docker", "folder": str(self.folder)}

    def _module(self, options: dict[str, Any], check: bool) -> dict[str, Any]:
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        return {"failed": False, **run_module(module, arguments)}

    def container(self, service: str) -> str:
        """Return the name of the container of a service."""
        return f"{self.name}-{service}-1"

    def ids(self) -> dict[str, str]:
        """Return the container id and the start time of each service; a restart changes them."""
        names = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.name}")
        template = '{{index .Config.Labels "com.docker.compose.service"}} {{.Id}} {{.State.StartedAt}}'
        lines = docker("inspect", "--format", template, *names.split()).splitlines() if names else []
        return {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}


def server(
    name: str, port: int = 8080, published: int | None = None, address: str = "0.0.0.0", **more: Any
) -> Workload:
    """Return a server that answers with its name."""
    connect = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2).close()"
    settings: dict[str, Any] = {
        "name": name,
        "image": IMAGE,
        "command": ("python3", "-IS", "server.py", address, str(port)),
        "environment": {"NAME": name},
        "mounts": (Mount("app", "/app"),),
        "directory": "/app",
        "ports": (Port(port, published),),
        "probe": Probe("http", port, "/", ("python3", "-ISc", connect)),
        "user": "65534:65534",
        "init": True,
        "memory_mb": 64,
        "stop_seconds": 2,
    }
    return Workload(**{**settings, **more})


def answer(port: int) -> str:
    """Return the body of the response of a port of this host."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as response:
        return str(response.read().decode())
