# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Charts as SVG that stretches to its column, with labels as HTML beside it. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    duration_text,
    milliseconds_text,
    rate_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Html,
    element,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    CheckedExpectation,
    Interval,
)

WIDTH, HEIGHT = 1000, 100  # units of a plot, which stretches
COLOURS = 6  # series with a colour of their own
MARGIN_OF_SCALE = 1.15
SHORTEST_CURVE = 2  # points


def plot(title: str, shapes: str, top: str, labels: Sequence[str], bottom: str = "0") -> Html:
    """Return a plot with the values of its vertical axis, and labels below it, from left to right."""
    svg = Html(
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(title)}">'
        f'<path class="grid" d="M0 .5H{WIDTH}M0 50H{WIDTH}M0 99.5H{WIDTH}"/>{shapes}</svg>'
    )
    axis = element("div", element("span", top), element("span", bottom), class_="y", aria_hidden="true")
    below = element("div", *(element("span", one) for one in labels), class_="x", aria_hidden="true")
    return element("figure", element("figcaption", title), axis, svg, below, class_="plot")


def latency_chart(histogram: Sequence[Sequence[float]]) -> Html:
    """Return the histogram of latencies with its cumulative curve, on a logarithmic axis. Each bucket is a tenth of a decade."""
    bounds = [bound for bound, _count in histogram]
    if not bounds:
        return Html("")
    lowest, highest = math.log10(bounds[0]) - 0.1, math.log10(bounds[-1])
    span = max(highest - lowest, 0.1)
    total, most = sum(count for _bound, count in histogram), max(count for _bound, count in histogram)
    bars, curve, before = [], ["M0 100"], 0.0
    for bound, count in histogram:
        right = (math.log10(bound) - lowest) / span * WIDTH
        left, height = max(right - 0.1 / span * WIDTH, 0), count / most * HEIGHT
        bars.append(_bar("bar", left + 1, right - left - 2, HEIGHT - height, height))
        curve.append(f"L{left:.1f} {HEIGHT - before / total * HEIGHT:.1f}")
        before += count
        curve.append(f"L{right:.1f} {HEIGHT - before / total * HEIGHT:.1f}")
    shapes = "".join(bars) + f'<path class="curve" d="{"".join(curve)}"/>'
    middle = 10 ** (lowest + span / 2)
    labels = [f"{milliseconds_text(one)} ms" for one in (10**lowest, middle, bounds[-1])]
    return plot(
        "Latency: responses by latency (bars), and the share of the responses up to it (line)",
        shapes,
        "100 %",
        labels,
    )


def requests_chart(timeline: Sequence[Interval], marks: Sequence[float] = ()) -> Html:
    """Return the requests of each second, those that failed in another colour, and lines at the times `marks`."""
    width, end = _width(timeline)
    most = max(1, *(one["requests"] for one in timeline))
    bars = []
    for one in timeline:
        left, wide = one["second"] / end * WIDTH, width / end * WIDTH
        height, failed = one["requests"] / most * HEIGHT, one["failed"] / most * HEIGHT
        bars.append(_bar("bar", left, wide * 0.94, HEIGHT - height, height - failed))
        if failed:
            bars.append(_bar("bad", left, wide * 0.94, HEIGHT - failed, max(failed, 3)))
    unit = "second" if width == 1 else f"{width} seconds"
    return plot(f"Requests per {unit}", "".join(bars) + _marks(marks, end), str(most), _seconds(end))


