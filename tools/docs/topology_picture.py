# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A demo's topology as a picture: what listens is on a box's left side, whom it talks to on its right, and arrows lead from there to here.

Columns from left to right: the host with its published ports, then whoever is asked by those before. An arrow over several columns
has a lane of its own in each of those between, and what leads back goes below, so that no arrow crosses a box. Colours are the page's
(class `topology` in docs/site/_static/site.css); without it the picture is black and white.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
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

Place = tuple[str, str]  # group, slot
Point = tuple[float, float]

HOST = " host"  # no group of a demo has a blank in its name
CHARACTER, ROW, HEAD, PAD = 7.3, 22, 40, 10  # of 12 px, monospaced
GUTTER, GAP, LANE, MARGIN = 72, 26, 16, 14
LOOP = 14  # how far from its box an arrow is that leads back into it
LONGEST = 34  # characters of a line


@dataclass
class Part:
    """One program: what it listens on (slot → text), and whom it talks to (cluster → text)."""

    title: str
    kind: str  # envoy | program | host | outside
    listens: dict[str, str] = field(default_factory=dict)
    talks: dict[str, str] = field(default_factory=dict)
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def rows(self) -> int:
        return max(len(self.listens), len(self.talks), 1)

    @property
    def height(self) -> float:
        return HEAD - 14 + self.rows * ROW + 6

    def needs(self) -> float:
        """The width of what is written in it."""
        sides = [max((len(text) for text in side.values()), default=0) for side in (self.listens, self.talks)]
        written = max(sum(sides) + (4 if all(sides) else 2), len(self.title) + 2)
        return written * CHARACTER + PAD

    def row(self, position: int) -> float:
        return self.y + HEAD - 14 + position * ROW + ROW / 2


@dataclass
class Box:
    """A group: one program, or Envoy beside one."""

    name: str
    title: str
    parts: list[Part]
    stacked: bool = False  # there are several of it
    below: bool = False  # its program is placed below its sidecar, so that arrows can pass one of them
    loops: int = 0
    x: float = 0
    y: float = 0
    width: float = 0

    @property
    def framed(self) -> bool:
        return len(self.parts) > 1

    @property
    def height(self) -> float:
        inside = [part.height for part in self.parts]
        if not self.framed:
            return HEAD - 16 + inside[0] + self.loops * LOOP
        return HEAD - 14 + (sum(inside) + 8 if self.below else max(inside)) + PAD + self.loops * LOOP

    def needs(self) -> float:
        inside = sum(part.needs() for part in self.parts) + (len(self.parts) - 1) * 44 + 2 * PAD * self.framed
        return max(inside, (len(self.title) + 4) * CHARACTER)


@dataclass(frozen=True)
class Arrow:
    """From what a group talks to (`source`: group, cluster) to what another listens on."""

    source: Place
    target: Place
    stats: bool = False


@dataclass
class Lane:
    """Room for an arrow that passes a column."""

    arrow: Arrow
    y: float = 0
    height: float = LANE


def picture(demo: Demo, identifier: str = "topology") -> str:
    """Return the SVG of a demo as `demo.read` answers it; `identifier` is unique in the page that holds it."""
    boxes, arrows = _boxes(demo), list(_arrows(demo))
    for arrow in arrows:
        box = boxes[arrow.target[0]]
        same = arrow.source[0] == arrow.target[0]
        asking = boxes[arrow.source[0]]
        # What leaves a sidecar passes its program on the right: there is room for that below a program of one row.
        if asking.framed and not same and asking.parts[1].rows > 1:
            asking.below = True
        if box.framed and arrow.target[1] not in box.parts[0].listens and not same:
            box.below = True
        if same and not (box.framed and arrow.target[1] in box.parts[1].listens):
            box.loops += 1
    columns = _columns(boxes, arrows)
    if HOST in boxes:
        # Those to what is near first, so that arrows to what is not pass below.
        near = {one.source[1]: columns[one.target[0]] for one in arrows if one.source[0] == HOST}
        ports = boxes[HOST].parts[0]
        ports.talks = dict(sorted(ports.talks.items(), key=lambda port: near[port[0]]))
    lanes = _placed(boxes, arrows, columns)
    return _drawn(demo, boxes, arrows, columns, lanes, identifier)


