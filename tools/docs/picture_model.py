# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a topology picture: a box for each group of a demo, and an arrow for each connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    APP,
    EXPORTER,
    EXPORTER_STATSD,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import filter_chains, scheme

Socket = tuple[str, str]  # the name of a box, and the name of a row: a slot or a cluster
Point = tuple[float, float]

HOST = " host"  # no group of a demo has a blank in its name
CHARACTER, ROW, HEAD, PAD = 7.3, 22, 40, 10  # of 12 px, monospaced
GUTTER, GAP, LANE, MARGIN = 72, 26, 16, 14
LOOP = 14  # how far from its box an arrow is that leads back into it
LONGEST = 34  # characters of a line


@dataclass
class Part:
    """One program: the rows of its slots (left) and of its clusters (right), each from name to text."""

    title: str
    kind: str  # envoy | program | host | outside
    listens: dict[str, str] = field(default_factory=dict)
    talks: dict[str, str] = field(default_factory=dict)
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return max(len(self.listens), len(self.talks), 1)

    @property
    def height(self) -> float:
        """Return the height with title and rows."""
        return HEAD - 14 + self.rows * ROW + 6

    def minimum_width(self) -> float:
        """Return the width of the longest row."""
        sides = [max((len(text) for text in side.values()), default=0) for side in (self.listens, self.talks)]
        characters = max(sum(sides) + (4 if all(sides) else 2), len(self.title) + 2)
        return characters * CHARACTER + PAD

    def row(self, position: int) -> float:
        """Return the middle of a row as a y coordinate."""
        return self.y + HEAD - 14 + position * ROW + ROW / 2


@dataclass
class Box:
    """A group of the demo: one program, or a program and its Envoy sidecar in a frame."""

    name: str
    title: str
    parts: list[Part]
    stacked: bool = False  # the group has several replicas
    below: bool = False  # the program is below its sidecar, so that arrows pass next to either
    loops: int = 0
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def framed(self) -> bool:
        """Return whether the box has two parts in a frame."""
        return len(self.parts) > 1

    @property
    def height(self) -> float:
        """Return the height with the parts and the loops below them."""
        inside = [part.height for part in self.parts]
        if not self.framed:
            return HEAD - 16 + inside[0] + self.loops * LOOP
        return HEAD - 14 + (sum(inside) + 8 if self.below else max(inside)) + PAD + self.loops * LOOP

    def minimum_width(self) -> float:
        """Return the width of the parts or of the title."""
        inside = (
            sum(part.minimum_width() for part in self.parts)
            + (len(self.parts) - 1) * 44
            + 2 * PAD * self.framed
        )
        return max(inside, (len(self.title) + 4) * CHARACTER)


@dataclass(frozen=True)
class Arrow:
    """An arrow from a cluster of one box (`source`) to a slot of another (`target`)."""

    source: Socket
    target: Socket
    stats: bool = False


@dataclass
class Lane:
    """The space for an arrow that passes a column."""

    arrow: Arrow
    y: float = 0
    height: float = LANE


def boxes_of(demo: Demo) -> dict[str, Box]:
    """Return the boxes of a demo by name: the host, the groups, and addresses outside the demo."""
    slots = list(topology.listening_ports(demo))
    host = Part("published ports", "host", talks={_port(one): _port(one) for one in slots if one.publish})
    boxes = {HOST: Box(HOST, "the host", [host])} if host.talks else {}
    referenced = {
        (one.group, one.name)
        for group in demo["services"]
        for one in topology.referenced_ports(demo, group).values()
    }
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        parts = [_envoy(demo, group, proxy, (group, ADMIN) in referenced)] if proxy is not None else []
        title = group
        number = topology.replicas(demo, group)
        if group in demo["services"]:
            listeners = topology.listeners(demo, group)
            own = [one for one in slots if one.group == group and one.name not in (*listeners, ADMIN)]
            parts.append(_program(demo["services"][group], own, topology.referenced_ports(demo, group)))
            title += "" if number == 1 else f" × {number}"
        boxes[group] = Box(group, title, parts, stacked=number > 1)
    for address in sorted(
        {_outside(one) for _w, _n, one in _clusters(demo) if one["address"]} | set(_statsd(demo))
    ):
        boxes[address] = Box(address, "outside", [Part("", "outside", listens={"": _short(address)})])
    if demo[EXPORTER] is not None:
        neighbour = demo[EXPORTER]["shares_network_with"]
        listens = {one.name: f"{one.name} :{one.number}" for one in slots if one.group == EXPORTER}
        part = Part(
            f"in the network of {neighbour}" if neighbour else "statsd → Prometheus",
            "program",
            listens=listens,
        )
        boxes[EXPORTER] = Box(EXPORTER, EXPORTER, [part])
    return boxes


def _envoy(demo: Demo, group: str, proxy: Mapping[str, Any], shows_admin: bool) -> Part:
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
    return Part("Envoy, sidecar" if sidecar else "Envoy, edge", "envoy", listens, talks)


def _program(
    service: Mapping[str, Any], slots: Iterable[topology.ListeningPort], addresses: Iterable[str]
) -> Part:
    what = service["server"]["image"] if service["server"] is not None else "demo app"
    protocol = "" if service["protocol"] == "http" else f" {service['protocol']}"
    return Part(
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


_STATS = " stats"  # the name of a cluster has no blank


def _address_row(address: str) -> str:
    """Return the name of the row for an address that a server's texts reference."""
    return f" {address}"


def arrows_of(demo: Demo) -> Iterator[Arrow]:
    """Yield the connections of a demo."""
    for one in topology.listening_ports(demo):
        if one.publish:
            yield Arrow((HOST, _port(one)), (one.group, one.name))
    for group, name, spec in _clusters(demo):
        if spec["address"]:
            yield Arrow((group, name), (_outside(spec), ""))
        for target in dict.fromkeys(topology.cluster_targets(spec)):
            found = topology.resolve_target(demo, target, "to")
            # A sidecar whose cluster names its own service connects to the app.
            if found[0] == group and group in demo["services"] and "/" not in target:
                found = (group, APP)
            yield Arrow((group, name), found)
    for group in demo["services"]:
        for address, slot in topology.referenced_ports(demo, group).items():
            yield Arrow((group, _address_row(address)), (slot.group, slot.name))
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        if proxy is None:
            continue
        if group in demo["services"] and group not in proxy["clusters"]:
            yield Arrow((group, group), (group, APP))
        if proxy["statsd"] is not None:
            yield Arrow((group, _STATS), (_sink(proxy["statsd"]), ""), stats=True)
        elif demo[EXPORTER] is not None:
            yield Arrow((group, _STATS), (EXPORTER, EXPORTER_STATSD), stats=True)


def _clusters(demo: Demo) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for group in [*demo["proxies"], *demo["services"]]:
        for name, spec in (topology.proxy_of(demo, group) or {"clusters": {}})["clusters"].items():
            yield group, name, spec


def _statsd(demo: Demo) -> Iterator[str]:
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        if proxy is not None and proxy["statsd"] is not None:
            yield _sink(proxy["statsd"])


def _port(slot: topology.ListeningPort) -> str:
    return f":{slot.publish}"


def _outside(cluster: Mapping[str, Any]) -> str:
    return f"{cluster['address']}:{cluster['port']}"


def _sink(statsd: Mapping[str, Any]) -> str:
    return f"{statsd['address']}:{statsd['port']}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
