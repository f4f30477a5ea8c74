# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The consistency of a demo: the rules between its keys, beyond their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.cluster_checks import (
    check_cluster,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.unix_sockets import (
    check_listener_address,
    check_service_socket,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.http.stated_protocols import (
    check_cluster_protocol,
    check_listener_protocol,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import PARTS
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import LISTENER
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import (
    SERVER_PLACEHOLDERS,
    STATS_PAGES,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.servers.python_packages import (
    check_packages,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.tls_checks import check_listener_tls
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    ADMIN_CLUSTER,
    STATSD_CLUSTER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    snake_case_fields,
)

# The kinds of a filter chain and of a listener. Each has exactly one.
CHAIN_KINDS = ("routes", "virtual_hosts", "filters")
LISTENER_KINDS = (*CHAIN_KINDS, "filter_chains", "udp_filters")
HTTP_ONLY = ("http_filters", "http_connection_manager")
# Names that the collection uses: clusters of each proxy, listeners of each proxy, directories in the deployment folder.
RESERVED_CLUSTERS = (ADMIN_CLUSTER, STATSD_CLUSTER)
RESERVED_LISTENERS = ("admin", "app")
RESERVED_DIRECTORIES = ("app", "ca", "data", "files", "logs", "statsd_exporter", "traffic")


def check_consistency(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError if the keys of a demo, complete with its defaults, contradict each other."""
    for name, service in demo["services"].items():
        _check_service(name, service, file)
    for name in demo["proxies"]:
        if name in demo["services"]:
            raise DemoError(
                file, f"proxies.{name}: the service '{name}' has the same name. Choose another name."
            )
        _check_free(name, RESERVED_DIRECTORIES, file, f"proxies.{name}")
    for where, proxy in proxies(demo):
        _check_proxy(proxy, file, where)
    _check_exporter_network(demo, file)


def proxies(demo: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return (key in the file, proxy) for each proxy, sidecars included."""
    sidecars = [
        (f"services.{name}.sidecar", service["sidecar"]) for name, service in demo["services"].items()
    ]
    edges = [(f"proxies.{name}", proxy) for name, proxy in demo["proxies"].items()]
    return [(where, proxy) for where, proxy in sidecars if proxy is not None] + edges


def _check_service(name: str, service: Mapping[str, Any], file: str) -> None:
    where = f"services.{name}"
    if service["app"] is not None and service["server"] is not None:
        raise DemoError(
            file, f"{where}: has both 'app' (the demo app) and 'server' (another program). Keep one of them."
        )
    if service["sidecar"] is not None:
        _check_free(name, RESERVED_CLUSTERS, file, where)
    check_service_socket(service, file, where)
    if service["server"] is not None:
        _check_server(service, file, where)


def _check_server(service: Mapping[str, Any], file: str, where: str) -> None:
    server = service["server"]
    if not server["command"]:
        raise DemoError(file, f"{where}.server.command: empty. Add the program and its arguments.")
    check_packages(server, file, f"{where}.server")
    _check_paths(server["files"], file, f"{where}.server.files")
    _check_page(server, service["protocol"], file, f"{where}.server")
    listeners = (service["sidecar"] or {"listeners": {}})["listeners"]
    for name, port in server["ports"].items():
        port_key = f"{where}.server.ports.{name}"
        _check_free(
            name, (*RESERVED_LISTENERS, *SERVER_PLACEHOLDERS, "statsd_exporter", *listeners), file, port_key
        )
        _check_page(port, port["protocol"], file, port_key)


def _check_paths(files: Iterable[str], file: str, where: str) -> None:
    for path in files:
        parts = PurePosixPath(path).parts
        if not parts or parts[0] == "/" or ".." in parts or str(PurePosixPath(path)) != path:
            raise DemoError(
                file,
                f"{where}.{path}: the path leaves the directory of the files. Use a relative path without '..', '.' and '//'.",
            )


def _check_page(spec: Mapping[str, Any], protocol: str, file: str, where: str) -> None:
    for key in ("ready", *STATS_PAGES):
        if (path := spec.get(key)) is None:
            continue
        if protocol != "http":
            raise DemoError(
                file,
                f"{where}.{key}: the port speaks {protocol}, not HTTP. Remove the key, or set 'protocol: http'.",
            )
        if not path.startswith("/"):
            raise DemoError(file, f"{where}.{key}: expected a path that starts with '/', got '{path}'.")
    found = [key for key in STATS_PAGES if spec[key] is not None]
    if len(found) > 1:
        raise DemoError(
            file,
            f"{where}: has both {' and '.join(map(repr, found))}. Keep one of them, or use two ports.",
        )


def _check_proxy(proxy: Mapping[str, Any], file: str, where: str) -> None:
    for name, listener in proxy["listeners"].items():
        _check_free(name, RESERVED_LISTENERS, file, f"{where}.listeners.{name}")
        if name.endswith(PARTS):
            raise DemoError(
                file,
                f"{where}.listeners.{name}: the name ends with '{name[-5:]}', which placeholders use. Choose another name.",
            )
        _check_listener(listener, proxy["listeners"], file, f"{where}.listeners.{name}")
        check_listener_address(listener, file, f"{where}.listeners.{name}")
    for name, cluster in proxy["clusters"].items():
        _check_free(name, RESERVED_CLUSTERS, file, f"{where}.clusters.{name}")
        check_cluster(cluster, file, f"{where}.clusters.{name}")
        check_cluster_protocol(cluster, file, f"{where}.clusters.{name}")
    _check_paths(proxy["files"], file, f"{where}.files")
    if proxy["statsd"] is not None:
        _check_statsd(proxy["statsd"], file, f"{where}.statsd")
    _check_bootstrap(proxy["bootstrap"], file, f"{where}.bootstrap")


def _check_listener(listener: Mapping[str, Any], listeners: Mapping[str, Any], file: str, where: str) -> None:
    kind = _kind_of(listener, LISTENER_KINDS, file, where)
    check_listener_protocol(listener, kind, listeners, file, where)
    if kind == "udp_filters" and listener["tls"] is not None:
        raise DemoError(
            file, f"{where}.tls: TLS needs connections, but 'udp_filters' processes datagrams. Remove 'tls'."
        )
    if kind == "filter_chains" and listener["tls"] is not None:
        raise DemoError(
            file, f"{where}.tls: the listener has 'filter_chains'. Move 'tls' to the chains that speak TLS."
        )
    check_listener_tls(listener["tls"], file, f"{where}.tls")
    if kind == "filter_chains" and not listener["filter_chains"]:
        raise DemoError(file, f"{where}.filter_chains: empty. Add at least one chain, by name.")
    _check_http_only(listener, kind, file, where)
    for name, chain in (listener["filter_chains"] or {}).items():
        chain_key = f"{where}.filter_chains.{name}"
        check_listener_tls(chain["tls"], file, f"{chain_key}.tls")
        _check_http_only(chain, _kind_of(chain, CHAIN_KINDS, file, chain_key), file, chain_key)


def keys_beyond_routes(listener: Mapping[str, Any]) -> list[str]:
    """Return the keys by which a listener does more than forward requests by its routes."""
    passing = ("port", "publish", "tls", "routes")
    return [
        key
        for key, option in LISTENER.options.items()
        if key not in passing and listener[key] != option.get("default")
    ]


def _kind_of(spec: Mapping[str, Any], kinds: tuple[str, ...], file: str, where: str) -> str:
    found = [kind for kind in kinds if spec[kind] is not None]
    if len(found) != 1:
        state = f"has {' and '.join(repr(kind) for kind in found)}" if found else "has no routes or filters"
        further = (
            ", 'filter_chains' (several chains), 'udp_filters' (datagrams)" if kinds == LISTENER_KINDS else ""
        )
        raise DemoError(
            file,
            f"{where}: {state}. Use exactly one of: 'routes', 'virtual_hosts' (HTTP), 'filters' (other protocols){further}.",
        )
    return found[0]


def _check_http_only(spec: Mapping[str, Any], kind: str, file: str, where: str) -> None:
    for key in HTTP_ONLY:
        if kind not in ("routes", "virtual_hosts") and spec[key]:
            raise DemoError(
                file,
                f"{where}.{key}: applies to HTTP only, but '{kind}' processes another protocol. Remove the key.",
            )


def _check_bootstrap(bootstrap: Mapping[str, Any], file: str, where: str) -> None:
    fields = snake_case_fields(bootstrap, BOOTSTRAP)
    admin = fields.get("admin", {})
    if admin is None or (isinstance(admin, Mapping) and "address" in admin):
        key = "admin" if admin is None else "admin.address"
        raise DemoError(
            file,
            f"{where}.{key}: the collection sets the address of the admin interface, which only the user of the deployment can reach."
            f" Remove the key. For the read-only pages of the admin on a port of the host, set"
            f" '{where.removesuffix('.bootstrap')}.admin.publish'.",
        )


def _check_statsd(statsd: Mapping[str, Any], file: str, where: str) -> None:
    if statsd["transport"] == "udp" and not is_ip(statsd["address"]):
        raise DemoError(
            file,
            f"{where}.address: Envoy's UDP sink needs an IP address, got the name '{statsd['address']}'."
            " Use an IP address, or 'transport: tcp', which resolves names.",
        )
    if statsd["transport"] == "tcp" and statsd["style"] == "dog_statsd":
        raise DemoError(
            file,
            f"{where}: dog_statsd needs UDP. Use 'style: statsd', or 'transport: udp' and an IP address.",
        )


def _check_exporter_network(demo: Mapping[str, Any], file: str) -> None:
    shared = (demo["statsd_exporter"] or {}).get("shares_network_with")
    if not shared:
        return
    where = "statsd_exporter.shares_network_with"
    check_known(shared, [*demo["services"], *demo["proxies"]], file, where, "service or proxy")
    if shared in demo["services"] and not demo["services"][shared]["replicas"]:
        raise DemoError(
            file,
            f"{where}: service '{shared}' has no replicas. Give it at least one, or remove 'shares_network_with'.",
        )


def _check_free(name: str, taken: tuple[str, ...], file: str, where: str) -> None:
    if name in taken:
        raise DemoError(file, f"{where}: the name '{name}' is reserved. Choose another name.")
