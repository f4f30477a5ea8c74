# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One proxy of the layout → its files, what validates them, and the workload that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    ADMIN_LOOPBACK_PORT,
    APP,
    EXPORTER,
    EXPORTER_STATSD,
    Proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import bootstrap as boot
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import tls_contexts
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    discovery_response,
    socket_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address, Locality, cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import (
    filter_chains,
    listener,
    scheme,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.generated_files import File, digest, titled
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    selector,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import (
    LOOPBACK,
    WILDCARDS,
    Layout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Protocol,
    Workload,
)

ENVOY_USER = "101:101"  # of the official image since 1.15
ENVOY_HOME = "/etc/envoy"
ENVOY_IN_IMAGE = "/usr/local/bin/envoy"
DISTROLESS = "distroless"


@dataclass(frozen=True)
class ProxyPlan:
    """What one proxy adds to the plan; shapes as in docs/architecture.md."""

    workload: Workload
    files: list[File]
    directories: list[dict[str, str]]
    certificates: list[dict[str, Any]]
    check: dict[str, Any]


def plan_proxy(proxy: Proxy, layout: Layout) -> ProxyPlan:
    """Return everything that `proxy` needs. Raises DemoError."""
    folder = proxy.name
    listeners = _listeners(proxy, layout)
    clusters = _clusters(proxy, layout, static=False)
    fixed = _bootstrap(proxy, layout)
    secret = _needs_tls(proxy)
    title = f"{proxy.place} {proxy.name} of {layout.demo['name']}"
    at_start = [File(f"{folder}/bootstrap.yaml", titled(f"{title}: what is fixed while it runs", fixed))]
    if secret:
        certificates = f"{folder}/certs"
        watched = folder if layout.context.pods else certificates
        at_start += [
            File(
                f"{_secrets(proxy)}/{tls_contexts.TLS_CERTIFICATE}.yaml",
                titled(f"{title}: who it is", tls_contexts.tls_certificate_secret(certificates, watched)),
            ),
            File(
                f"{_secrets(proxy)}/{tls_contexts.VALIDATION_CONTEXT}.yaml",
                titled(
                    f"{title}: whom it believes",
                    tls_contexts.validation_context_secret(certificates, watched),
                ),
            ),
        ]
    live = [
        File(
            f"{folder}/clusters.yaml",
            titled(f"{title}: whom it talks to; live", discovery_response(clusters)),
            live=proxy.name,
        ),
        File(
            f"{folder}/listeners.yaml",
            titled(f"{title}: what it listens on; live", discovery_response(listeners)),
            live=proxy.name,
        ),
    ]
    return ProxyPlan(
        workload=_workload(proxy, layout, digest(at_start)),
        files=[*at_start, *live],
        directories=_directories(proxy, layout),
        certificates=[_certificate(proxy, layout)] if secret else [],
        check=_check(proxy, layout, to_yaml(boot.candidate(fixed, listeners, clusters)), [*at_start, *live]),
    )


def _listeners(proxy: Proxy, layout: Layout) -> list[dict[str, Any]]:
    return [
        listener(
            name,
            spec,
            layout.bind(proxy.group, name, proxy.replica),
            layout.port(proxy.group, name, proxy.replica),
            _secrets(proxy),
            proxy.spec["access_log"],
        )
        for name, spec in proxy.spec["listeners"].items()
    ]


def _clusters(proxy: Proxy, layout: Layout, static: bool) -> list[dict[str, Any]]:
    """Return the clusters that are in the bootstrap (`static`), or those that are not.

    A sidecar has a cluster for its own app without being told; a demo may say more of it under the same name.
    """
    specs = proxy.spec["clusters"]
    made = []
    if proxy.place == "sidecar" and proxy.group not in specs and not static:
        made.append(cluster(proxy.group, _own_app(proxy, layout)))
    for name, spec in specs.items():
        if spec["static"] != static:
            continue
        localities = _localities(spec, f"{proxy.where}.clusters.{name}", proxy, layout)
        addresses = [one for _fields, there in localities for one in there]
        server_name = [*topology.targets(spec), spec["address"]][0].partition("/")[0]
        made.append(
            cluster(
                name,
                addresses,
                spec["cluster"],
                spec["tls"],
                _secrets(proxy),
                server_name,
                # Pods come and go without anybody telling the proxy: a Service's name says who there is.
                refresh="1s" if layout.context.pods else "5s",
                localities=localities,
            )
        )
    return made


def members(proxy: Proxy, layout: Layout) -> dict[str, dict[str, Any]]:
    """Return which pods, and how many, each cluster must find that learns from name resolution which there are.

    A service that is away has none to find; a cluster that says itself how it finds hosts, or that goes to something on the
    proxy's own loopback, is left alone.
    """
    if not layout.context.pods:
        return {}
    found = {}
    demo = layout.demo["name"]
    for name, spec in proxy.spec["clusters"].items():
        own = {"type", "cluster_type", "load_assignment"} & spec["cluster"].keys()
        groups = list(dict.fromkeys(one.partition("/")[0] for one in topology.targets(spec)))
        hosts = sum(layout.replicas(group) for group in groups)
        if hosts and not own and proxy.group not in groups:
            found[name] = {"selector": selector(demo, *groups), "hosts": hosts}
    return found


def _localities(spec: Mapping[str, Any], where: str, proxy: Proxy, layout: Layout) -> list[Locality]:
    """Return whom a cluster talks to, all in one locality where it says nothing of them."""
    if spec["address"]:
        return [({}, [(spec["address"], spec["port"])])]
    if spec["to"]:
        return [({}, _reached(spec["to"], where, proxy, layout))]
    return [
        (
            {key: value for key, value in one.items() if key != "to"},
            _reached(one["to"], f"{where}.localities[{position}]", proxy, layout),
        )
        for position, one in enumerate(spec["localities"])
    ]


def _reached(target: str, where: str, proxy: Proxy, layout: Layout) -> list[Address]:
    """Return the addresses of `target`. A sidecar that names its own service means the app beside it."""
    if not layout.is_elsewhere(target, proxy):
        return _own_app(proxy, layout)
    return layout.reach(target, proxy.name, where)


def _own_app(proxy: Proxy, layout: Layout) -> list[Address]:
    return [(layout.inside(proxy.group, APP, proxy.replica), layout.port(proxy.group, APP, proxy.replica))]


def _bootstrap(proxy: Proxy, layout: Layout) -> dict[str, Any]:
    group, replica = proxy.group, proxy.replica
    return boot.bootstrap(
        node_id=proxy.name,
        node_cluster=group,
        folder=proxy.name,
        admin=_admin(proxy, layout),
        admin_listener=(layout.bind(group, ADMIN, replica), layout.port(group, ADMIN, replica)),
        sink=_sink(proxy, layout),
        stats_config=proxy.spec["stats_config"],
        overrides=proxy.spec["bootstrap"],
        watch_folder=layout.context.pods,
        clusters=_clusters(proxy, layout, static=True),
    )


def _admin(proxy: Proxy, layout: Layout) -> Message:
    """A Unix socket in the private folder; in a pod, whose loopback is private too, a port that a port-forward reaches."""
    if layout.context.pods:
        return socket_address(LOOPBACK, ADMIN_LOOPBACK_PORT)
    return boot.admin_pipe(proxy.name, 0o600 if layout.context.local else 0o666)


def _directories(proxy: Proxy, layout: Layout) -> list[dict[str, str]]:
    """Return where the admin's socket is made."""
    if layout.context.pods:
        return []
    return [{"path": f"{proxy.name}/run", "mode": "0700" if layout.context.local else "0777"}]


def _sink(proxy: Proxy, layout: Layout) -> boot.StatsSink | None:
    """Return where the proxy says that its stats go, or else the demo's own exporter."""
    stated = proxy.spec["statsd"]
    if stated is not None:
        address = (stated["address"], stated["port"])
        return boot.StatsSink(stated["style"], stated["transport"], address, stated["prefix"])
    return _exporter_sink(proxy, layout)


def _exporter_sink(proxy: Proxy, layout: Layout) -> boot.StatsSink | None:
    """UDP where the exporter shares the proxy's network, else TCP through a cluster: Envoy's UDP sink takes IP addresses only."""
    exporter = layout.demo[EXPORTER]
    if exporter is None:
        return None
    port = layout.port(EXPORTER, EXPORTER_STATSD)
    if layout.shares_exporter_network(proxy):
        return boot.StatsSink(exporter["style"], "udp", (LOOPBACK, port), exporter["prefix"])
    if exporter["style"] == "dog_statsd":
        raise DemoError(
            layout.demo["file"],
            f"statsd_exporter.style: dog_statsd speaks UDP only, and {proxy.name} does not share the exporter's network;"
            f" use 'style: statsd', or 'shares_network_with: {proxy.group}' when that is the only proxy",
        )
    return boot.StatsSink(exporter["style"], "tcp", (layout.exporter_host(), port), exporter["prefix"])


def _workload(proxy: Proxy, layout: Layout, files_digest: str) -> Workload:
    context, spec = layout.context, proxy.spec
    program = context.envoy.executable if context.local else ENVOY_IN_IMAGE
    slots = [*spec["listeners"], ADMIN]
    admin_port = layout.port(proxy.group, ADMIN, proxy.replica)
    return Workload(
        name=proxy.workload,
        image=context.envoy.image,
        command=(
            program,
            "--config-path",
            f"{proxy.name}/bootstrap.yaml",
            "--concurrency",
            str(spec["concurrency"]),
            "--log-level",
            spec["log_level"],
            "--drain-time-s",
            str(spec["drain_seconds"]),
            # Each connection ends with its next answer; gradual draining cuts what is left when the time is over.
            "--drain-strategy",
            "immediate",
            "--disable-hot-restart",
            # One bootstrap serves all pods of a group; this is what Kubernetes puts the pod's name for.
            *(("--service-node", "$(POD_NAME)") if context.pods else ()),
        ),
        directory="." if context.local else ENVOY_HOME,
        mounts=(
            Mount(proxy.name, f"{ENVOY_HOME}/{proxy.name}", writable=False),
            *(
                Mount(one["path"], f"{ENVOY_HOME}/{one['path']}", writable=True)
                for one in _directories(proxy, layout)
            ),
        ),
        ports=tuple(
            Port(
                layout.port(proxy.group, slot, proxy.replica),
                layout.published(proxy.group, slot, proxy.replica),
                protocol=_protocol(spec, slot),
                name=slot,
                scheme="http" if slot == ADMIN else scheme(spec["listeners"][slot]),
                peers=layout.peers(proxy.group, slot),
                metrics=slot == ADMIN,
            )
            for slot in slots
        ),
        probe=Probe(
            "http",
            host=layout.inside(proxy.group, ADMIN, proxy.replica),
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
        drain=_drain(layout),
        digest=files_digest,
        group=proxy.group,
        replicas=layout.pods(proxy.group),
        container="envoy",
        sidecar=proxy.place == "sidecar",
    )


def _protocol(spec: Mapping[str, Any], slot: str) -> Protocol:
    """Return what is below all that is spoken at `slot`."""
    return "udp" if slot != ADMIN and scheme(spec["listeners"][slot]) == "udp" else "tcp"


def bash_probe(port: int, path: str) -> tuple[str, ...]:
    """Return a command that asks `path` with nothing but bash: Envoy's image has neither curl nor wget."""
    request = f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && read -r _ code _ <&3 && [ \"$code\" = 200 ]"
    return ("bash", "-c", script)


def _drain(layout: Layout) -> str:
    """Return what tells Envoy to end each connection with its next answer, and to go on taking new ones, in bash's words.

    After `skip_exit` no listener is closed, however long it takes (`--drain-time-s`). Envoy's images without bash have
    DISTROLESS in their names: a command that is not there would have a pod stop at once.
    """
    if not layout.context.pods or DISTROLESS in layout.context.envoy.image:
        return ""
    head = "POST /drain_listeners?graceful&skip_exit HTTP/1.1\\r\\nHost: localhost\\r\\n"
    request = f"{head}Content-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"
    # Until it has answered, or a moment longer than it takes.
    return f"{{ printf '{request}' >&3; read -r -t 2 _ <&3; }} 3<>/dev/tcp/{LOOPBACK}/{ADMIN_LOOPBACK_PORT}"


def _check(proxy: Proxy, layout: Layout, candidate: str, files: list[File]) -> dict[str, Any]:
    context = layout.context
    path = f"{proxy.name}/candidate.yaml"
    # Pods run elsewhere: what goes to them is validated on the host that sends it.
    here = context.local or context.pods
    program = context.envoy.executable if here else ENVOY_IN_IMAGE
    check = {
        "name": proxy.name,
        "image": None if here else context.envoy.image,
        "command": [program, "--mode", "validate", "--config-path", path, "--log-level", "error"],
        "files": [{"path": path, "content": candidate}],
        "validated_files": [file.path for file in files],
    }
    return {**check, "version": context.envoy.version} if context.envoy.version else check


def _needs_tls(proxy: Proxy) -> bool:
    return any(spec["tls"] is not None for spec in [*_chains(proxy), *proxy.spec["clusters"].values()])


def _chains(proxy: Proxy) -> list[Mapping[str, Any]]:
    """Return everything that is done with connections to the proxy."""
    return [chain for spec in proxy.spec["listeners"].values() for chain in filter_chains(spec)]


def _certificate(proxy: Proxy, layout: Layout) -> dict[str, Any]:
    """Return what the proxy's certificate is for: its names, and the addresses by which people reach it."""
    bind = layout.context.bind
    names = [proxy.group, proxy.name, "localhost"]
    if layout.context.pods:
        names.append(layout.service_name(proxy.group))
    names += [name for chain in _chains(proxy) for name in (chain["tls"] or {}).get("names", ())]
    return {
        "path": f"{proxy.name}/certs",
        "names": list(dict.fromkeys(names)),
        "addresses": list(dict.fromkeys([LOOPBACK, WILDCARDS.get(bind, bind)])),
        # A container's user is not the one who owns the file; the folder above is private either way.
        "mode": "0644" if layout.context.platform == "docker" else "0600",
    }


def _secrets(proxy: Proxy) -> str:
    """The folder of the proxy's SDS files."""
    return f"{proxy.name}/secrets"
