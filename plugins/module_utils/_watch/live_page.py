# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of a live view: the parts of a report, with the numbers of the last seconds. No I/O."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    bytes_text,
    duration_text,
    milliseconds_text,
    rate_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.charts import rates_chart
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Child,
    Html,
    element,
    joined,
    table,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.style import STYLE
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import HOST, Label, Socket
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.topology_svg import picture
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import (
    LiveDemo,
    box_health,
    problems,
    verdict,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_hosts import healthy
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_script import LIVE_STYLE, SCRIPT
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import (
    LIVE,
    LiveConnection,
    LiveState,
)

MOST_ARROWS = 150  # of a picture that is still readable
MOST_ROWS = 300
MOST_PROBLEMS = 20
LABEL_WIDTH = 26  # characters
Point = tuple[float, float, float]  # seconds since 1970, requests and failures per second


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# One style and one script, both by digest; connections only to the program that serves the page.
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_digest(STYLE + LIVE_STYLE)}",
        f"script-src {_digest(SCRIPT)}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def live_page(demo: LiveDemo, state: LiveState, history: Sequence[Point]) -> str:
    """Return the whole page, with the present state: it is complete without its script."""
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", live_title(demo, state)),
            element("style", Html(STYLE + LIVE_STYLE)),
        ],
        "\n",
    )
    body = element(
        "body",
        element("div", live_content(demo, state, history), id="live"),
        element("p", "", id="link", role="status", hidden=True),
        element("script", Html(SCRIPT)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{body}\n</html>\n'


def live_title(demo: LiveDemo, state: LiveState) -> str:
    """Return the title of the window."""
    return f"{'●' if verdict(state)[0] else '✘'} {demo.name}: {rate_text(state['rate'])}"


def live_content(demo: LiveDemo, state: LiveState, history: Sequence[Point]) -> Html:
    """Return the content of the page, which the script puts in place of the earlier one."""
    sections = [_problems(state), _rates(history), _topology(demo, state), _connections(state)]
    sections += [_envoys(state), _hosts(state), _parts(demo)]
    main = element("main", joined(sections, "\n"))
    return joined([_header(demo, state), main, _footer(state)], "\n")


def _header(demo: LiveDemo, state: LiveState) -> Html:
    ok, text = verdict(state)
    versions = sorted({one["version"] for one in state["envoys"] if one["version"]})
    at_edge = [one for one in state["connections"] if one["source"][0] == HOST] or state["connections"]
    slowest = max((one["p99_ms"] for one in at_edge if one["p99_ms"] is not None), default=None)
    facts = {
        "Platform": demo.platform,
        "Change": demo.change,
        "Requests": rate_text(state["rate"]),
        "Failed": rate_text(state["failed_rate"]),
        "p99": f"{latency_text(slowest)} ms" if slowest is not None else "–",
        "Open connections": str(sum(one["open"] or 0 for one in at_edge)),
        "Envoy": ", ".join(versions),
        "Read at": time.strftime("%H:%M:%S UTC", time.gmtime(state["time"])),
    }
    shown = [
        element("div", element("dt", name), element("dd", value)) for name, value in facts.items() if value
    ]
    return element(
        "header",
        element("p", f"{'●' if ok else '✘'} {text}", class_=f"verdict {'ok' if ok else 'bad'}"),
        element("h1", demo.name),
        element("p", demo.summary, class_="summary"),
        element("dl", *shown, class_="facts live"),
    )


def _problems(state: LiveState) -> Html:
    found = problems(state)
    if not found:
        return element("section", class_="calm")
    more = len(found) - MOST_PROBLEMS
    shown = [*found[:MOST_PROBLEMS], *([f"{more} more."] if more > 0 else [])]
    items = element("ul", *(element("li", one) for one in shown), class_="reasons")
    return element("section", element("h2", "What is wrong"), items, class_="failures")


def _rates(history: Sequence[Point]) -> Html:
    return element("section", element("h2", "Requests"), rates_chart(history))


def _topology(demo: LiveDemo, state: LiveState) -> Html:
    if not demo.topology["boxes"] or len(demo.topology["arrows"]) > MOST_ARROWS:
        return element("section")
    legend = (
        "On an arrow: requests per second, then p50 / p99 of the latency and the open connections, as the Envoy that sends them counts;"
        " at published ports, the Envoy that receives them. A box with a red frame does not serve."
    )
    health = box_health(state)
    captions = {name: one.text for name, one in health.items()}
    failing = {name for name, one in health.items() if one.failing}
    svg = Html(picture(demo.topology, demo.name, "topology", labels(state), captions, failing))
    frame = element(
        "div", svg, class_="frame", tabindex=0, role="region", aria_label="Picture of the topology"
    )
    return element("section", element("h2", "Topology"), element("p", legend, class_="quiet"), frame)


def labels(state: LiveState) -> dict[Socket, Label]:
    """Return the label of each row at which arrows with numbers begin."""
    return {(one["source"][0], one["source"][1]): _label(one) for one in state["connections"]}


def _label(one: LiveConnection) -> Label:
    failed = bool(one["failed_rate"])
    above = rate_text(one["rate"]) + (f", {rate_text(one['failed_rate'])} failed" if failed else "")
    latency = f"{latency_text(one['p50_ms'])} / {latency_text(one['p99_ms'])} ms"
    below = [latency if one["p50_ms"] is not None else "", f"{_count(one['open'])} open"]
    return Label(above, " · ".join(filter(None, below)), failed, LABEL_WIDTH)


def latency_text(number: float | None) -> str:
    """Return milliseconds as text: Envoy records whole ones, so that 0 is any latency below 1 ms."""
    return "<1" if number is not None and number < 1 else milliseconds_text(number)


def _count(number: int | None) -> str:
    return "–" if number is None else str(number)


def connection_rows(state: LiveState) -> Iterator[list[str]]:
    """Yield the cells of each connection: the page and the terminal show them."""
    for one in state["connections"]:
        box, row = one["source"]
        hosts = one["hosts"]
        yield [
            f"port {row.lstrip(':')}" if box == HOST else f"{box}: cluster {row}",
            ", ".join(one["targets"]),
            rate_text(one["rate"]),
            rate_text(one["failed_rate"]),
            latency_text(one["p50_ms"]),
            latency_text(one["p99_ms"]),
            _count(one["open"]),
            f"{healthy(hosts)} of {len(hosts['hosts'])}" if hosts else "",
            f"{bytes_text(one['bytes_rate'])}/s" if one["bytes_rate"] is not None else "–",
        ]


CONNECTIONS_HEADER = (
    "From",
    "To",
    "Requests",
    "Failed",
    "p50 ms",
    "p99 ms",
    "Open",
    "Healthy hosts",
    "Received",
)
ENVOYS_HEADER = ("Envoy", "State", "Version", "Runs for", "Requests", "Open", "Updates", "Rejected")


def envoy_rows(state: LiveState) -> Iterator[list[str]]:
    """Yield the cells of each Envoy: the page and the terminal show them."""
    for one in state["envoys"]:
        known = not one["failure"]
        yield [
            one["name"],
            one["state"] or "no answer",
            one["version"] or "–",
            duration_text(one["uptime"]),
            rate_text(one["rate"]),
            str(one["open"]) if known else "–",
            str(one["updates"]) if known else "–",
            str(one["rejected"]) if known else "–",
        ]


def _connections(state: LiveState) -> Html:
    content = table("Numbers of the last seconds", CONNECTIONS_HEADER, _cells(connection_rows(state)))
    return element("section", element("h2", "Connections"), content)


def _envoys(state: LiveState) -> Html:
    rows: list[list[Child]] = []
    for row, one in zip(_cells(envoy_rows(state)), state["envoys"]):
        good = one["state"] == LIVE
        row[1] = element("span", f"{'●' if good else '✘'} {row[1]}", class_="good" if good else "fault")
        rows.append(row)
    return element("section", element("h2", "Envoys"), table("State of each Envoy", ENVOYS_HEADER, rows))


def _hosts(state: LiveState) -> Html:
    rows: list[list[Child]] = []
    for cluster in state["hosts"]:
        for host in cluster["hosts"]:
            health = "ejected" if host["ejected"] else "healthy" if host["healthy"] else "unhealthy"
            good = health == "healthy"
            shown = element("span", f"{'●' if good else '✘'} {health}", class_="good" if good else "fault")
            counts: list[Child] = [host["requests"], host["active"], host["errors"]]
            rows.append([f"{cluster['group']}: {cluster['cluster']}", host["address"], shown, *counts])
    header = ("Cluster", "Host", "Health", "Requests", "In progress", "Errors")
    content = table("Since the start of the Envoys", header, rows[:MOST_ROWS])
    return element("section", element("h2", "Hosts"), content) if rows else element("section")


def _parts(demo: LiveDemo) -> Html:
    rows: list[list[Child]] = [
        [
            one["box"],
            ", ".join([demo.platform, *one["hosts"]]),
            ", ".join(one["programs"]),
            ", ".join(one["images"]) or "processes",
        ]
        for one in demo.parts[:MOST_ROWS]
    ]
    parts = [element("h2", "Programs")]
    parts.append(table("Where each part runs", ("Part", "Platform and host", "Programs", "Images"), rows))
    if demo.addresses:
        open_rows = [[one["name"], one["url"], one["what"]] for one in demo.addresses]
        parts.append(element("h3", "Addresses"))
        parts.append(table("Addresses of the demo", ("Name", "URL", "What it serves"), open_rows))
    return element("section", joined(parts), class_="programs")


def _footer(state: LiveState) -> Html:
    seconds = f"the last {state['seconds']:.0f} seconds" if state["seconds"] else "the first reading"
    return element(
        "footer",
        element("p", f"Rates and latencies are those of {seconds}. This page reads; it changes no Envoy."),
    )


def _cells(rows: Iterator[list[str]]) -> list[list[Child]]:
    return [list(row) for _number, row in zip(range(MOST_ROWS), rows)]
