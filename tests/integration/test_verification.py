# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification waits for an application that starts late, and reports why requests failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_home import ClusterHome, kubectl
from deployment import Deployment, take_down
from live import PYTHON_IMAGE, Home, demo_data, docker

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import SOCKET
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import Supervisor

DEMO = "service_envoy"  # whose ports the demo of this test uses
# Serves after 3 seconds, more than the time between the restart of the application and the traffic.
LATE_SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"at last")
time.sleep(3)
HTTPServer((sys.argv[1], int(sys.argv[2])), Page).serve_forever()
"""
SERVER = {
    "image": PYTHON_IMAGE,
    "command": ["python3", "${files}/late.py", "${address}", "${port}"],
    "files": {"late.py": LATE_SERVER},
    "ready": "/",
}


def route(path: str, cluster: str) -> dict[str, Any]:
    return {"match": {"path": path}, "route": {"cluster": cluster}}


def batch(path: str, *expect: dict[str, Any]) -> dict[str, Any]:
    """Return traffic whose name is its path; without expectations, it expects four responses with status 200."""
    return {
        "name": path,
        "to": "edge",
        "path": path,
        "requests": 4,
        "expect": list(expect) or [{"status": "200", "op": "eq", "value": 4}],
    }


def demo_of(home: Home) -> dict[str, Any]:
    """Return a demo with a late application, and with routes that fail for different reasons."""
    gallery = demo_data(DEMO, home.shift)
    port = gallery["services"]["web"]["sidecar"]["listeners"]["ingress"]["publish"]
    routes = [route("/late", "web"), route("/tls", "web-tls"), route("/idle", "idle")]
    clusters = {"web": {"to": "web"}, "web-tls": {"to": "web", "tls": {}}, "idle": {"to": "idle"}}
    return {
        "summary": "A late application, and broken upstreams",
        "ports": gallery["ports"],
        "services": {"web": {"server": SERVER}, "idle": {"replicas": 0}},
        "proxies": {
            "edge": {
                "listeners": {"http": {"port": 8080, "publish": port, "routes": routes}},
                "clusters": clusters,
            }
        },
        "traffic": [
            batch("/late"),
            batch("/tls"),
            batch("/idle"),
            batch("/no-route"),
            batch("/late", {"body": "^never$", "op": "eq", "value": 4}) | {"name": "body"},
        ],
        "expectations": [
            {"at": "edge", "stat": "http.http.downstream_rq_total", "of": "delta", "op": "eq", "value": 20}
        ],
    }


@pytest.fixture(params=["local", "docker", pytest.param("kubernetes", marks=pytest.mark.slow)])
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
        [name] = [
            one["metadata"]["name"]
            for one in home.objects("Deployment", DEMO)
            if one["metadata"]["name"].endswith("-web")
        ]
        run_kubectl(home, "scale", "deployment", name, "--replicas=0")
        # Without the grace period, in which a pod serves for 35 s.
        selector = f"--selector=meshlab.envoy/demo={home.name(DEMO)},app.kubernetes.io/name=web"
        run_kubectl(home, "delete", "pods", selector, "--grace-period=0", "--force")
        assert wait_until(lambda: not home.pods(DEMO, "web"), 120)
        run_kubectl(home, "scale", "deployment", name, "--replicas=1")
    else:
        with Supervisor(home.state(DEMO) / SOCKET) as supervisor:
            supervisor.stop("web-1")
            assert wait_until(lambda: supervisor.programs()["web-1"].state == "STOPPED", 60)
            supervisor.start("web-1")


def test_late_application_is_waited_for_and_failures_explained(home: Home) -> None:
    deployment = Deployment(home, DEMO, demo_of(home))
    plan = deployment.plan()
    deployed = deployment.run(plan)
    assert not deployed["failed"], deployed["msg"]
    restart_application(home)
    verified = deployment.verify(plan, timeout=60)
    message = verified["msg"]
    assert [one["statuses"] for one in verified["traffic"]] == [
        {"200": 4},
        {"503": 4},
        {"503": 4},
        {"404": 4},
        {"200": 4},
    ], message
    assert [one["ok"] for one in verified["assertions"]] == [True]
    assert 'Other answers: 4 × 503. Body of a 503: "no healthy upstream".' in message
    assert 'Another body: "at last".' in message
    assert "Reason: service idle has 0 replicas." in message
    assert re.search(
        r"Reason: traffic /tls: 4 × 503 at edge: response flags UF \(the connection to the upstream failed\)(, URX \([^)]*\))?,"
        r" details upstream_reset_before_response_started\{.*TLS_error.*\}, .*cluster web-tls\.",
        message,
    ), message
    assert (
        "Reason: traffic /idle: 4 × 503 at edge: response flags UH (the cluster has no healthy upstream host),"
        " details no_healthy_upstream, cluster idle."
    ) in message
    assert (
        "Reason: traffic /no-route: 4 × 404 at edge: response flags NR (no route matches), details route_not_found."
    ) in message
