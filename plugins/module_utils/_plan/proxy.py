# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of one Envoy: its files, its certificate, the check of its configuration and its workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import tls_contexts
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    discovery_response,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import candidate
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import (
    filter_chains,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.route_files import with_route_files
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.secret_values import secret_values
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.envoy_workload import (
    bash_probe,
    envoy_check,
    envoy_workload,
    planned_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.written_paths import (
    check_own_sockets,
    check_written_paths,
)
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
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.tls_files import (
    needs_demo_certificate,
    own_secrets,
    tls_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import (
    File,
    digest,
    titled,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Probe,
    Workload,
)

ENVOY_HOME = "/etc/envoy"
# The folder of the route configurations, below that of the proxy.
ROUTES = "routes"
KIND_NAMES = {"sidecar": "Sidecar", "edge": "Edge proxy"}


@dataclass(frozen=True)
class ProxyPlan:
    """The parts of the plan that belong to one Envoy. plan_schema.py describes their keys."""

    workloads: list[Workload]
    files: list[File]
    directories: list[PlannedDirectory]
    certificates: list[Certificate]
    check: Check | None
    replacements: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def plan_proxy(proxy: Proxy, platform: Platform) -> ProxyPlan:
    """Return all parts of the plan that belong to `proxy`.

    Raises:
        DemoError: The demo refers to a target that does not exist, or its stats cannot reach the exporter.
    """
    proxy = with_placeholder_values(proxy, platform)
    check_written_paths(proxy, platform, ENVOY_HOME)
    check_own_sockets(proxy, platform, ENVOY_HOME)
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
    secrets = _secrets(proxy, platform, uses_tls)
    # Both are sensitive if one is: a platform can keep the watched files of a proxy in one object.
    is_live_sensitive = is_sensitive or bool(secret_values([clusters, listeners]))
    read_at_start += author_files(proxy, platform)
    secret_files = [
        file(
            f"{secrets_directory(proxy)}/{name}.yaml",
            f"secret {name}",
            content,
            None if platform.watches_directory else proxy.name,
        )
        for name, content in secrets.items()
    ]
    routes_folder = f"{proxy.name}/{ROUTES}"
    routed = with_route_files(listeners, routes_folder, proxy.name if platform.watches_directory else None)
    live_resources = {
        f"{proxy.name}/clusters.yaml": ("clusters", clusters),
        **{
            f"{routes_folder}/{name}": (f"routes of {name.removesuffix('.yaml')}", [one])
            for name, one in routed.routes.items()
        },
        f"{proxy.name}/listeners.yaml": ("listeners", routed.listeners),
    }
    if platform.watches_directory:
        # In a mounted ConfigMap, Envoy does not notice a change of the file, whose secret watches the folder of its certificate.
        read_at_start += secret_files
    live = [
        file(path, f"{what}; live", discovery_response(resources), proxy.name, is_live_sensitive)
        for path, (what, resources) in live_resources.items()
    ]
    # The watched files refer to these, so they precede them.
    files = list(dict.fromkeys([*read_at_start, *own_tls_files, *secret_files, *live]))
    return ProxyPlan(
        workloads=[
            _workload(proxy, platform, _digest_at_start(read_at_start, [*own_tls_files, *live], platform))
        ],
        files=files,
        directories=[
            {"path": path, "mode": mode, "host": proxy.host}
            for path, mode in (
                *platform.run_directories(proxy),
                *data_directories(proxy, platform),
            )
        ],
        certificates=[certificate_of(proxy, platform)] if uses_tls else [],
        check=_with_source(
            envoy_check(proxy, platform, to_yaml(_candidate(proxy, platform)), files),
            proxy,
            platform,
        ),
    )


def _secrets(proxy: Proxy, platform: Platform, uses_tls: bool) -> dict[str, Message]:
    """Return the SDS files of the proxy, by the name of the secret."""
    found = own_secrets(proxy, platform)
    if uses_tls:
        certificates = f"{proxy.name}/certs"
        watched = proxy.name if platform.watches_directory else certificates
        found[tls_contexts.TLS_CERTIFICATE] = tls_contexts.tls_certificate_secret(certificates, watched)
        found[tls_contexts.VALIDATION_CONTEXT] = tls_contexts.validation_context_secret(certificates, watched)
    return found


def _candidate(proxy: Proxy, platform: Platform) -> Message:
    """Return the configuration that is validated: without watched files, which Envoy does not read when it validates."""
    return candidate(
        proxy_bootstrap(proxy, platform, inline=True),
        proxy_listeners(proxy, platform, inline=True),
        proxy_clusters(proxy, platform, static=False, inline=True),
    )


def _digest_at_start(read_at_start: Sequence[File], changing: Sequence[File], platform: Platform) -> str:
    """Return the digest of what the workload reads only at start. The contents of `changing` change while it runs."""
    if not platform.watches_directory:
        return digest(read_at_start)
    # Running pods do not get another file: pods with other paths are started by a rollout, with files of their own.
    return digest([*read_at_start, *(File(one.path, "") for one in changing)])


def _workload(proxy: Proxy, platform: Platform, files_digest: str) -> Workload:
    admin_port = platform.port(proxy.group, ADMIN, proxy.replica)
    probe = Probe(
        "http",
        host=platform.own_address(proxy.group, ADMIN, proxy.replica),
        port=admin_port,
        path="/ready",
        command=bash_probe(admin_port, "/ready"),
    )
    return envoy_workload(
        proxy,
        platform,
        config_path=f"{proxy.name}/bootstrap.yaml",
        arguments=platform.node_arguments(),
        directory=platform.working_directory(ENVOY_HOME),
        mounts=(
            *platform.socket_mounts(proxy),
            *platform.outside_mounts(proxy),
            Mount(proxy.name, f"{ENVOY_HOME}/{proxy.name}", writable=False),
            *(
                Mount(path, f"{ENVOY_HOME}/{path}", writable=True)
                for path, _mode in platform.run_directories(proxy)
            ),
        ),
        ports=planned_ports(proxy, platform, [*proxy.spec["listeners"], ADMIN]),
        probe=probe,
        files_digest=files_digest,
    )


def _with_source(check: Check | None, proxy: Proxy, platform: Platform) -> Check | None:
    """Return a check with the key of its proxy, which errors name. make_plan adds the lines."""
    if check is not None:
        check["source"] = {"file": platform.demo["file"], "key": proxy.key, "lines": {}}
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
