# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of one Envoy: its files, its certificate, the check of its configuration and its workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import tls_contexts
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import discovery_response
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import candidate
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import (
    filter_chains,
    scheme,
    uses_udp,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.secret_values import secret_values
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
    Certificate,
    Check,
    PlannedDirectory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_config import (
    proxy_bootstrap,
    proxy_clusters,
    proxy_listeners,
    secrets_directory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import (
    author_files,
    data_directories,
    with_placeholder_values,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls_files import (
    has_own_certificate,
    needs_demo_certificate,
    tls_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    digest,
    titled,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform, Validator
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Protocol,
    Workload,
)

ENVOY_USER = "101:101"  # of the official image since 1.15
ENVOY_HOME = "/etc/envoy"
KIND_NAMES = {"sidecar": "Sidecar", "edge": "Edge proxy"}
ENVOY_IN_IMAGE = "/usr/local/bin/envoy"


@dataclass(frozen=True)
class ProxyPlan:
    """The parts of the plan that belong to one Envoy. plan_schema.py describes their keys."""

    workload: Workload
    files: list[File]
    directories: list[PlannedDirectory]
    certificates: list[Certificate]
    check: Check


# Seconds until Envoy writes a line of its access log; a verification that fails reads the log.
FLUSH_INTERVAL = 0.5


def plan_proxy(proxy: Proxy, platform: Platform) -> ProxyPlan:
    """Return all parts of the plan that belong to `proxy`.

    Raises:
        DemoError: The demo refers to a target that does not exist, or its stats cannot reach the exporter.
    """
    proxy = with_placeholder_values(proxy, platform)
    listeners = proxy_listeners(proxy, platform)
    clusters = proxy_clusters(proxy, platform, static=False)
    bootstrap = proxy_bootstrap(proxy, platform)
    uses_tls = needs_demo_certificate(proxy)
    own_tls_files = tls_files(proxy, platform)
    title = f"{KIND_NAMES[proxy.kind]} {proxy.name} of {platform.demo['name']}"

    def file(path: str, what: str, content: Any, live: str | None = None, sensitive: bool = False) -> File:
        text = titled(f"{title}: {what}", content)
        mode = platform.key_mode if sensitive else "0644"
        return File(path, text, mode, live, proxy.host, sensitive)

    is_sensitive = proxy.spec["sensitive"]
    read_at_start = [
        file(
            f"{proxy.name}/bootstrap.yaml",
            "read only at start",
            bootstrap,
            sensitive=is_sensitive or bool(secret_values(bootstrap)),
        )
    ]
    if uses_tls:
        certificates = f"{proxy.name}/certs"
        watched = proxy.name if platform.watches_directory else certificates
        secrets = secrets_directory(proxy)
        identity = tls_contexts.tls_certificate_secret(certificates, watched)
        trusted = tls_contexts.validation_context_secret(certificates, watched)
        read_at_start += [
            file(f"{secrets}/{tls_contexts.TLS_CERTIFICATE}.yaml", "certificate and key", identity),
            file(f"{secrets}/{tls_contexts.VALIDATION_CONTEXT}.yaml", "trusted authority", trusted),
        ]
    # Both are sensitive if one is: a platform can keep the watched files of a proxy in one object.
    is_live_sensitive = is_sensitive or bool(secret_values([clusters, listeners]))
    read_at_start += author_files(proxy, platform)
    if platform.watches_directory:
        # Running pods do not have new files: a rollout starts pods that have them.
        read_at_start += own_tls_files
    live = [
        file(
            f"{proxy.name}/{kind}.yaml",
            f"{kind}; live",
            discovery_response(resources),
            proxy.name,
            is_live_sensitive,
        )
        for kind, resources in (("clusters", clusters), ("listeners", listeners))
    ]
    # The watched files refer to these, so they precede them.
    files = list(dict.fromkeys([*read_at_start, *own_tls_files, *live]))
    return ProxyPlan(
        workload=_workload(proxy, platform, digest(read_at_start)),
        files=files,
        directories=[
            {"path": path, "mode": mode, "host": proxy.host}
            for path, mode in (*platform.run_directories(proxy), *data_directories(proxy, platform))
        ],
        certificates=[certificate_of(proxy, platform)] if uses_tls else [],
        check=_check(proxy, platform, to_yaml(candidate(bootstrap, listeners, clusters)), files),
    )


def _workload(proxy: Proxy, platform: Platform, files_digest: str) -> Workload:
    context, spec = platform.context, proxy.spec
    admin_port = platform.port(proxy.group, ADMIN, proxy.replica)
    return Workload(
        name=proxy.workload,
        image=context.envoy.image,
        command=(
            platform.program(context.envoy, ENVOY_IN_IMAGE),
            "--config-path",
            f"{proxy.name}/bootstrap.yaml",
            "--concurrency",
            str(spec["concurrency"]),
            "--log-level",
            spec["log_level"],
            "--drain-time-s",
            str(spec["drain_seconds"]),
            # Each connection closes with its next response. Gradual draining cuts connections at the end of the drain time.
            "--drain-strategy",
            "immediate",
            "--disable-hot-restart",
            # Milliseconds until a line of the access log is written; 10 s by default.
            "--file-flush-interval-msec",
            str(round(FLUSH_INTERVAL * 1000)),
            *platform.node_arguments(),
        ),
        environment=spec["environment"],
        directory=platform.working_directory(ENVOY_HOME),
        mounts=platform.mounts(
            Mount(proxy.name, f"{ENVOY_HOME}/{proxy.name}", writable=False),
            *(
                Mount(path, f"{ENVOY_HOME}/{path}", writable=True)
                for path, _mode in platform.run_directories(proxy)
            ),
        ),
        ports=tuple(
            Port(
                platform.port(proxy.group, name, proxy.replica),
                platform.published_port(proxy.group, name, proxy.replica),
                protocol=_protocol(spec, name),
                name=name,
                scheme="http" if name == ADMIN else scheme(spec["listeners"][name]),
                peers=platform.callers(proxy.group, name),
                metrics=name == ADMIN,
                own_certificate=name != ADMIN and has_own_certificate(spec["listeners"][name]),
            )
            for name in [*spec["listeners"], ADMIN]
        ),
        probe=Probe(
            "http",
            host=platform.own_address(proxy.group, ADMIN, proxy.replica),
            port=admin_port,
            path="/ready",
            command=bash_probe(admin_port, "/ready"),
        ),
        aliases=(proxy.name,),
        hostname=proxy.name,
        user=ENVOY_USER,
        memory_mb=256,
        cpus=1.0,
        stop_seconds=10,
        drain=platform.drain_command(),
        digest=files_digest,
        group=proxy.group,
        replicas=platform.workload_replicas(proxy.group),
        container="envoy",
        sidecar=proxy.kind == "sidecar",
        host=proxy.host,
    )


def _protocol(spec: Mapping[str, Any], port: str) -> Protocol:
    """Return the transport protocol of a port."""
    return "udp" if port != ADMIN and uses_udp(spec["listeners"][port]) else "tcp"


def bash_probe(port: int, path: str) -> tuple[str, ...]:
    """Return a command that probes `path` with Bash alone: Envoy's image has neither curl nor wget."""
    request = f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"
    return ("bash", "-c", script)


def _check(proxy: Proxy, platform: Platform, content: str, files: list[File]) -> Check:
    context = platform.context
    path = f"{proxy.name}/candidate.yaml"
    validator = platform.validator("envoy", ENVOY_IN_IMAGE) or Validator(context.envoy.executable)
    check: Check = {
        "name": proxy.name,
        "image": validator.image,
        "command": [validator.program, "--mode", "validate", "--config-path", path, "--log-level", "error"],
        "files": [{"path": path, "content": content}],
        "validated_files": [file.path for file in files],
        "host": proxy.host,
    }
    if context.envoy.version:
        check["version"] = context.envoy.version
    return check


def _chains(proxy: Proxy) -> list[Mapping[str, Any]]:
    """Return all filter chains of the proxy."""
    return [chain for spec in proxy.spec["listeners"].values() for chain in filter_chains(spec)]


def certificate_of(proxy: Proxy, platform: Platform) -> Certificate:
    """Return the certificate of the proxy, with all names by which it is reached."""
    names = platform.certificate_names(proxy)
    names += [name for chain in _chains(proxy) for name in (chain["tls"] or {}).get("names", ())]
    return {
        "path": f"{proxy.name}/certs",
        "names": list(dict.fromkeys(names)),
        "addresses": platform.certificate_addresses(proxy),
        "mode": platform.key_mode,
        "host": proxy.host,
    }
