# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the dashboards from the last minutes of a Prometheus, as the pictures docs/pictures/dashboard-*.png.

    dashboard_pictures.py http://127.0.0.1:9790 [MINUTES]

Grafana does not run here: the queries and the data are those of Grafana, the drawing is that of the reports. Needs Chromium.
"""

from __future__ import annotations

import json
import math
import re
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 1280
MOST_BYTES = 250_000
POINTS = 150
SHOWN_SERIES = 6
WINDOW = "20s"
NUMBERS = {
    "percentunit": (100, " %"),
    "ms": (1, " ms"),
    "s": (1, " s"),
    "d": (1, " d"),
    "reqps": (1, "/s"),
    "ops": (1, "/s"),
}
MORE_STYLE = """
body { max-width: none; padding: 1.2rem 1.6rem 1.6rem; }
h2 { margin: 1.3rem 0 0.5rem; }
.panels { display: grid; grid-template-columns: repeat(24, 1fr); gap: 0.7rem; }
.panel { border: 1px solid var(--line); border-radius: 0.4rem; background: var(--card); padding: 0.6rem 0.8rem; min-width: 0; }
.panel .plot svg { height: 5.5rem; }
.panel .value { font-size: 1.7rem; font-weight: 650; color: var(--ok); font-variant-numeric: tabular-nums; }
.panel .value.yellow { color: var(--s1); } .panel .value.red { color: var(--bad); }
.panel ul { font-size: 0.72rem; color: var(--quiet); display: flex; flex-wrap: wrap; gap: 0 0.9rem; }
.panel .key { display: inline-block; width: 0.7rem; height: 0.2rem; margin: 0 0.3rem 0.2rem 0; }
.line { fill: none; stroke-width: 1.8; vector-effect: non-scaling-stroke; }
""" + "".join(
    f".line.c{n} {{ stroke: var(--s{n}); }} .key.c{n} {{ background: var(--s{n}); }}\n"
    for n in range(SHOWN_SERIES)
)


class Source:
    """A Prometheus, and the period of the pictures."""

    def __init__(self, url: str, minutes: float) -> None:
        self.url = url.rstrip("/")
        self.end = time.time()
        self.start = self.end - minutes * 60
        self.values = {
            **dict.fromkeys(("demo", "host", "proxy", "listener", "cluster"), ".*"),
            "job": "envoy",
            "exporter": "statsd_exporter",
            "__rate_interval": WINDOW,
        }

    def series(self, expression: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """Return the series of a query: labels, and points of time and value."""
        from dashboard_files import with_variables

        step = max((self.end - self.start) / POINTS, 1)
        query = {
            "query": with_variables(expression, self.values),
            "start": self.start,
            "end": self.end,
            "step": step,
        }
        url = f"{self.url}/api/v1/query_range?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as response:
            found = json.load(response)["data"]["result"]
        return [
            (
                one["metric"],
                [(at, float(value)) for at, value in one["values"] if math.isfinite(float(value))],
            )
            for one in found
        ]


def number_text(value: float, unit: str) -> str:
    """Return a value with its unit."""
    if unit in ("bytes", "Bps"):
        power = min(int(math.log10(value) // 3), 3) if value >= 1 else 0
        return f"{value / 1000**power:.3g} {('B', 'kB', 'MB', 'GB')[power]}{'/s' if unit == 'Bps' else ''}"
    factor, suffix = NUMBERS.get(unit, (1, "/s" if unit in ("cps", "pps") else ""))
    return f"{value * factor:,.0f}{suffix}" if value * factor >= 100 else f"{value * factor:.3g}{suffix}"


def legend_text(template: str, labels: dict[str, str]) -> str:
    """Return a legend with the values of labels."""
    return " ".join(re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template).split())


def curve(points: Sequence[tuple[float, float]], top: float, source: Source, colour: int) -> str:
    """Return the line of a series."""
    span = source.end - source.start
    places = (f"{(at - source.start) / span * 1000:.1f} {100 - value / top * 96:.1f}" for at, value in points)
    return f'<path class="line c{colour}" d="M{"L".join(places)}"/>'


def lines_panel(panel: dict[str, Any], source: Source, elements: Any, charts: Any) -> Any:
    """Return the chart of a panel with its legend. Series without values are not drawn."""
    unit = panel["fieldConfig"]["defaults"]["unit"]
    drawn = [
        (legend_text(target.get("legendFormat", ""), labels), points)
        for target in panel["targets"]
        for labels, points in source.series(target["expr"])
        if points
    ][:SHOWN_SERIES]
    top = max((value for _legend, points in drawn for _at, value in points), default=0) or 1
    shapes = "".join(curve(points, top, source, number) for number, (_legend, points) in enumerate(drawn))
    minutes = (source.end - source.start) / 60
    chart = charts.plot(panel["title"], shapes, number_text(top, unit), [f"-{minutes:g} min", "now"])
    keys = (
        elements.element("li", elements.Html(f'<span class="key c{number}"></span>'), legend)
        for number, (legend, _points) in enumerate(drawn)
        if legend
    )
    return elements.joined([chart, elements.element("ul", *keys)])


def number_panel(panel: dict[str, Any], source: Source, elements: Any) -> Any:
    """Return the last value of a panel with one number."""
    found = source.series(panel["targets"][0]["expr"])
    value = found[0][1][-1][1] if found and found[0][1] else math.nan
    unit = panel["fieldConfig"]["defaults"]["unit"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    text = number_text(value, unit) if math.isfinite(value) else "–"
    shown = elements.element("div", text, class_=f"value {colour}")
    return elements.joined([elements.element("div", panel["title"], class_="quiet"), shown])


def table_panel(panel: dict[str, Any], source: Source, elements: Any) -> Any:
    """Return a table with the last values of each Envoy."""
    headers = panel["transformations"][1]["options"]["renameByName"]
    overrides = panel["fieldConfig"]["overrides"]
    units = {one["matcher"]["options"]: one["properties"][0]["value"] for one in overrides}
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for target in panel["targets"]:
        for labels, points in source.series(target["expr"]):
            key = tuple(labels.get(name, "") for name in ("host", "proxy", "instance"))
            if points:
                rows.setdefault(key, {})[target["refId"]] = number_text(
                    points[-1][1], units[headers[f"Value #{target['refId']}"]]
                )
    letters = [target["refId"] for target in panel["targets"]]
    names = ["host", "proxy", "instance", *(headers[f"Value #{letter}"] for letter in letters)]
    cells = [[*key, *(row.get(letter, "") for letter in letters)] for key, row in sorted(rows.items())]
    return elements.table(panel["title"], names, cells)


def page(dashboard: dict[str, Any], source: Source) -> str:
    """Return the page with a dashboard."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.page import charts, elements
    from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.style import STYLE

    parts: list[Any] = []
    panels: list[Any] = []
    for panel in [*dashboard["panels"], {"type": "row", "title": ""}]:
        if panel["type"] == "row":
            parts += [elements.element("div", *panels, class_="panels")] if panels else []
            parts += [elements.element("h2", panel["title"])] if panel["title"] else []
            panels = []
            continue
        drawings: dict[str, Callable[..., Any]] = {
            "timeseries": lines_panel,
            "stat": number_panel,
            "table": table_panel,
        }
        draw = drawings[panel["type"]]
        content = draw(panel, source, elements, *([charts] if panel["type"] == "timeseries" else []))
        width = f"grid-column: span {panel['gridPos']['w']}"
        panels.append(elements.element("div", content, class_="panel", style=width))
    title = elements.element("h1", dashboard["title"])
    head = f"<!doctype html><html lang=en><meta charset=utf-8><style>{STYLE}{MORE_STYLE}</style>"
    return f"{head}<body>{title}{''.join(parts)}</body></html>"


def main() -> None:
    """Write a picture of each dashboard."""
    sys.path[:0] = [str(ROOT / ".venv" / "collections"), str(ROOT / "tests" / "support")]
    from browser_pages import browser_tab, open_page
    from dashboard_files import NAMES, dashboard

    source = Source(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 5)
    with tempfile.TemporaryDirectory() as folder, browser_tab() as tab:
        for name in NAMES:
            file = Path(folder, "dashboard.html")
            file.write_text(page(dashboard(name), source), encoding="utf-8")
            open_page(tab, file, WIDTH)
            picture = PICTURES / f"dashboard-{name}.png"
            tab.screenshot(path=picture, full_page=True)
            if picture.stat().st_size > MOST_BYTES:
                raise SystemExit(
                    f"{picture.relative_to(ROOT)}: {picture.stat().st_size} bytes, more than {MOST_BYTES}."
                )


if __name__ == "__main__":
    main()
