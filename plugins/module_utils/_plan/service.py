# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a service: the workload of each instance, and the files of the demo app or of the service's own server."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import APP
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.app_settings import (
    author_setting_problem,
    setting_problem,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.server import (
    server_fields,
    server_files,
    server_ports,
    service_port,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import LOOPBACK
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File, digest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    ProbeKind,
    Workload,
)

APP_FOLDER, APP_FILE = "app", "demo_app.py"
APP_HOME = "/app"
APP_USER = "65534:65534"  # an unprivileged user
HEALTH = "/healthz"
CALL_NAME = re.compile(r"[a-z0-9._-]+")  # the name of a call, a part of a path of the app


def app_files(platform: Platform) -> list[File]:
    """Return the file of the demo app, for each host that runs the app from a file."""
    if not platform.needs_app_file():
        return []
    hosts = dict.fromkeys(
        instance.host
        for name, service in platform.demo["services"].items()
        if service["server"] is None
        for instance in _instances_or_first(name, platform)
    )
    return [_app_file(platform, host) for host in hosts]


def plan_service(name: str, platform: Platform) -> tuple[list[Workload], list[File]]:
    """Return the workloads of service `name`, and the files of its own server.

    Raises:
        DemoError: The demo refers to a target that does not exist, or needs too many ports.
    """
    workloads: list[Workload] = []
    files: list[File] = []
    for instance in platform.instances(name):
        workload, own = plan_instance(instance, platform)
        workloads.append(workload)
        files += [one for one in own if one not in files]
    return workloads, files


def plan_instance(instance: Instance, platform: Platform) -> tuple[Workload, list[File]]:
    """Return the workload of the application of an instance, and the files of its own server."""
    service = platform.demo["services"][instance.group]
    own = server_files(instance, platform) if service["server"] is not None else []
    return _workload(instance, platform, own), own


def _instances_or_first(name: str, platform: Platform) -> list[Instance]:
    """Return the instances of a service. A service without replicas keeps its file, for a later change of replicas."""
    return platform.instances(name) or [platform.instance(name)]


def _app_file(platform: Platform, host: str) -> File:
    return File(f"{APP_FOLDER}/{APP_FILE}", platform.context.app, host=host)


def _workload(instance: Instance, platform: Platform, files: list[File]) -> Workload:
    name = instance.group
    service = platform.demo["services"][name]
    has_sidecar = service["sidecar"] is not None
    common: dict[str, Any] = {
        "name": instance.name,
        "ports": (
            *_app_ports(instance, platform),
            *server_ports(instance, platform),
        ),
        "network": topology.sidecar_workload(instance.name) if has_sidecar else None,
        "aliases": () if has_sidecar else platform.aliases(instance),
        "hostname": instance.name,
        "memory_mb": 256,
        "cpus": 1.0,
        "stop_seconds": 10,
        "group": name,
        "replicas": platform.workload_replicas(name),
        "container": "app",
        "host": instance.host,
        "replacement": platform.service_replacement(instance),
    }
    if service["server"] is not None:
        return Workload(**common | server_fields(instance, platform, files))
    return Workload(**common, **_app_fields(instance, platform))


def _app_ports(instance: Instance, platform: Platform) -> list[Port]:
    """Return the port of the application, or nothing if it listens on a Unix socket."""
    service = platform.demo["services"][instance.group]
    return [] if service["unix_socket"] else [service_port(instance, platform, APP, service["protocol"])]


def _app_fields(instance: Instance, platform: Platform) -> dict[str, Any]:
    """Return the fields of the workload that are specific to the demo app."""
    context, service = platform.context, platform.demo["services"][instance.group]
    app = service["app"] or {}
    _check_settings(instance.group, platform)
    bind_address = platform.bind_address(instance.group, APP, instance.replica)
    environment = {
        "DEMO_APP_BIND": bind_address,
        "DEMO_APP_PORT": str(platform.port(instance.group, APP, instance.replica)),
        "DEMO_APP_HOSTNAME": platform.reported_hostname(instance),
        "DEMO_APP_PROTOCOL": service["protocol"],
        "DEMO_APP_SERVICE": app.get("service", ""),
        "DEMO_APP_VERSION": app.get("version", ""),
        "DEMO_APP_CALLS": ",".join(_calls(instance, platform)),
        **app.get("environment", {}),
    }
    if unix_socket := service["unix_socket"]:
        environment["DEMO_APP_UNIX_SOCKET"] = platform.socket_path(instance, unix_socket)
    needs_file = platform.needs_app_file()
    return {
        "image": context.app_image or context.python.image,
        "command": (
            platform.program(context.python, "python3"),
            f"{platform.path_in_workload(APP_FOLDER, APP_HOME)}/{APP_FILE}",
        ),
        "environment": {key: value for key, value in environment.items() if value != ""},
        "mounts": (platform.mounts(Mount(APP_FOLDER, APP_HOME, writable=False)) if needs_file else ())
        + platform.socket_mounts(instance),
        "directory": platform.working_directory(APP_HOME),
        "probe": _probe(instance, platform, private=bind_address == LOOPBACK),
        "user": APP_USER,
        "digest": digest([_app_file(platform, instance.host)] if needs_file else []),
    }


def _check_settings(group: str, platform: Platform) -> None:
    """Raise DemoError for a setting with which the demo app does not start."""
    app = platform.demo["services"][group]["app"] or {}
    where, file = f"services.{group}", platform.demo["file"]
    for key in ("service", "version"):
        if problem := setting_problem(key.upper(), app.get(key, "")):
            raise DemoError(file, f"{where}.app.{key}: the app does not start: {problem}")
    for name, value in app.get("environment", {}).items():
        if problem := author_setting_problem(name, value, where):
            raise DemoError(file, f"{where}.app.environment.{name}: {problem}")


def _probe(instance: Instance, platform: Platform, private: bool) -> Probe:
    """Return the readiness probe of the demo app. With UDP, the app accepts TCP connections on the same port for the probe."""
    protocol = platform.demo["services"][instance.group]["protocol"]
    port = platform.port(instance.group, APP, instance.replica)
    path = HEALTH if protocol == "http" else None
    kind: ProbeKind = "tcp" if path is None else "http"
    if name := platform.demo["services"][instance.group]["unix_socket"]:
        sidecar = platform.sidecar_health_port(instance)
        command = _python_probe(platform.socket_path(instance, name), path, sidecar)
        return Probe(
            kind, path=HEALTH, command=command, unix_socket=platform.socket_in_folder(instance, name)
        )
    return Probe(
        kind,
        host=platform.own_address(instance.group, APP, instance.replica),
        port=port,
        path=HEALTH,
        command=_python_probe(port, path, platform.sidecar_health_port(instance)),
        private=private,
    )


def _calls(instance: Instance, platform: Platform) -> list[str]:
    """Return `name=host:port` for each address that the app can call. Of its own sidecar, it calls the one in its network."""
    calls = (platform.demo["services"][instance.group]["app"] or {}).get("calls", {})
    found = []
    for name, target in calls.items():
        where = f"services.{instance.group}.app.calls.{name}"
        if not CALL_NAME.fullmatch(name):
            raise DemoError(
                platform.demo["file"],
                f"{where}: '{name}' cannot be part of a path. Use lower-case letters, digits, dots, dashes and underscores.",
            )
        group, port = topology.resolve_target(platform.demo, target, where)
        if group == instance.group:
            addresses = [platform.address(instance, port, instance)]
        else:
            addresses = platform.target_addresses(target, instance, where)
        found += [f"{name}={netloc(host, number)}" for host, number in addresses]
    return found


def _python_probe(target: int | str, path: str | None, sidecar: int | None) -> tuple[str, ...]:
    """Return a command that probes a port or a Unix socket from inside the container: a GET of `path`, or only a connection.

    It does not use http.client, whose import takes three times as long as the rest of the command. With `sidecar`, the port of the
    sidecar's admin interface, the sidecar has to be ready, too: users reach the app through it.
    """
    script = "import socket, sys"
    if sidecar:
        request = "GET /ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
        script += f"; e = socket.create_connection(('127.0.0.1', {sidecar}), 3); e.sendall(b'{request}')"
        script += "; b' 200 ' in e.recv(99) or sys.exit('the sidecar is not ready')"
    if isinstance(target, int):
        script += f"; s = socket.create_connection(('127.0.0.1', {target}), 3)"
    else:
        script += f"; s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect({target!r})"
    if path is not None:
        script += f"; s.sendall(b'GET {path} HTTP/1.0\\r\\n\\r\\n'); sys.exit(b' 200 ' not in s.recv(99))"
    return ("python3", "-ISc", script)
