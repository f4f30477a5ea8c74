# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What types cannot say of a demo: which of its keys go together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import LISTENER
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.server_texts import PAGES, WORDS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import (
    ADMIN_CLUSTER,
    STATSD_CLUSTER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip

# What is done with a connection, and what a listener does; it is exactly one of them.
CHAIN_KINDS = ("routes", "virtual_hosts", "filters")
LISTENER_KINDS = (*CHAIN_KINDS, "filter_chains", "udp_filters")
HTTP_ONLY = ("http_filters", "http_connection_manager")
# Names that the collection gives itself: clusters of each proxy, listeners of each proxy, folders beside the proxies'.
OWN_CLUSTERS = (ADMIN_CLUSTER, STATSD_CLUSTER)
OWN_LISTENERS = ("admin", "app")
OWN_FOLDERS = ("app", "ca", "data", "files", "logs", "statsd_exporter")


def check_sense(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError where a demo, complete with its defaults, cannot be meant as it is."""
    for name, service in demo["services"].items():
        _check_service(name, service, file)
    for name in demo["proxies"]:
        if name in demo["services"]:
            raise DemoError(
                file, f"proxies.{name}: a service has that name already; names are unique in a demo"
            )
        _check_free(name, OWN_FOLDERS, file, f"proxies.{name}")
    for where, proxy in proxies(demo):
        _check_proxy(proxy, file, where)
    _check_beside(demo, file)


def proxies(demo: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return (where in the file, proxy) for each proxy, sidecars included."""
    sidecars = [
        (f"services.{name}.sidecar", service["sidecar"]) for name, service in demo["services"].items()
    ]
    edges = [(f"proxies.{name}", proxy) for name, proxy in demo["proxies"].items()]
    return [(where, proxy) for where, proxy in sidecars if proxy is not None] + edges


def _check_service(name: str, service: Mapping[str, Any], file: str) -> None:
    where = f"services.{name}"
    if service["app"] is not None and service["server"] is not None:
        raise DemoError(
            file, f"{where}: has both 'app' (the demo app) and 'server' (another program); choose one"
        )
    if service["sidecar"] is not None:
        _check_free(name, OWN_CLUSTERS, file, where)
    if service["server"] is not None:
        _check_server(service, file, where)


def _check_server(service: Mapping[str, Any], file: str, where: str) -> None:
    server = service["server"]
    if not server["command"]:
        raise DemoError(file, f"{where}.server.command: is empty; it is the program and its arguments")
    for path in server["files"]:
        parts = PurePosixPath(str(path)).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise DemoError(
                file, f"{where}.server.files.{path}: has to be a path inside of the server's folder"
            )
    _check_page(server, service["protocol"], file, f"{where}.server")
    listeners = (service["sidecar"] or {"listeners": {}})["listeners"]
    for name, port in server["ports"].items():
        here = f"{where}.server.ports.{name}"
        _check_free(name, (*OWN_LISTENERS, *WORDS, "statsd_exporter", *listeners), file, here)
        _check_page(port, port["protocol"], file, here)


def _check_page(spec: Mapping[str, Any], protocol: str, file: str, where: str) -> None:
    for key in ("ready", *PAGES):
        if (path := spec.get(key)) is None:
            continue
        if protocol != "http":
            raise DemoError(file, f"{where}.{key}: is a page of HTTP, and the port speaks {protocol}")
        if not path.startswith("/"):
            raise DemoError(file, f"{where}.{key}: '{path}' has to be a path, with a '/' first")
    found = [key for key in PAGES if spec[key] is not None]
    if len(found) > 1:
        raise DemoError(
            file,
            f"{where}: has both {' and '.join(map(repr, found))}; expectations ask one port for one of them",
        )


def _check_proxy(proxy: Mapping[str, Any], file: str, where: str) -> None:
    for name, listener in proxy["listeners"].items():
        _check_free(name, OWN_LISTENERS, file, f"{where}.listeners.{name}")
        _check_listener(listener, file, f"{where}.listeners.{name}")
    for name, cluster in proxy["clusters"].items():
        _check_free(name, OWN_CLUSTERS, file, f"{where}.clusters.{name}")
        _check_cluster(cluster, file, f"{where}.clusters.{name}")
    if proxy["statsd"] is not None:
        _check_statsd(proxy["statsd"], file, f"{where}.statsd")


def _check_listener(listener: Mapping[str, Any], file: str, where: str) -> None:
    kind = _the_one_kind(listener, LISTENER_KINDS, file, where)
    if kind == "udp_filters" and listener["tls"] is not None:
        raise DemoError(file, f"{where}.tls: is for connections, and 'udp_filters' takes datagrams")
    if kind == "filter_chains" and listener["tls"] is not None:
        raise DemoError(file, f"{where}.tls: say it in those of the 'filter_chains' that speak TLS")
    if kind == "filter_chains" and not listener["filter_chains"]:
        raise DemoError(file, f"{where}.filter_chains: is empty; give at least one, by name")
    _check_http_only(listener, kind, file, where)
    for name, chain in (listener["filter_chains"] or {}).items():
        here = f"{where}.filter_chains.{name}"
        _check_http_only(chain, _the_one_kind(chain, CHAIN_KINDS, file, here), file, here)


def beyond_routes(listener: Mapping[str, Any]) -> list[str]:
    """Return the keys by which a listener does more than pass requests on by its routes."""
    passing = ("port", "publish", "tls", "routes")
    return [
        key
        for key, option in LISTENER.options.items()
        if key not in passing and listener[key] != option.get("default")
    ]


def _the_one_kind(spec: Mapping[str, Any], kinds: tuple[str, ...], file: str, where: str) -> str:
    found = [kind for kind in kinds if spec[kind] is not None]
    if len(found) != 1:
        has = f"has {' and '.join(repr(kind) for kind in found)}" if found else "says nothing of what it does"
        raise DemoError(
            file,
            f"{where}: {has}; it needs exactly one of 'routes', 'virtual_hosts' (HTTP) and 'filters' (anything else)"
            + (", or 'filter_chains' of such, or 'udp_filters'" if kinds == LISTENER_KINDS else ""),
        )
    return found[0]


def _check_http_only(spec: Mapping[str, Any], kind: str, file: str, where: str) -> None:
    for key in HTTP_ONLY:
        if kind not in ("routes", "virtual_hosts") and spec[key]:
            raise DemoError(
                file, f"{where}.{key}: is for HTTP, and '{kind}' makes this listener speak something else"
            )


def _check_cluster(cluster: Mapping[str, Any], file: str, where: str) -> None:
    if sum(bool(cluster[key]) for key in ("to", "address", "localities")) != 1:
        raise DemoError(
            file, f"{where}: needs either 'to' (a service or proxy of this demo) or 'address' and 'port'"
        )
    for position, locality in enumerate(cluster["localities"] or []):
        here = f"{where}.localities[{position}]"
        if not isinstance(locality.get("to"), str):
            raise DemoError(file, f"{here}: has no 'to'; name a service or proxy of this demo")
        if "lb_endpoints" in locality:
            raise DemoError(file, f"{here}.lb_endpoints: are computed from 'to'")
    if cluster["address"] and not cluster["port"]:
        raise DemoError(file, f"{where}: has an 'address' and no 'port'")
    if cluster["to"] and cluster["port"]:
        raise DemoError(file, f"{where}.port: leave it out, because the port of '{cluster['to']}' is known")


def _check_statsd(statsd: Mapping[str, Any], file: str, where: str) -> None:
    if statsd["transport"] == "udp" and not is_ip(statsd["address"]):
        raise DemoError(
            file,
            f"{where}.address: Envoy's UDP sink takes an IP address, not the name '{statsd['address']}';"
            " give its address, or use 'transport: tcp', which resolves names",
        )
    if statsd["transport"] == "tcp" and statsd["style"] == "dog_statsd":
        raise DemoError(
            file,
            f"{where}: dog_statsd speaks UDP only; use 'style: statsd', or 'transport: udp' and an IP address",
        )


def _check_beside(demo: Mapping[str, Any], file: str) -> None:
    beside = (demo["statsd_exporter"] or {}).get("shares_network_with")
    if not beside:
        return
    where = "statsd_exporter.shares_network_with"
    check_known(beside, [*demo["services"], *demo["proxies"]], file, where, "service or proxy")
    if beside in demo["services"] and not demo["services"][beside]["replicas"]:
        raise DemoError(
            file,
            f"{where}: '{beside}' has no replica to be beside; give it one, or leave 'shares_network_with' out",
        )


def _check_free(name: str, taken: tuple[str, ...], file: str, where: str) -> None:
    if name in taken:
        raise DemoError(file, f"{where}: the collection itself uses the name '{name}' there; choose another")
