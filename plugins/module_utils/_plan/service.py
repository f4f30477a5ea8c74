# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One service of the layout → its files and the workloads that run it."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import APP
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.generated_files import File, digest
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.server import (
    server_fields,
    server_files,
    server_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import LOOPBACK, Layout, netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

APP_FILE = "app/demo_app.py"
APP_HOME = "/app"
APP_USER = "65534:65534"  # nobody
HEALTH = "/healthz"


def app_files(layout: Layout) -> list[File]:
    """Return the demo app's one file where a service runs it and no image of one's own holds it."""
    wanted = any(service["server"] is None for service in layout.demo["services"].values())
    mounted = layout.context.local or not layout.context.app_image
    return [File(APP_FILE, layout.context.app)] if wanted and mounted else []


def plan_service(name: str, layout: Layout) -> tuple[list[Workload], list[File]]:
    """Return a workload for each replica of service `name`, and the files that only it needs. Raises DemoError."""
    service = layout.demo["services"][name]
    workloads, files = [], []
    for replica, instance in layout.instances(name):
        own = server_files(name, replica, instance, layout) if service["server"] is not None else []
        workloads.append(_workload(name, replica, instance, layout, own))
        files += [one for one in own if one not in files]
    return workloads, files


def _workload(name: str, replica: int, instance: str, layout: Layout, files: list[File]) -> Workload:
    service = layout.demo["services"][name]
    port = layout.port(name, APP, replica)
    has_sidecar = service["sidecar"] is not None
    common: dict[str, Any] = {
        "name": instance,
        "ports": (
            Port(
                port,
                layout.published(name, APP, replica),
                protocol="udp" if service["protocol"] == "udp" else "tcp",
                name=APP,
                scheme=service["protocol"],
                peers=layout.peers(name, APP),
                metrics=topology.has_metrics(layout.demo, name, APP),
            ),
            *server_ports(name, replica, layout),
        ),
        "network": topology.sidecar_workload(instance) if has_sidecar else None,
        "aliases": () if has_sidecar else (instance,),
        "hostname": instance,
        "memory_mb": 256,
        "cpus": 1.0,
        "stop_seconds": 10,
        "group": name,
        "replicas": layout.pods(name),
        "container": "app",
    }
    if service["server"] is not None:
        return Workload(**common | server_fields(name, replica, instance, layout, files))
    host = layout.inside(name, APP, replica)
    return Workload(**common, **_app(name, replica, instance, host, port, layout))


def _app(name: str, replica: int, instance: str, host: str, port: int, layout: Layout) -> dict[str, Any]:
    """Return what a workload of the demo app has besides what all have; `host` and `port` are where to probe it."""
    context, service = layout.context, layout.demo["services"][name]
    app = service["app"] or {}
    environment = {
        "DEMO_APP_BIND": layout.bind(name, APP, replica),
        "DEMO_APP_PORT": str(port),
        # A pod's own name tells its replicas apart.
        "DEMO_APP_HOSTNAME": "" if context.pods else instance,
        "DEMO_APP_PROTOCOL": service["protocol"],
        "DEMO_APP_SERVICE": app.get("service", ""),
        "DEMO_APP_VERSION": app.get("version", ""),
        "DEMO_APP_CALLS": ",".join(_hops(name, instance, layout)),
        **app.get("environment", {}),
    }
    script = APP_FILE if context.local else f"{APP_HOME}/demo_app.py"
    mounted = context.local or not context.app_image
    return {
        "image": context.app_image or context.python.image,
        "command": (context.python.executable if context.local else "python3", script),
        "environment": {key: str(value) for key, value in environment.items() if value != ""},
        "mounts": (Mount("app", APP_HOME, writable=False),) if mounted and not context.local else (),
        "directory": "." if context.local else APP_HOME,
        "probe": _probe(service["protocol"], host, port, private=layout.bind(name, APP, replica) == LOOPBACK),
        "user": APP_USER,
        "digest": digest(app_files(layout)),
    }


def _probe(protocol: str, host: str, port: int, private: bool) -> Probe:
    """Return how to see that an app serves; one that takes datagrams takes connections on the same port, to be asked."""
    path = HEALTH if protocol == "http" else None
    return Probe(
        "tcp" if path is None else "http",
        host=host,
        port=port,
        path=HEALTH,
        command=_python_probe(port, path),
        private=private,
    )


def _hops(name: str, instance: str, layout: Layout) -> list[str]:
    """Return the host:port pairs that the app of service `name` may call."""
    targets = (layout.demo["services"][name]["app"] or {}).get("calls", [])
    found = (layout.reach(one, instance, f"services.{name}.app.calls") for one in targets)
    return [netloc(host, port) for one in found for host, port in one]


def _python_probe(port: int, path: str | None) -> tuple[str, ...]:
    """Return a command for a container to ask itself: GET of `path`, or a mere connection.

    Without http.client, which takes three times as long to import as everything else does.
    """
    script = f"import socket; s = socket.create_connection(('127.0.0.1', {port}), 3)"
    if path is not None:
        ask = f"s.sendall(b'GET {path} HTTP/1.0\\r\\n\\r\\n')"
        script += f"; {ask}; raise SystemExit(b' 200 ' not in s.recv(99))"
    return ("python3", "-ISc", script)
