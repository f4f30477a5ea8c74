# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe how a time grows with a size: as JSON and a chart in build/growth, and as a figure that compares it with linear growth."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import ROOT, Figure
from plot import Point, plot

FOLDER = ROOT / "build" / "growth"
# The longest accepted time of the largest size, by the time that the smaller sizes predict.
BOUND = 1.25


@dataclass(frozen=True)
class Growth:
    """The times of one subject: a line of points (size, seconds) for each variant."""

    title: str
    axes: tuple[str, str]
    lines: Mapping[str, Sequence[Point]]

    def write(self, name: str, folder: Path = FOLDER) -> None:
        """Write the points as NAME.json and the chart as NAME.svg."""
        folder.mkdir(parents=True, exist_ok=True)
        data = {"title": self.title, "axes": self.axes, "lines": self.lines}
        (folder / f"{name}.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
        (folder / f"{name}.svg").write_text(self.chart(), encoding="utf-8")

    def chart(self) -> str:
        """Return the chart as SVG."""
        return plot(self.title, self.axes, self.lines)


def read(path: Path) -> Growth:
    """Return the growth of a file that `write` has written."""
    data = json.loads(path.read_text(encoding="utf-8"))
    lines = {name: [(float(x), float(y)) for x, y in points] for name, points in data["lines"].items()}
    return Growth(data["title"], (data["axes"][0], data["axes"][1]), lines)


def against_linear(points: Sequence[Point]) -> float:
    """Return the time of the largest size by the time that the straight line through the smaller sizes predicts for it.

    The prediction is at least the time of the next smaller size, because the times of a busy machine can decrease.
    """
    *smaller, (size, seconds) = sorted(points)
    slope, intercept = statistics.linear_regression(*zip(*smaller, strict=True))
    return seconds / max(slope * size + intercept, smaller[-1][1])


def linear(subject: str, points: Sequence[Point]) -> Figure:
    """Return the figure that compares the largest size with linear growth."""
    shown = ", ".join(f"{size:g}: {seconds:.2f} s" for size, seconds in points)
    return Figure(
        f"growth of {subject}",
        against_linear(points),
        BOUND,
        "× linear growth from the smaller sizes",
        shown,
    )
