# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of one Envoy whose configuration the author wrote, beside `_plan.proxy` for a generated configuration.

Envoy gets what the collection needs by its command line, so the author's files stay as they are.
"""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_proxy import ENVOY_HOME
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import socket_address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import AuthorConfig
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import ADMIN_CLUSTER
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import address_cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.config_copies import (
    AuthorFiles,
    author_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.envoy_workload import (
    ENVOY_IN_IMAGE,
    ENVOY_USER,
    bash_probe,
    envoy_check,
    envoy_workload,
    planned_ports,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import PlannedDirectory
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy import ProxyPlan
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.proxy_files import (
    data_directories,
    with_placeholder_values,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import LOOPBACK
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

READY = "/ready"


def plan_author_proxy(proxy: Proxy, platform: Platform) -> ProxyPlan:
    """Return all parts of the plan that belong to a proxy with `config`.

    Raises:
        DemoError: The configuration refers to a port that the demo does not have, or to a file that cannot be deployed.
    """
    proxy = with_placeholder_values(proxy, platform)
    config: AuthorConfig = proxy.spec["config"]
    found = author_files(proxy, platform)
    run = _run_directory(proxy, platform)
    node = _node_arguments(proxy, config, platform)
    ports = [*proxy.spec["listeners"], *([ADMIN] if (proxy.group, ADMIN) in platform.ports else [])]
    folders = [
        Mount(source, target) for target, source in found.layout.folders.items() if _has_files(source, found)
    ]
    workload = envoy_workload(
        proxy,
        platform,
        config_path=found.config_path,
        arguments=node,
        directory=ENVOY_HOME if platform.runs_images else found.layout.working_directory,
        mounts=[*folders, *([run] if run else [])],
        ports=planned_ports(proxy, platform, ports),
        probe=_probe(proxy, platform),
        files_digest=digest(file for file in found.files if not file.live),
    )
    relay = _relay(proxy, platform, run) if run else None
    needed = [
        *data_directories(proxy, platform),
        *([(run.source, platform.run_directory_mode)] if run else []),
    ]
    directories: list[PlannedDirectory] = [
        {"path": path, "mode": mode, "host": proxy.host} for path, mode in needed
    ]
    return ProxyPlan(
        workloads=[workload, *([relay[0]] if relay else [])],
        files=[*found.files, *([relay[1]] if relay else [])],
        directories=directories,
        certificates=[],
        # Envoy requires a node where a bootstrap refers to watched files, also for validation.
        check=envoy_check(
            proxy,
            platform,
            found.candidate,
            found.files,
            _node_arguments(proxy, config),
            directory=found.layout.working_directory,
        ),
        replacements=found.replacements,
        warnings=found.warnings,
    )


def _has_files(folder: str, found: AuthorFiles) -> bool:
    return any(file.path.startswith(f"{folder}/") for file in found.files)


def _node_arguments(proxy: Proxy, config: AuthorConfig, platform: Platform | None = None) -> tuple[str, ...]:
    """Return the arguments that identify the node, for what the author's file does not state."""
    name = (platform.node_arguments() if platform else ()) or ("--service-node", proxy.name)
    return (
        *(() if config.has_node_id else name),
        *(() if config.has_node_cluster else ("--service-cluster", proxy.group)),
    )


def _run_directory(proxy: Proxy, platform: Platform) -> Mount | None:
    """Return the directory of the admin's Unix socket in a container."""
    admin = proxy.spec["config"].admin
    if not platform.runs_images or admin is None or not admin.pipe.startswith("/"):
        return None
    return Mount(f"{proxy.name}/run", admin.pipe.rpartition("/")[0], writable=True)


def _probe(proxy: Proxy, platform: Platform) -> Probe:
    """Return the readiness probe: the page /ready of the admin interface, or else a connection to the first TCP listener."""
    config: AuthorConfig = proxy.spec["config"]
    group, replica, admin = proxy.group, proxy.replica, config.admin
    if admin and admin.port:
        return Probe(
            "http",
            host=platform.own_address(group, ADMIN, replica),
            port=platform.port(group, ADMIN, replica),
            path=READY,
            command=bash_probe(admin.port, READY),
            private=admin.address.startswith("127.") or admin.address == "::1",
        )
    if (relay := platform.admin_relay(proxy)) is not None:
        return Probe("http", port=relay, path=READY, command=bash_probe(relay, READY), private=True)
    for name, listener in proxy.spec["listeners"].items():
        if scheme(listener) != "udp":
            address = platform.own_address(group, name, replica)
            return Probe("tcp", host=address, port=platform.port(group, name, replica), path="")
    return Probe()


def _relay(proxy: Proxy, platform: Platform, run: Mount) -> tuple[Workload, File] | None:
    """Return the Envoy, and its file, that forwards a port on the loopback of a pod to the Unix socket of the admin interface.

    A port-forward reaches a port only.
    """
    port = platform.admin_relay(proxy)
    if port is None:
        return None
    name = f"{proxy.workload}-admin"
    socket = {"pipe": {"path": proxy.spec["config"].admin.pipe}}
    listener = {
        "name": ADMIN_CLUSTER,
        "address": socket_address(LOOPBACK, port),
        "filter_chains": [{"filters": [tcp_proxy(ADMIN_CLUSTER, ADMIN_CLUSTER)]}],
    }
    bootstrap = {
        "static_resources": {"listeners": [listener], "clusters": [address_cluster(ADMIN_CLUSTER, socket)]}
    }
    title = f"Relay to the admin interface of {proxy.name} of {platform.demo['name']}"
    file = File(f"{name}/bootstrap.yaml", titled(title, bootstrap), host=proxy.host)
    program = platform.envoy(proxy)
    workload = Workload(
        name=name,
        image=program.image,
        command=(
            platform.program(program, ENVOY_IN_IMAGE),
            "--config-path",
            f"{ENVOY_HOME}/bootstrap.yaml",
            "--concurrency",
            "1",
            "--disable-hot-restart",
        ),
        directory=platform.working_directory(ENVOY_HOME),
        mounts=platform.mounts(Mount(name, ENVOY_HOME), run),
        network=proxy.workload,
        user=ENVOY_USER,
        memory_mb=64,
        cpus=0.5,
        digest=digest([file]),
        group=proxy.group,
        replicas=platform.workload_replicas(proxy.group),
        container="admin-relay",
        sidecar=proxy.kind == "sidecar",
        host=proxy.host,
        replacement=platform.replacement,
    )
    return workload, file
