# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The workload of one Envoy and the validation of its configuration, whether the planner or an author wrote the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme, uses_udp
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.author_volumes import (
    author_volumes,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.written_paths import (
    without_written_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Check, VolumeData
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.tls_files import has_own_certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    BASE_ID,
    THREADS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Protocol,
    Workload,
)

# Seconds until Envoy writes a line of its access log; a verification that fails reads the log.
FLUSH_INTERVAL = 0.5
CANDIDATE = "candidate.yaml"
# Seconds from the end of the drain time until a new Envoy ends the previous one, and with it connections that stayed idle.
PARENT_SECONDS = 5
ENVOY_USER = "101:101"  # of the official image since 1.15
ENVOY_IN_IMAGE = "/usr/local/bin/envoy"


def planned_ports(proxy: Proxy, platform: Platform, names: Iterable[str]) -> tuple[Port, ...]:
    """Return the ports of a proxy: those of its listeners and of its admin interface."""
    spec = proxy.spec
    return tuple(
        Port(
            platform.port(proxy.group, name, proxy.replica),
            platform.published_port(proxy.group, name, proxy.replica),
            protocol=_protocol(spec, name),
            name=name,
            scheme="http" if name == ADMIN else scheme(spec["listeners"][name]),
            peers=platform.callers(proxy.group, name),
            # The admin interface of an author is not read-only, so its port is not open for Prometheus.
            metrics=name == ADMIN and spec["config"] is None,
            own_certificate=name != ADMIN and _has_own_certificate(spec, name),
        )
        for name in names
        if (proxy.group, name) in platform.ports  # a Unix socket has no port
    )


def envoy_workload(
    proxy: Proxy,
    platform: Platform,
    config_path: str,
    arguments: Sequence[str],
    directory: str,
    mounts: Sequence[Mount],
    ports: tuple[Port, ...],
    probe: Probe,
    files_digest: str,
) -> Workload:
    """Return the workload that runs the Envoy of a proxy.

    Args:
        proxy: The proxy.
        platform: The platform with the demo.
        config_path: Path of the bootstrap, relative to `directory` or absolute in a container.
        arguments: Further arguments of Envoy.
        directory: Working directory.
        mounts: Directories of the deployment folder that a container must see.
        ports: The ports that Envoy listens on.
        probe: The readiness probe.
        files_digest: Digest of the files that Envoy reads only at start.
    """
    spec, program = proxy.spec, platform.envoy(proxy)
    base_id = platform.hot_restart_id(proxy)
    return Workload(
        name=proxy.workload,
        image=program.image,
        command=(
            platform.program(program, ENVOY_IN_IMAGE),
            "--config-path",
            config_path,
            THREADS,
            str(spec["concurrency"]),
            "--log-level",
            spec["log_level"],
            "--drain-time-s",
            str(spec["drain_seconds"]),
            # Each connection closes with its next response. Gradual draining cuts connections at the end of the drain time.
            "--drain-strategy",
            "immediate",
            *_hot_restart(base_id, spec["drain_seconds"]),
            # Milliseconds until a line of the access log is written; 10 s by default.
            "--file-flush-interval-msec",
            str(round(FLUSH_INTERVAL * 1000)),
            *arguments,
        ),
        environment=spec["environment"],
        directory=directory,
        mounts=platform.mounts(*mounts),
        volumes=author_volumes(proxy, platform),
        ports=ports,
        probe=probe,
        aliases=platform.aliases(proxy),
        hostname=proxy.name,
        user=ENVOY_USER,
        memory_mb=256,
        cpus=1.0,
        stop_seconds=10,
        drain=platform.drain_command(proxy),
        after=platform.starts_after(proxy),
        digest=files_digest,
        group=proxy.group,
        replicas=platform.workload_replicas(proxy.group),
        container="envoy",
        sidecar=proxy.kind == "sidecar",
        host=proxy.host,
        replacement=platform.replacement if base_id is None else "hot_restart",
    )


def _hot_restart(base_id: int | None, drain_seconds: int) -> tuple[str, ...]:
    """Return the arguments by which a new Envoy takes over from the running one. Its epoch depends on the generation.

    A crashed Envoy has no parent when it starts again.
    """
    if base_id is None:
        return ("--disable-hot-restart",)
    end = str(drain_seconds + PARENT_SECONDS)
    return (BASE_ID, str(base_id), "--skip-hot-restart-on-no-parent", "--parent-shutdown-time-s", end)


def _has_own_certificate(spec: Mapping[str, Any], name: str) -> bool:
    """Return whether an author, not the demo, provides the certificate of a listener."""
    listener = spec["listeners"][name]
    if spec["config"] is not None:
        return listener["tls"] is not None
    return has_own_certificate(listener)


def _protocol(spec: Mapping[str, Any], port: str) -> Protocol:
    """Return the transport protocol of a port."""
    return "udp" if port != ADMIN and uses_udp(spec["listeners"][port]) else "tcp"


def bash_probe(port: int, path: str) -> tuple[str, ...]:
    """Return a command that probes `path` with Bash alone: Envoy's image has neither curl nor wget."""
    request = f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"
    return ("bash", "-c", script)


def envoy_check(
    proxy: Proxy,
    platform: Platform,
    content: str,
    files: Iterable[File],
    arguments: Sequence[str] = (),
    directory: str = "",
) -> Check | None:
    """Return the validation of a configuration. None: the platform has no program that validates it before the deployment.

    Args:
        proxy: The proxy.
        platform: The platform with the demo.
        content: The text that Envoy validates.
        files: The deployed files in which errors are located.
        arguments: Further arguments of Envoy.
        directory: Working directory, relative to the deployment folder.
    """
    program = platform.envoy(proxy)
    path = f"{directory or proxy.name}/{CANDIDATE}"
    validator = platform.validator(program, ENVOY_IN_IMAGE)
    if validator is None:
        return None
    if platform.validates_elsewhere:
        content = without_written_files(content)
    validate = [
        "--mode",
        "validate",
        "--config-path",
        CANDIDATE if directory else path,
        "--log-level",
        "error",
    ]
    check: Check = {
        "name": proxy.name,
        "image": validator.image,
        "command": [validator.program, *validate, *arguments],
        "files": [{"path": path, "content": content}],
        "validated_files": [file.path for file in files],
        "host": proxy.host,
    }
    if platform.validates_elsewhere:
        check["elsewhere"] = True
    elif volumes := author_volumes(proxy, platform):
        check["volumes"] = [cast(VolumeData, asdict(one)) for one in volumes]
    if directory:
        check["directory"] = directory
    if program.version:
        check["version"] = program.version
    return check