def in_words(demo: Demo) -> str:
    """Return the same as sentences, for those who do not see it."""
    boxes = _boxes(demo)
    sentences = []
    for name, box in boxes.items():
        for part in box.parts:
            for cluster, text in part.talks.items():
                to = ", ".join(
                    f"{boxes[one.target[0]].name.strip()} ({_called(boxes, one.target)})"
                    for one in _arrows(demo)
                    if one.source == (name, cluster)
                )
                who = f"Port {text.lstrip(':')} of the host" if name == HOST else f"{text} of {name}"
                sentences.append(f"{who} leads to {to}.")
    several = [f"{one.title}." for one in boxes.values() if one.stacked]
    return " ".join([*sentences, *several])


def _called(boxes: Mapping[str, Box], place: Place) -> str:
    """Return how a box calls what it listens on."""
    group, slot = place
    return next(part.listens[slot] for part in boxes[group].parts if slot in part.listens)


# --- What there is ----------------------------------------------------------------------------------------------------------------------


def _boxes(demo: Demo) -> dict[str, Box]:
    slots = list(topology.slots(demo))
    host = Part("published ports", "host", talks={_port(one): _port(one) for one in slots if one.publish})
    boxes = {HOST: Box(HOST, "the host", [host])} if host.talks else {}
    told = {
        (one.group, one.name) for group in demo["services"] for one in topology.told(demo, group).values()
    }
    for group in [*demo["proxies"], *demo["services"]]:
        proxy = topology.proxy_of(demo, group)
        parts = [_envoy(demo, group, proxy, (group, ADMIN) in told)] if proxy is not None else []
        title = group
        number = topology.replicas(demo, group)
        if group in demo["services"]:
            listeners = topology.listeners(demo, group)
            own = [one for one in slots if one.group == group and one.name not in (*listeners, ADMIN)]
            parts.append(_program(demo["services"][group], own, topology.told(demo, group)))
            title += "" if number == 1 else f" × {number}"
        boxes[group] = Box(group, title, parts, stacked=number > 1)
    for address in sorted(
        {_outside(one) for _w, _n, one in _clusters(demo) if one["address"]} | set(_statsd(demo))
    ):
        boxes[address] = Box(address, "elsewhere", [Part("", "outside", listens={"": _short(address)})])
    if demo[EXPORTER] is not None:
        beside = demo[EXPORTER]["shares_network_with"]
        listens = {one.name: f"{one.name} :{one.stated}" for one in slots if one.group == EXPORTER}
        part = Part(f"beside {beside}" if beside else "statsd → Prometheus", "program", listens=listens)
        boxes[EXPORTER] = Box(EXPORTER, EXPORTER, [part])
    return boxes


def _envoy(demo: Demo, group: str, proxy: Mapping[str, Any], admin_is_asked: bool) -> Part:
    listens = {name: _listener(name, spec) for name, spec in proxy["listeners"].items()}
    if admin_is_asked or (proxy["admin"] or {}).get("publish"):
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


def _program(service: Mapping[str, Any], slots: Iterable[topology.Slot], told: Iterable[str]) -> Part:
    what = service["server"]["image"] if service["server"] is not None else "demo app"
    spoken = "" if service["protocol"] == "http" else f" {service['protocol']}"
    return Part(
        _short(what),
        "program",
        listens={
            one.name: _short(f":{one.stated}{spoken}" if one.name == APP else f"{one.name} :{one.stated}")
            for one in slots
        },
        talks={_told(place): _short(place) for place in told},
    )