def rates_chart(points: Sequence[tuple[float, float, float]]) -> Html:
    """Return requests per second over time, and those that failed in another colour.

    Args:
        points: Seconds since 1970, requests per second, failures per second.
    """
    title = "Requests per second (area and line), and those that failed (red)"
    if len(points) < SHORTEST_CURVE:
        return plot(title, "", "–", ["", "now"])
    start, end = points[0][0], points[-1][0]
    span, most = max(end - start, 1e-9), max(*(rate for _time, rate, _failed in points), 1e-9)

    def line(values: Sequence[float]) -> str:
        places = (
            ((one[0] - start) / span * WIDTH, HEIGHT - min(value / most, 1) * (HEIGHT - 2))
            for one, value in zip(points, values)
        )
        return "L".join(f"{x:.1f} {y:.1f}" for x, y in places)

    rates, failed = [one[1] for one in points], [one[2] for one in points]
    shapes = f'<path class="area" d="M0 {HEIGHT}L{line(rates)}L{WIDTH} {HEIGHT}Z"/><path class="curve" d="M{line(rates)}"/>'
    if any(failed):
        shapes += f'<path class="area failed" d="M0 {HEIGHT}L{line(failed)}L{WIDTH} {HEIGHT}Z"/>'
    top = rate_text(most) if any(rates) else rate_text(0)
    return plot(title, shapes, top, [f"{duration_text(span)} ago", "now"], "0/s")


def share_chart(header: str, timeline: Sequence[Interval], marks: Sequence[float] = ()) -> Html:
    """Return the share of each value of a header, stacked, for each second."""
    width, end = _width(timeline)
    values = values_of(header, timeline)
    bars = []
    for one in timeline:
        counts = one["by_header"].get(header, {})
        total, bottom = sum(counts.values()), float(HEIGHT)
        for position, value in enumerate(values):
            height = counts.get(value, 0) / total * HEIGHT if total else 0
            if height:
                left, wide = one["second"] / end * WIDTH, width / end * WIDTH
                bars.append(_bar(f"s{position % COLOURS}", left, wide + 0.4, bottom - height, height))
                bottom -= height
    shapes = "".join(bars) + _marks(marks, end)
    legend = element(
        "ul",
        *(
            element("li", Html(f'<span class="key s{position % COLOURS}"></span>'), f"{value}: {count}")
            for position, (value, count) in enumerate(values.items())
        ),
        class_="legend",
    )
    return joined([plot(f"Share of each {header}", shapes, "100 %", _seconds(end), "0 %"), legend])


def values_of(header: str, timeline: Sequence[Interval]) -> Mapping[str, int]:
    """Return the number of responses with each value of a header, in the order of the values."""
    counts: dict[str, int] = {}
    for one in timeline:
        for value, count in one["by_header"].get(header, {}).items():
            counts[value] = counts.get(value, 0) + count
    return dict(sorted(counts.items()))


def scale(expectation: CheckedExpectation) -> Html:
    """Return expected and observed value on one scale that begins at 0; empty for texts."""
    value, accepted = expectation["value"], expectation["accepted"]
    if value is None or accepted is None:
        return element("span", class_="scale")
    low, high = accepted
    numbers = [one for one in (value, low, high) if one is not None and math.isfinite(one)]
    start, end = min(0.0, *numbers), max(0.0, *numbers) * MARGIN_OF_SCALE
    span = (end - start) or 1.0

    def position(number: float) -> float:
        return min(max((number - start) / span, 0), 1) * 196 + 2

    left = 2 if low is None else position(low)
    right = 198 if high is None else position(high)
    state = "ok" if expectation["ok"] else "bad"
    return Html(
        '<svg class="scale" viewBox="0 0 200 16" aria-hidden="true"><path class="track" d="M2 8H198"/>'
        f'<rect class="accepted" x="{left - 1:.1f}" y="3" width="{right - left + 2:.1f}" height="10" rx="1"/>'
        f'<circle class="{state}" cx="{position(value):.1f}" cy="8" r="4"/></svg>'
    )


def _bar(kind: str, x: float, width: float, y: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{max(height, 0):.1f}"/>'


def _marks(marks: Sequence[float], end: float) -> str:
    places = (min(max(one / end, 0), 1) * WIDTH for one in marks)
    return "".join(f'<path class="mark" d="M{place:.1f} 0V{HEIGHT}"/>' for place in places)


def _width(timeline: Sequence[Interval]) -> tuple[int, int]:
    """Return the seconds of an interval, and the end of the last one."""
    width = timeline[1]["second"] - timeline[0]["second"] if len(timeline) > 1 else 1
    return width, timeline[-1]["second"] + width


def _seconds(end: int) -> list[str]:
    return ["0 s", f"{end / 2:g} s", f"{end} s"]
