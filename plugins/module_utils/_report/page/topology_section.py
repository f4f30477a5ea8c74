# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The section of the HTML report with the topology and the numbers of its connections."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    bytes_text,
    counted,
    milliseconds_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Child,
    Html,
    element,
    joined,
    table,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.boxes import HOST, Label, Socket
from ansible_collections.meshlab.envoy.plugins.module_utils._report.picture.topology_svg import picture
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    Connection,
    RunResult,
)

MOST_ARROWS = 150  # of a picture that is still readable
MOST_ROWS = 300
LONGEST_CAPTION = 30  # characters


def topology(result: RunResult) -> Html:
    """Return the section; empty if the plan has no topology."""
    if not result["topology"]["boxes"]:
        return Html("")
    parts = [element("h2", "Topology")]
    legend = (
        "On an arrow: its requests, then p50 / p99 of the latency and the bytes received. At published ports, the client measured them;"
        " elsewhere, the Envoy that sent the requests."
    )
    parts.append(element("p", legend, class_="quiet"))
    if len(result["topology"]["arrows"]) <= MOST_ARROWS:
        svg = Html(picture(result["topology"], result["demo"], "topology", labels(result), captions(result)))
        parts.append(
            element(
                "div", svg, class_="frame", tabindex=0, role="region", aria_label="Picture of the topology"
            )
        )
    if result["connections"]:
        parts.append(_connections(result))
    if result["parts"]:
        parts.append(_parts(result))
    return element("section", joined(parts))


def labels(result: RunResult) -> dict[Socket, Label]:
    """Return the label of each row at which arrows with numbers begin."""
    return {(one["source"][0], one["source"][1]): _label(one) for one in result["connections"]}


def captions(result: RunResult) -> dict[str, str]:
    """Return the platform and the hosts of each box."""
    found = {}
    for part in result["parts"]:
        text = ", ".join([result["platform"], *part["hosts"]])
        found[part["box"]] = text if len(text) <= LONGEST_CAPTION else f"{text[: LONGEST_CAPTION - 1]}…"
    return found


def _label(one: Connection) -> Label:
    failed = f", {one['failed']} failed" if one["failed"] else ""
    latency = f"{milliseconds_text(one['p50_ms'])} / {milliseconds_text(one['p99_ms'])} ms"
    below = [latency if one["p50_ms"] is not None else "", bytes_text(one["bytes"])]
    return Label(
        f"{counted(one['requests'], 'request')}{failed}", " · ".join(filter(None, below)), bool(one["failed"])
    )


def _connections(result: RunResult) -> Html:
    header = ("From", "To", "Requests", "Failed", "p50 ms", "p99 ms", "Received")
    rows = list(_rows(result))
    content = table("Numbers of the connections", header, rows[:MOST_ROWS])
    return element("details", element("summary", "Numbers of the connections as a table"), content)


def _rows(result: RunResult) -> Iterator[list[Child]]:
    targets: dict[tuple[str, str], list[str]] = {}
    for arrow in result["topology"]["arrows"]:
        targets.setdefault((arrow["source"][0], arrow["source"][1]), []).append(arrow["target"][0])
    for one in result["connections"]:
        box, row = one["source"]
        yield [
            f"port {row.lstrip(':')}" if box == HOST else f"{box}: cluster {row}",
            ", ".join(dict.fromkeys(targets.get((box, row), []))),
            one["requests"],
            one["failed"],
            milliseconds_text(one["p50_ms"]),
            milliseconds_text(one["p99_ms"]),
            bytes_text(one["bytes"]),
        ]


def _parts(result: RunResult) -> Html:
    rows: list[list[Child]] = [
        [
            one["box"],
            ", ".join([result["platform"], *one["hosts"]]),
            ", ".join(one["programs"]),
            ", ".join(one["images"]) or "processes",
        ]
        for one in result["parts"][:MOST_ROWS]
    ]
    content = table("Where each part ran", ("Part", "Platform and host", "Programs", "Images"), rows)
    return element("details", element("summary", "Where each part ran"), content)