def _listener(name: str, spec: Mapping[str, Any]) -> str:
    spoken = list(
        dict.fromkeys(
            [scheme(spec)]
            if spec["udp_filters"] is not None
            else [scheme(one) for one in filter_chains(spec)]
        )
    )
    return _short(f"{name} :{spec['port']}" + ("" if spoken == [name] else f" {'/'.join(spoken)}"))


_STATS = " stats"  # no cluster has a blank in its name


def _told(place: str) -> str:
    """Return what a server talks to that is told of a place."""
    return f" {place}"


def _arrows(demo: Demo) -> Iterator[Arrow]:
    for one in topology.slots(demo):
        if one.publish:
            yield Arrow((HOST, _port(one)), (one.group, one.name))
    for group, name, spec in _clusters(demo):
        if spec["address"]:
            yield Arrow((group, name), (_outside(spec), ""))
        for target in dict.fromkeys(topology.targets(spec)):
            found = topology.target(demo, target, "to")
            # A sidecar that names its own service means the app beside it.
            if found[0] == group and group in demo["services"] and "/" not in target:
                found = (group, APP)
            yield Arrow((group, name), found)
    for group in demo["services"]:
        for place, slot in topology.told(demo, group).items():
            yield Arrow((group, _told(place)), (slot.group, slot.name))
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


def _port(slot: topology.Slot) -> str:
    return f":{slot.publish}"


def _outside(cluster: Mapping[str, Any]) -> str:
    return f"{cluster['address']}:{cluster['port']}"


def _sink(statsd: Mapping[str, Any]) -> str:
    return f"{statsd['address']}:{statsd['port']}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# --- Where it is ------------------------------------------------------------------------------------------------------------------------


