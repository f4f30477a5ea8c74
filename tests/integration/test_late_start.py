# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification of a demo whose application starts some seconds after its Envoy: it waits for the application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cluster_home import ClusterHome, kubectl
from deployment import Deployment, failure_messages, take_down
from live import PYTHON_IMAGE, Home, demo_data, docker

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import SOCKET
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Supervisor

DEMO = "service_envoy"
# Serves after 3 seconds, more than the time between the restart of the application and the traffic.
LATE_SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
time.sleep(3)
HTTPServer((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"""
SERVER = {
    "image": PYTHON_IMAGE,
    "command": ["python3", "${files}/late.py", "${address}", "${port}"],
    "files": {"late.py": LATE_SERVER},
    "ready": "/",
}
EXPECTED = {"at": "web", "stat": "cluster.web.upstream_rq_200", "of": "delta", "op": "eq", "value": 8}


def demo_of(home: Home) -> dict[str, Any]:
    """Return a demo with a late application, on the ports of service_envoy."""
    gallery = demo_data(DEMO, home.shift)
    return {
        "summary": "A late application",
        "ports": gallery["ports"],
        "services": {"web": {"server": SERVER, "sidecar": gallery["services"]["web"]["sidecar"]}},
        "traffic": [{"to": "web", "requests": 8, "expect": [{"status": "200", "op": "eq", "value": 8}]}],
        "expectations": [EXPECTED],
    }


@pytest.fixture(params=["local", "docker", "kubernetes"])
def home(request: pytest.FixtureRequest) -> Iterator[Home]:
    found = ClusterHome(request.param) if request.param == "kubernetes" else Home(request.param)
    yield found
    if not isinstance(found, ClusterHome):  # its namespace is deleted
        take_down(found, DEMO)
    found.close()


def run_kubectl(home: ClusterHome, *arguments: str) -> None:
    ran = kubectl(home, *arguments)
    assert ran.returncode == 0, ran.stderr


def restart_application(home: Home) -> None:
    """Restart the application, and return at once."""
    if home.platform == "docker":
        docker("restart", "--time", "0", f"{home.name(DEMO)}-web-1-1")
    elif isinstance(home, ClusterHome):
        [deployment] = home.objects("Deployment", DEMO)
        name = deployment["metadata"]["name"]
        run_kubectl(home, "scale", "deployment", name, "--replicas=0")
        # Without the grace period, in which a pod serves for 35 s.
        run_kubectl(home, "delete", "pods", "--all", "--grace-period=0", "--force")
        assert wait_until(lambda: not home.objects("Pod", DEMO), 120)
        run_kubectl(home, "scale", "deployment", name, "--replicas=1")
    else:
        with Supervisor(home.state(DEMO) / SOCKET) as supervisor:
            supervisor.stop("web-1")
            assert wait_until(lambda: supervisor.programs()["web-1"].state == "STOPPED", 60)
            supervisor.start("web-1")


def test_verification_waits_for_a_late_application(home: Home) -> None:
    deployment = Deployment(home, DEMO, demo_of(home))
    plan = deployment.plan()
    deployed = deployment.run(plan)
    assert not deployed["failed"], deployed["msg"]
    restart_application(home)
    verified = deployment.verify(plan, timeout=60)
    assert failure_messages(verified) == []
    assert verified["traffic"][0]["statuses"] == {"200": 8}
