# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draw the topology of a demo as SVG: listening ports at the left of a box, clusters at its right, arrows from clusters to ports.

The first column is the host with its published ports. Each other box is right of the boxes with arrows to it. An arrow over several columns
has its own lane in each column between them, and an arrow that leads back runs below the boxes, so that no arrow crosses a box. The page
that contains the picture sets its colours by the class `topology`; without them the picture is black and white.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import (
    HOST,
    LOOP,
    MARGIN,
    PAD,
    Arrow,
    Box,
    Label,
    Lane,
    Point,
    Socket,
    read_topology,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.columns import (
    arrange,
    columns_of,
    end_of,
    start_of,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Topology

Boxes = Mapping[str, Box]


def picture(
    topology: Topology,
    name: str,
    identifier: str = "topology",
    labels: Mapping[Socket, Label] | None = None,
    captions: Mapping[str, str] | None = None,
    failing: Collection[str] = (),
) -> str:
    """Return the SVG of a topology.

    Args:
        topology: The topology of a plan.
        name: Name of the demo.
        identifier: Start of the ids in the SVG, unique in the page.
        labels: Numbers of the connections that begin at a row, by box and row.
        captions: Where each box runs, by the name of the box.
        failing: Names of the boxes that do not serve.
    """
    labels = labels or {}
    boxes, arrows = read_topology(topology, labels, captions or {}, failing)
    for arrow in arrows:
        source, box = boxes[arrow.source[0]], boxes[arrow.target[0]]
        # Arrows from a sidecar pass its program on the right. Below a program with one row is space for them.
        if source.framed and not arrow.inside and source.parts[1].rows > 1:
            source.below = True
        if box.framed and arrow.target[1] not in box.parts[0].listens and not arrow.inside:
            box.below = True
        if arrow.inside and not (box.framed and arrow.target[1] in box.parts[1].listens):
            box.loops += 1
    columns = columns_of(boxes, arrows)
    if HOST in boxes:
        # Ports of near boxes come first, so that arrows to far boxes pass below.
        near = {one.source[1]: columns[one.target[0]] for one in arrows if one.source[0] == HOST}
        ports = boxes[HOST].parts[0]
        ports.talks = dict(sorted(ports.talks.items(), key=lambda port: near[port[0]]))
    lanes = arrange(boxes, arrows, columns)
    return draw(name, boxes, arrows, columns, lanes, labels, identifier)


def description(boxes: Boxes, arrows: Sequence[Arrow], labels: Mapping[Socket, Label]) -> str:
    """Return the content of the picture as sentences, for screen readers."""
    sentences = []
    for name, box in boxes.items():
        for part in box.parts:
            for row, text in part.talks.items():
                targets = ", ".join(
                    f"{boxes[one.target[0]].name} ({_row_text(boxes, one.target)})"
                    for one in arrows
                    if one.source == (name, row)
                )
                subject = f"Port {text.lstrip(':')} of the host" if name == HOST else f"{text} of {name}"
                label = labels.get((name, row))
                numbers = f": {label.above}, {label.below}" if label else ""
                sentences.append(f"{subject} leads to {targets}{numbers}.")
    several = [f"{one.title}." for one in boxes.values() if one.stacked]
    return " ".join([*sentences, *several])


def _row_text(boxes: Boxes, socket: Socket) -> str:
    """Return the text of the row at which an arrow ends."""
    box, row = socket
    return next(part.listens[row] for part in boxes[box].parts if row in part.listens)


def draw(
    name: str,
    boxes: Boxes,
    arrows: Sequence[Arrow],
    columns: Mapping[str, int],
    lanes: list[Lane],
    labels: Mapping[Socket, Label],
    identifier: str,
) -> str:
    """Return the SVG of arranged boxes and lanes."""
    bottom = max([box.y + box.height for box in boxes.values()] + [lane.y for lane in lanes], default=0)
    back = [one for one in arrows if columns[one.target[0]] <= columns[one.source[0]] and not one.inside]
    width = max((box.x + box.width + box.stub for box in boxes.values()), default=0) + MARGIN + LOOP
    height = bottom + MARGIN + len(back) * LOOP
    shapes = [shape for box in boxes.values() for shape in _shapes(box)]
    texts: dict[Socket, str] = {}
    loops: dict[str, int] = {}
    for arrow in arrows:
        source, target = boxes[arrow.source[0]], boxes[arrow.target[0]]
        start, end = start_of(source, arrow.source), end_of(target, arrow.target)
        label_x = max(start[0], source.x + source.width)
        if source is target and source.framed and arrow.target[1] in source.parts[1].listens:
            label = labels.get(arrow.source)
            path = _through(start, [(start[0] + (label.width if label else 0), start[1]), end], end)
            label_x = start[0]
        elif source is target:
            loops[source.name] = number = loops.get(source.name, 0) + 1
            path = _around(start, end, source.y + source.height - (source.loops - number) * LOOP - 4, number)
        elif arrow in back:
            number = back.index(arrow) + 1
            path = _around(start, end, bottom + number * LOOP, number)
        else:
            stops = [(source.x + source.width + source.stub, start[1])]
            for lane in lanes:
                if lane.arrow == arrow:
                    begins, ends = _span(boxes, columns, lanes, lane)
                    stops += [(begins, lane.y), (ends, lane.y)]
            path = _through(start, [*stops, (target.x, end[1])], end)
        shapes.append(_arrow(path, end, arrow.stats))
        if arrow.source in labels:
            texts[arrow.source] = _label(label_x + 5, start[1], labels[arrow.source])
    described = f'<title id="{identifier}-title">Topology of {escape(name)}</title>'
    described += f'<desc id="{identifier}-desc">{escape(description(boxes, arrows, labels))}</desc>'
    opening = (
        f'<svg class="topology" xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" aria-labelledby="{identifier}-title {identifier}-desc" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="12" fill="none" stroke="none">'
    )
    return "\n".join([opening, described, *shapes, *texts.values(), "</svg>"])


def _span(boxes: Boxes, columns: Mapping[str, int], lanes: list[Lane], lane: Lane) -> Point:
    """Return the left and right end of a lane's column, with the labels of the column."""
    own = [one for one in lanes if one.arrow == lane.arrow]
    number = (
        columns[lane.arrow.source[0]] + 1 + next(position for position, one in enumerate(own) if one is lane)
    )
    column = [box for name, box in boxes.items() if columns[name] == number]
    return min(box.x for box in column), max(box.x + box.width + box.stub for box in column)


def _shapes(box: Box) -> Iterator[str]:
    top = box.height - box.loops * LOOP
    part = box.parts[0]
    frame = "frame" if box.framed else part.kind
    for shift in (6, 3) if box.stacked else ():
        yield _rectangle(box.x + shift, box.y + shift, box.width, top, f"{frame} behind")
    yield _rectangle(box.x, box.y, box.width, top, f"{frame} failing" if box.failing else frame)
    caption = (
        f'<tspan class="caption" font-size="10" font-weight="normal" dx="8">{escape(box.caption)}</tspan>'
    )
    title = _text(box.x + box.width / 2, box.y + 17, box.title, "name", "middle")
    yield title.replace("</text>", f"{caption}</text>") if box.caption else title
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
    geometry = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {geometry} rx="5" fill="Canvas" stroke="currentColor"/>'


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> str:
    weight = ' font-weight="bold"' if kind == "name" else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{weight}>{escape(text)}</text>'


def _label(x: float, y: float, label: Label) -> str:
    kind = "label failed" if label.failed else "label"
    lines = ((label.above, y - 5), (label.below, y + 13))
    spans = "".join(f'<tspan x="{x:.1f}" y="{at:.1f}">{escape(text)}</tspan>' for text, at in lines if text)
    return f'<text class="{kind}" font-size="10" fill="currentColor">{spans}</text>'


def _arrow(path: str, end: Point, stats: bool) -> str:
    x, y = end
    kind, dashes = ("arrow stats", ' stroke-dasharray="4 3"') if stats else ("arrow", "")
    return (
        f'<path class="{kind}" d="{path}" stroke="currentColor" stroke-width="1.3"{dashes}/>'
        f'<path class="head" d="M{x:.1f} {y:.1f}l-8 -4v8z" fill="currentColor"/>'
    )


def _through(start: Point, stops: Sequence[Point], end: Point) -> str:
    """Return a path with curves between columns, and straight lines through columns and out of and into frames."""
    path = f"M{start[0]:.1f} {start[1]:.1f}"
    for (x, y), (to_x, to_y) in zip(stops[::2], stops[1::2], strict=True):
        middle = (x + to_x) / 2
        path += f"H{x:.1f}C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return f"{path}H{end[0]:.1f}"


def _around(start: Point, end: Point, below: float, number: int) -> str:
    """Return a path that leaves at the right, goes back below, and enters at the left."""
    out = 6 + 5 * number
    return (
        f"M{start[0]:.1f} {start[1]:.1f}h{out - 4}q4 0 4 4V{below - 4:.1f}q0 4 -4 4"
        f"H{end[0] - out - 4:.1f}q-4 0 -4 -4V{end[1] + 4:.1f}q0 -4 4 -4H{end[0]:.1f}"
    )
