# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One service of the layout → its files and the workloads that run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.documents.workload import Mount, Port, Probe, Workload
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.files import File, digest
from ansible_collections.meshlab.envoy.plugins.module_utils.plan.layout import APP, LOOPBACK, Layout

APP_FILE = "app/demo_app.py"
APP_HOME = "/app"
APP_USER = "65534:65534"  # nobody


def app_files(layout: Layout) -> list[File]:
    """Return the demo app's one file where a service runs it and no image of one's own holds it."""
    wanted = any(not service["server"] for service in layout.demo["services"].values())
    mounted = layout.context.local or not layout.context.app_image
    return [File(APP_FILE, layout.context.app)] if wanted and mounted else []


def plan_service(name: str, layout: Layout) -> tuple[list[Workload], list[File]]:
    """Return a workload for each replica of service `name`, and the files that only it needs."""
    service = layout.demo["services"][name]
    files = _server_files(name, service["server"]) if service["server"] else []
    return [_workload(name, replica, instance, layout, files) for replica, instance in layout.instances(name)], files


def _workload(name: str, replica: int, instance: str, layout: Layout, files: list[File]) -> Workload:
    service = layout.demo["services"][name]
    port = layout.port(name, APP, replica)
    bind = layout.bind(name, APP, replica)
    common: dict[str, Any] = {
        "name": instance,
        "ports": (Port(port, layout.published(name, APP, replica), "tcp"),),
        "network": f"{instance}-envoy" if service["sidecar"] else None,
        "aliases": () if service["sidecar"] else (instance,),
        "hostname": instance,
        "memory_mb": 256,
        "cpus": 1.0,
        "stop_seconds": 10,
    }
    if service["server"]:
        return Workload(**common, **_server(name, service, port, files))
    return Workload(**common, **_app(service, instance, bind, port, layout))


def _app(service: Mapping[str, Any], instance: str, bind: str, port: int, layout: Layout) -> dict[str, Any]:
    context, app = layout.context, service["app"] or {}
    environment = {
        "DEMO_APP_BIND": bind,
        "DEMO_APP_PORT": str(port),
        "DEMO_APP_HOSTNAME": instance,
        "DEMO_APP_PROTOCOL": service["protocol"],
        "DEMO_APP_SERVICE": app.get("service", ""),
        "DEMO_APP_VERSION": app.get("version", ""),
        "DEMO_APP_HOPS": ",".join(_hops(app.get("hops", []), instance, layout)),
        **app.get("environment", {}),
    }
    script = APP_FILE if context.local else f"{APP_HOME}/demo_app.py"
    mounted = context.local or not context.app_image
    tcp = service["protocol"] == "tcp"
    return {
        "image": context.app_image or context.python.image,
        "command": (context.python.executable if context.local else "python3", script),
        "environment": {key: str(value) for key, value in environment.items() if value != ""},
        "mounts": (Mount("app", APP_HOME, writable=False),) if mounted and not context.local else (),
        "directory": "." if context.local else APP_HOME,
        "probe": Probe("tcp" if tcp else "http", port=port, path="/healthz", command=_python_probe(port, "" if tcp else "/healthz")),
        "user": APP_USER,
        "digest": digest(app_files(layout)),
    }


def _hops(services: list[str], instance: str, layout: Layout) -> list[str]:
    """Return the host:port pairs that the app may call."""
    addresses = (layout.reach(one, instance, "app.hops") for one in services)
    return [f"{host}:{port}" for found in addresses for host, port in found]


def _python_probe(port: int, path: str) -> tuple[str, ...]:
    if path:
        script = (
            f"import http.client as h; c = h.HTTPConnection('{LOOPBACK}', {port}, timeout=3); "
            f"c.request('GET', '{path}'); raise SystemExit(c.getresponse().status != 200)"
        )
    else:
        script = f"import socket; socket.create_connection(('{LOOPBACK}', {port}), 3).close()"
    return ("python3", "-ISc", script)


def _server(name: str, service: Mapping[str, Any], port: int, files: list[File]) -> dict[str, Any]:
    server = service["server"]
    return {
        "image": server["image"],
        "command": tuple(server["command"]),
        "environment": {key: str(value) for key, value in server["environment"].items()},
        "mounts": (Mount(f"{name}/files", "/etc/demo", writable=False),) if files else (),
        "directory": ".",
        "probe": Probe("tcp", port=port, path="", command=None),
        "user": "",
        "digest": digest(files),
    }


def _server_files(name: str, server: Mapping[str, Any]) -> list[File]:
    return [File(f"{name}/files/{path}", content) for path, content in server["files"].items()]
