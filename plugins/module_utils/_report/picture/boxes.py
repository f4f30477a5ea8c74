# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a topology picture with their sizes: boxes with rows, arrows between rows, and labels on arrows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Topology

Socket = tuple[str, str]  # the name of a box, and the name of a row
Point = tuple[float, float]

HOST = "(host)"  # as in the topology of a plan
CHARACTER, SMALL, ROW, HEAD, PAD = 7.3, 6.1, 22, 40, 10  # of 12 px and of 10 px, monospaced
GUTTER, GAP, LANE, MARGIN = 72, 26, 16, 14
LOOP = 14  # how far from its box an arrow is that leads back into it
LABELLED_ROW = 36  # height of a row with space for a label of two lines
BETWEEN = 44  # space between the two parts of a frame


@dataclass(frozen=True)
class Label:
    """The numbers of a connection, at the beginning of its arrow: a line above the arrow, and a line below it."""

    above: str
    below: str = ""
    failed: bool = False
    minimum: int = 0  # characters that the label has space for, so that a live picture does not move

    @property
    def width(self) -> float:
        """Return the width of the longer line."""
        return max(len(self.above), len(self.below), self.minimum) * SMALL + PAD


@dataclass
class Part:
    """One program: the rows of its listening ports (left) and of its clusters (right), each from name to text."""

    title: str
    kind: str  # envoy | program | host | outside
    listens: dict[str, str] = field(default_factory=dict)
    talks: dict[str, str] = field(default_factory=dict)
    row_height: float = ROW
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
        return HEAD - 14 + self.rows * self.row_height + 6

    def minimum_width(self) -> float:
        """Return the width of the longest row."""
        sides = [max((len(text) for text in side.values()), default=0) for side in (self.listens, self.talks)]
        characters = max(sum(sides) + (4 if all(sides) else 2), len(self.title) + 2)
        return characters * CHARACTER + PAD

    def row(self, position: int) -> float:
        """Return the middle of a row as a y coordinate."""
        return self.y + HEAD - 14 + (position + 0.5) * self.row_height


@dataclass
class Box:
    """A group of the demo: one program, or a program and its Envoy sidecar in a frame."""

    name: str
    title: str
    parts: list[Part]
    stacked: bool = False  # the group has several replicas
    caption: str = ""  # where the group runs
    failing: bool = False
    between: float = BETWEEN  # space between the two parts
    stub: float = 0  # width of the labels of its arrows, right of the box
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
        inside = sum(part.minimum_width() for part in self.parts)
        inside += (len(self.parts) - 1) * self.between + 2 * PAD * self.framed
        return max(inside, (len(self.title) + 4) * CHARACTER + len(self.caption) * SMALL)


@dataclass(frozen=True)
class Arrow:
    """An arrow from a row of one box (`source`) to a row of another (`target`)."""

    source: Socket
    target: Socket
    stats: bool = False

    @property
    def inside(self) -> bool:
        """Return whether the arrow begins and ends in one box."""
        return self.source[0] == self.target[0]


@dataclass
class Lane:
    """The space for an arrow that passes a column."""

    arrow: Arrow
    y: float = 0
    height: float = LANE


def read_topology(
    topology: Topology,
    labels: Mapping[Socket, Label],
    captions: Mapping[str, str],
    failing: Collection[str] = (),
) -> tuple[dict[str, Box], list[Arrow]]:
    """Return the boxes by name and the arrows, with space for the labels of rows and the captions of boxes."""
    row_height = LABELLED_ROW if labels else ROW
    boxes = {
        one["name"]: Box(
            one["name"],
            one["title"],
            [
                Part(part["title"], part["kind"], dict(part["listens"]), dict(part["talks"]), row_height)
                for part in one["parts"]
            ],
            one["replicas"] > 1,
            captions.get(one["name"], ""),
            one["name"] in failing,
        )
        for one in topology["boxes"]
    }
    arrows = [
        Arrow((one["source"][0], one["source"][1]), (one["target"][0], one["target"][1]), one["stats"])
        for one in topology["arrows"]
    ]
    arrows = list(dict.fromkeys(arrows))
    for arrow in arrows:
        if arrow.source in labels:
            box, width = boxes[arrow.source[0]], labels[arrow.source].width
            if arrow.inside and box.framed:
                box.between = max(box.between, width + 24)
            else:
                box.stub = max(box.stub, width)
    return boxes, arrows
