# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw a line chart as SVG with the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 640, 400, 60
COLOURS = ("#1f6feb", "#d1495b", "#2a9d8f", "#8a6d3b")

Point = tuple[float, float]


def plot(title: str, axes: tuple[str, str], lines: Mapping[str, Sequence[Point]]) -> str:
    """Return a chart whose axes are linear and begin at 0, so that proportional growth is a straight line."""
    points = [point for line in lines.values() for point in line]
    right, top = max(x for x, _y in points), max(y for _x, y in points) * 1.1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="30" font-size="16">{escape(title)}</text>',
    ]
    middle = (WIDTH + MARGIN - 20) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 15}" text-anchor="middle">{escape(axes[0])}</text>')
    parts.append(
        f'<text transform="translate(15 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">{escape(axes[1])}</text>'
    )
    for step in range(6):
        x, y = right * step / 5, top * step / 5
        across, up = _pixels((x, y), right, top)
        parts.append(f'<line x1="{MARGIN}" y1="{up:.1f}" x2="{WIDTH - 20}" y2="{up:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{up + 4:.1f}" text-anchor="end">{y:.2f}</text>')
        parts.append(f'<text x="{across:.1f}" y="{HEIGHT - MARGIN + 20}" text-anchor="middle">{x:g}</text>')
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        pixels = [_pixels(point, right, top) for point in line]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in pixels)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in pixels]
        parts.append(f'<text x="{MARGIN + 12}" y="{60 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _pixels(point: Point, right: float, top: float) -> Point:
    x = MARGIN + point[0] / right * (WIDTH - MARGIN - 20)
    y = HEIGHT - MARGIN - point[1] / top * (HEIGHT - 2 * MARGIN)
    return x, y
