# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layout of a topology picture: columns from left to right, the position of each box, and lanes for arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import (
    GAP,
    GUTTER,
    HEAD,
    HOST,
    LANE,
    MARGIN,
    PAD,
    Arrow,
    Box,
    Lane,
    Point,
    Socket,
)


def columns_of(boxes: Mapping[str, Box], arrows: Sequence[Arrow]) -> dict[str, int]:
    """Return the column of each box: the one after the last box with an arrow to it; arrows that lead back do not count."""
    into: dict[str, list[str]] = {name: [] for name in boxes}
    for arrow in arrows:
        if not arrow.inside:
            into[arrow.target[0]].append(arrow.source[0])
    found: dict[str, int] = {}

    def column(name: str, path: tuple[str, ...]) -> int:
        if name not in found:
            before = [column(one, (*path, name)) for one in into[name] if one not in (*path, name)]
            first = 0 if name == HOST or HOST not in boxes else 1
            found[name] = max([first, *(one + 1 for one in before)])
        return found[name]

    for name in boxes:
        column(name, ())
    sources = {arrow.source[0] for arrow in arrows}
    last = max(found.values(), default=0)
    # A box without arrows exists for a change of the demo. It is in the last column.
    return {name: one if into[name] or name in sources else last for name, one in found.items()}


def arrange(boxes: Mapping[str, Box], arrows: list[Arrow], columns: Mapping[str, int]) -> list[Lane]:
    """Arrange the boxes column by column, near the boxes with arrows to them, and return the lanes."""
    lanes: list[Lane] = []
    left: float = MARGIN
    ends: dict[Arrow, Point] = {}  # the last point of each arrow so far
    for number in range(max(columns.values(), default=0) + 1):
        column = [box for name, box in boxes.items() if columns[name] == number]
        passing = [Lane(one) for one in arrows if columns[one.source[0]] < number < columns[one.target[0]]]
        width = max((box.minimum_width() for box in column), default=0)
        preferred: list[tuple[float, int, Box | Lane]] = []
        for position, box in enumerate(column):
            _set_position(box, left, width)
            # Relative to the top of the box, because an arrow ends at a row.
            offsets = [
                ends[one][1] - end_of(box, one.target)[1]
                for one in arrows
                if one in ends and one.target[0] == box.name and one.source[0] != box.name
            ]
            preferred.append((sum(offsets) / len(offsets) if offsets else 0, position, box))
        preferred += [
            (ends[one.arrow][1], len(column) + position, one) for position, one in enumerate(passing)
        ]
        tops = _separated(
            [(top, one) for top, _position, one in sorted(preferred, key=lambda each: each[:2])]
        )
        for top, one in tops:
            if isinstance(one, Box):
                _set_position(one, left, width, top)
            else:
                one.y = top + LANE / 2
                ends[one.arrow] = (left + width, one.y)
        for arrow in arrows:
            if columns[arrow.source[0]] == number < columns[arrow.target[0]]:
                ends[arrow] = start_of(boxes[arrow.source[0]], arrow.source)
        lanes += passing
        # The labels of arrows are right of their boxes. Arrows curve beyond them.
        stub = max((box.stub for box in column), default=0)
        for box in column:
            box.stub = stub
        left += width + stub + GUTTER
    highest = min([box.y for box in boxes.values()] + [lane.y - LANE / 2 for lane in lanes], default=0)
    for lane in lanes:
        lane.y += MARGIN - highest
    for box in boxes.values():
        _set_position(box, box.x, box.width, box.y + MARGIN - highest)
    return lanes


def _separated(preferred: list[tuple[float, Box | Lane]]) -> list[tuple[float, Box | Lane]]:
    """Return the boxes and lanes of a column with gaps between them, with tops near the preferred ones."""
    tops: list[tuple[float, Box | Lane]] = []
    bottom = float("-inf")
    for top, one in preferred:
        actual = max(top, bottom)
        bottom = actual + one.height + (GAP if isinstance(one, Box) else 4)
        tops.append((actual, one))
    drift = sum(actual - top for (actual, _one), (top, _same) in zip(tops, preferred, strict=True)) / max(
        len(tops), 1
    )
    return [(actual - drift, one) for actual, one in tops]


def _set_position(box: Box, x: float, width: float, y: float = 0) -> None:
    """Set the position of a box and of its parts."""
    box.x, box.y, box.width = x, y, width
    if not box.framed:
        part = box.parts[0]
        part.x, part.y, part.width = x, y + HEAD - 16, width
        return
    first, second = box.parts
    top, room = y + HEAD - 14, width - 2 * PAD - box.between
    second.width = second.minimum_width() + (room - first.minimum_width() - second.minimum_width()) / 2
    first.width = room - second.width
    first.x, first.y = x + PAD, top
    second.x = x + width - PAD - second.width
    second.y = top + (first.height + 8 if box.below else 0)


def start_of(box: Box, socket: Socket) -> Point:
    """Return the point at which the arrows of a row begin."""
    part = next(one for one in box.parts if socket[1] in one.talks)
    return part.x + part.width, part.row(list(part.talks).index(socket[1]))


def end_of(box: Box, socket: Socket) -> Point:
    """Return the point at which the arrows to a row end."""
    part = next(one for one in box.parts if socket[1] in one.listens)
    return part.x, part.row(list(part.listens).index(socket[1]))
