# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The topology of a demo as data: a box for each group, an arrow for each connection, and the listening port of each traffic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    APP,
    EXPORTER,
    EXPORTER_STATSD,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains, scheme

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
        Topology,
        TopologyArrow,
        TopologyBox,
        TopologyPart,
    )

# No group, cluster or listener of a demo has a parenthesis in its name.
HOST = "(host)"
_STATS = "(stats)"
LONGEST = 34  # characters of a row


def topology_of(demo: Demo, traffic: Sequence[Mapping[str, Any]] = ()) -> Topology:
    """Return what the picture of a demo shows.

    Args:
        demo: A loaded demo.
        traffic: Entries of its traffic, with `to`.
    """
    return {
        "boxes": boxes_of(demo),
        "arrows": list(arrows_of(demo)),
        "traffic": _traffic_targets(demo, traffic),
    }


def boxes_of(demo: Demo) -> list[TopologyBox]:
    """Return the boxes of a demo: the host, the groups, addresses outside the demo, and the exporter."""
    slots = list(topology.listening_ports(demo))
    published = {_port(one): _port(one) for one in slots if one.publish}
    host = _part("published ports", "host", talks=published)
    boxes = [_box(HOST, "the host", [host])] if published else []
    addressable = topology.addressable_ports(demo)
    addresses = {group: topology.referenced_ports(demo, group, addressable) for group in demo["services"]}
    referenced = {(one.group, one.name) for found in addresses.values() for one in found.values()}
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        parts = [_envoy(demo, group, proxy, (group, ADMIN) in referenced)] if proxy is not None else []
        title, number = group, topology.replicas(demo, group)
        if group in demo["services"]:
            listeners = topology.listeners(demo, group)
            own = [one for one in topology.ports_of(demo, group) if one.name not in (*listeners, ADMIN)]
            parts.append(_program(demo["services"][group], own, addresses[group]))
            title += "" if number == 1 else f" × {number}"
        boxes.append(_box(group, title, parts, number))
    outside = {_address(one) for _group, _name, one in _clusters(demo) if one["address"]}
    outside |= {_address(proxy["statsd"]) for _group, proxy in _proxies(demo) if proxy["statsd"] is not None}
    boxes += [
        _box(address, "outside", [_part("", "outside", {"": _short(address)})]) for address in sorted(outside)
    ]
    if demo[EXPORTER] is not None:
        neighbour = demo[EXPORTER]["shares_network_with"]
        listens = {one.name: f"{one.name} :{one.number}" for one in slots if one.group == EXPORTER}
        title = f"in the network of {neighbour}" if neighbour else "statsd → Prometheus"
        boxes.append(_box(EXPORTER, EXPORTER, [_part(title, "program", listens)]))
    return boxes


def arrows_of(demo: Demo) -> Iterator[TopologyArrow]:
    """Yield the connections of a demo."""
    for one in topology.listening_ports(demo):
        if one.publish:
            yield _arrow(HOST, _port(one), (one.group, one.name))
    for group, name, spec in _clusters(demo):
        if spec["address"]:
            yield _arrow(group, name, (_address(spec), ""))
        for target in dict.fromkeys(topology.cluster_targets(spec)):
            found = topology.resolve_target(demo, target, "to")
            # A sidecar whose cluster names its own service connects to the app.
            if found[0] == group and group in demo["services"] and "/" not in target:
                found = (group, APP)
            yield _arrow(group, name, found)
    addressable = topology.addressable_ports(demo)
    for group in demo["services"]:
        for address, slot in topology.referenced_ports(demo, group, addressable).items():
            yield _arrow(group, _address_row(address), (slot.group, slot.name))
    for group, proxy in _proxies(demo):
        if group in demo["services"] and group not in proxy["clusters"]:
            yield _arrow(group, group, (group, APP))
        if proxy["statsd"] is not None:
            yield _arrow(group, _STATS, (_address(proxy["statsd"]), ""), stats=True)
        elif demo[EXPORTER] is not None:
            yield _arrow(group, _STATS, (EXPORTER, EXPORTER_STATSD), stats=True)


def _traffic_targets(demo: Demo, traffic: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the listening port of each traffic by its name; an admin interface is none."""
    found = {}
    for entry in traffic:
        to = str(entry["to"])
        if not to.endswith(f"/{ADMIN}"):
            found[str(entry.get("name") or to)] = list(topology.resolve_target(demo, to, "to"))
    return found


def _box(name: str, title: str, parts: list[TopologyPart], replicas: int = 1) -> TopologyBox:
    return {"name": name, "title": title, "replicas": replicas, "parts": parts}


def _part(
    title: str, kind: str, listens: Mapping[str, str] | None = None, talks: Mapping[str, str] | None = None
) -> TopologyPart:
    return {"title": title, "kind": kind, "listens": dict(listens or {}), "talks": dict(talks or {})}


def _arrow(box: str, row: str, target: tuple[str, str], stats: bool = False) -> TopologyArrow:
    return {"source": [box, row], "target": list(target), "stats": stats}


def _envoy(demo: Demo, group: str, proxy: Mapping[str, Any], shows_admin: bool) -> TopologyPart:
    listens = {name: _listener(name, spec) for name, spec in proxy["listeners"].items()}
    if shows_admin or (proxy["admin"] or {}).get("publish"):
        listens[ADMIN] = f"{ADMIN} :{topology.ADMIN_PORT}"
    sidecar = group in demo["services"]
    clusters = {group: None, **proxy["clusters"]} if sidecar else dict(proxy["clusters"])
    talks = {
        name: _short(name + (" (TLS)" if spec and spec["tls"] is not None else ""))
        for name, spec in clusters.items()
    }
    if proxy["statsd"] is not None or demo[EXPORTER] is not None:
        talks[_STATS] = "stats"
    return _part("Envoy, sidecar" if sidecar else "Envoy, edge", "envoy", listens, talks)


def _program(
    service: Mapping[str, Any], slots: Iterable[topology.ListeningPort], addresses: Iterable[str]
) -> TopologyPart:
    what = service["server"]["image"] if service["server"] is not None else "demo app"
    protocol = "" if service["protocol"] == "http" else f" {service['protocol']}"
    return _part(
        _short(what),
        "program",
        listens={
            one.name: _short(f":{one.number}{protocol}" if one.name == APP else f"{one.name} :{one.number}")
            for one in slots
        },
        talks={_address_row(address): _short(address) for address in addresses},
    )


def _listener(name: str, spec: Mapping[str, Any]) -> str:
    schemes = list(
        dict.fromkeys(
            [scheme(spec)]
            if spec["udp_filters"] is not None
            else [scheme(one) for one in filter_chains(spec)]
        )
    )
    return _short(f"{name} :{spec['port']}" + ("" if schemes == [name] else f" {'/'.join(schemes)}"))


def _address_row(address: str) -> str:
    """Return the name of the row for an address that a server's texts reference."""
    return f"({address})"


def _proxies(demo: Demo) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the edge proxies and then the sidecars, with their groups."""
    for group in [*demo["proxies"], *demo["services"]]:
        if (proxy := topology.proxy_of(demo, group)) is not None:
            yield group, proxy


def _clusters(demo: Demo) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for group, proxy in _proxies(demo):
        for name, spec in proxy["clusters"].items():
            yield group, name, spec


def _port(slot: topology.ListeningPort) -> str:
    return f":{slot.publish}"


def _address(spec: Mapping[str, Any]) -> str:
    """Return the address of a cluster outside the demo, or of a statsd sink."""
    return f"{spec['address']}:{spec['port']}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