def _columns(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> dict[str, int]:
    """Return the column of each box: one after the last of those that lead to it; what leads back does not count."""
    into: dict[str, list[str]] = {name: [] for name in boxes}
    for arrow in arrows:
        if arrow.source[0] != arrow.target[0]:
            into[arrow.target[0]].append(arrow.source[0])
    found: dict[str, int] = {}

    def column(name: str, above: tuple[str, ...]) -> int:
        if name not in found:
            before = [column(one, (*above, name)) for one in into[name] if one not in (*above, name)]
            first = 0 if name == HOST or HOST not in boxes else 1
            found[name] = max([first, *(one + 1 for one in before)])
        return found[name]

    for name in boxes:
        column(name, ())
    asking = {arrow.source[0] for arrow in arrows}
    last = max(found.values(), default=0)
    # Whom nobody asks, and who asks nobody, is there for a change: it stands with those whom somebody asks.
    return {name: one if into[name] or name in asking else last for name, one in found.items()}


def _placed(boxes: Mapping[str, Box], arrows: list[Arrow], columns: Mapping[str, int]) -> list[Lane]:
    """Give each box its place, column by column, near to what leads to it; return the lanes."""
    lanes: list[Lane] = []
    left: float = MARGIN
    ends: dict[Arrow, Point] = {}  # where each arrow has got to
    for number in range(max(columns.values(), default=0) + 1):
        here = [box for name, box in boxes.items() if columns[name] == number]
        passing = [Lane(one) for one in arrows if columns[one.source[0]] < number < columns[one.target[0]]]
        width = max((box.needs() for box in here), default=0)
        wanted: list[tuple[float, int, Box | Lane]] = []
        for position, box in enumerate(here):
            _arrange(box, left, width)
            # Relative to the box's own top, since an arrow leads to a row.
            offsets = [
                ends[one][1] - _end(box, one.target)[1]
                for one in arrows
                if one in ends and one.target[0] == box.name and one.source[0] != box.name
            ]
            wanted.append((sum(offsets) / len(offsets) if offsets else 0, position, box))
        wanted += [(ends[one.arrow][1], len(here) + place, one) for place, one in enumerate(passing)]
        tops = _apart([(top, one) for top, _position, one in sorted(wanted, key=lambda each: each[:2])])
        for top, one in tops:
            if isinstance(one, Box):
                _arrange(one, left, width, top)
            else:
                one.y = top + LANE / 2
                ends[one.arrow] = (left + width, one.y)
        for arrow in arrows:
            if columns[arrow.source[0]] == number < columns[arrow.target[0]]:
                ends[arrow] = _start(boxes[arrow.source[0]], arrow.source)
        lanes += passing
        left += width + GUTTER
    highest = min([box.y for box in boxes.values()] + [lane.y - LANE / 2 for lane in lanes], default=0)
    for lane in lanes:
        lane.y += MARGIN - highest
    for box in boxes.values():
        _arrange(box, box.x, box.width, box.y + MARGIN - highest)
    return lanes


def _apart(wanted: list[tuple[float, Box | Lane]]) -> list[tuple[float, Box | Lane]]:
    """Return what is in a column with tops that leave a gap between each two, as near to the wanted ones as all at once can be."""
    tops: list[tuple[float, Box | Lane]] = []
    bottom = float("-inf")
    for top, one in wanted:
        place = max(top, bottom)
        bottom = place + one.height + (GAP if isinstance(one, Box) else 4)
        tops.append((place, one))
    drift = sum(place - top for (place, _one), (top, _same) in zip(tops, wanted, strict=True)) / max(
        len(tops), 1
    )
    return [(place - drift, one) for place, one in tops]


def _arrange(box: Box, x: float, width: float, y: float = 0) -> None:
    """Put a box there, and its parts into it."""
    box.x, box.y, box.width = x, y, width
    if not box.framed:
        part = box.parts[0]
        part.x, part.y, part.width = x, y + HEAD - 16, width
        return
    first, second = box.parts
    top, room = y + HEAD - 14, width - 2 * PAD - 44
    second.width = second.needs() + (room - first.needs() - second.needs()) / 2
    first.width = room - second.width
    first.x, first.y = x + PAD, top
    second.x = x + width - PAD - second.width
    second.y = top + (first.height + 8 if box.below else 0)


def _start(box: Box, place: Place) -> Point:
    part = next(one for one in box.parts if place[1] in one.talks)
    return part.x + part.width, part.row(list(part.talks).index(place[1]))


def _end(box: Box, place: Place) -> Point:
    part = next(one for one in box.parts if place[1] in one.listens)
    return part.x, part.row(list(part.listens).index(place[1]))


# --- How it is drawn --------------------------------------------------------------------------------------------------------------------


def _drawn(
    demo: Demo,
    boxes: Mapping[str, Box],
    arrows: list[Arrow],
    columns: Mapping[str, int],
    lanes: list[Lane],
    identifier: str,
) -> str:
    bottom = max([box.y + box.height for box in boxes.values()] + [lane.y for lane in lanes], default=0)
    back = [
        one
        for one in arrows
        if columns[one.target[0]] <= columns[one.source[0]] and one.source[0] != one.target[0]
    ]
    width = max((box.x + box.width for box in boxes.values()), default=0) + MARGIN + LOOP
    height = bottom + MARGIN + len(back) * LOOP
    shapes = [shape for box in boxes.values() for shape in _shapes(box)]
    loops: dict[str, int] = {}
    for arrow in arrows:
        source, target = boxes[arrow.source[0]], boxes[arrow.target[0]]
        start, end = _start(source, arrow.source), _end(target, arrow.target)
        if source is target and source.framed and arrow.target[1] in source.parts[1].listens:
            path = _through(start, [start, end], end)
        elif source is target:
            loops[source.name] = number = loops.get(source.name, 0) + 1
            path = _around(start, end, source.y + source.height - (source.loops - number) * LOOP - 4, number)
        elif arrow in back:
            number = back.index(arrow) + 1
            path = _around(start, end, bottom + number * LOOP, number)
        else:
            stops = [(source.x + source.width, start[1])]
            for lane in lanes:
                if lane.arrow == arrow:
                    begins, ends = _span(boxes, columns, lanes, lane)
                    stops += [(begins, lane.y), (ends, lane.y)]
            path = _through(start, [*stops, (target.x, end[1])], end)
        shapes.append(_arrow(path, end, arrow.stats))
    described = f'<title id="{identifier}-title">Topology of {escape(str(demo["name"]))}</title>'
    described += f'<desc id="{identifier}-desc">{escape(in_words(demo))}</desc>'
    opening = (
        f'<svg class="topology" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" aria-labelledby="{identifier}-title {identifier}-desc" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="12" fill="none" stroke="none">'
    )
    return "\n".join([opening, described, *shapes, "</svg>"])


def _span(boxes: Mapping[str, Box], columns: Mapping[str, int], lanes: list[Lane], lane: Lane) -> Point:
    """Return where a lane's column begins and ends."""
    own = [one for one in lanes if one.arrow == lane.arrow]
    number = columns[lane.arrow.source[0]] + 1 + next(place for place, one in enumerate(own) if one is lane)
    here = [box for name, box in boxes.items() if columns[name] == number]
    return min(box.x for box in here), max(box.x + box.width for box in here)


def _shapes(box: Box) -> Iterator[str]:
    top = box.height - box.loops * LOOP
    part = box.parts[0]
    frame = "frame" if box.framed else part.kind
    for shift in (6, 3) if box.stacked else ():
        yield _rectangle(box.x + shift, box.y + shift, box.width, top, f"{frame} behind")
    yield _rectangle(box.x, box.y, box.width, top, frame)
    yield _text(box.x + box.width / 2, box.y + 17, box.title, "name", "middle")
    for one in box.parts:
        if box.framed:
            yield _rectangle(one.x, one.y, one.width, one.height, one.kind)
        if one.title:
            yield _text(one.x + one.width / 2, one.y + 14, one.title, "what", "middle")
        for position, text in enumerate(one.listens.values()):
            yield _text(one.x + PAD, one.row(position) + 4, text, "row", "start")
        for position, text in enumerate(one.talks.values()):
            yield _text(one.x + one.width - PAD, one.row(position) + 4, text, "row", "end")


def _rectangle(x: float, y: float, width: float, height: float, kind: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place} rx="5" fill="Canvas" stroke="currentColor"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    weight = ' font-weight="bold"' if kind == "name" else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{weight}>{escape(text)}</text>'


def _arrow(path: str, end: Point, stats: bool) -> str:
    x, y = end
    kind, dashes = ("arrow stats", ' stroke-dasharray="4 3"') if stats else ("arrow", "")
    return (
        f'<path class="{kind}" d="{path}" stroke="currentColor" stroke-width="1.3"{dashes}/>'
        f'<path class="head" d="M{x:.1f} {y:.1f}l-8 -4v8z" fill="currentColor"/>'
    )


def _through(start: Point, stops: Sequence[Point], end: Point) -> str:
    """Curves from one column to the next, and straight lines through those between and out of and into a box's frame."""
    path = f"M{start[0]:.1f} {start[1]:.1f}"
    for (x, y), (to_x, to_y) in zip(stops[::2], stops[1::2], strict=True):
        middle = (x + to_x) / 2
        path += f"H{x:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return f"{path}H{end[0]:.1f}"


def _around(start: Point, end: Point, below: float, number: int) -> str:
    """Out at the right, back below, and in at the left."""
    out = 6 + 5 * number
    return (
        f"M{start[0]:.1f} {start[1]:.1f}h{out - 4}q4 0 4 4V{below - 4:.1f}q0 4 -4 4"
        f"H{end[0] - out - 4:.1f}q-4 0 -4 -4V{end[1] + 4:.1f}q0 -4 4 -4H{end[0]:.1f}"
    )
