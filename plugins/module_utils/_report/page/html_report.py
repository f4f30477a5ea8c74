# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML report of a run: failures first. A pure function of the result."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import (
    bytes_text,
    counted,
    milliseconds_text,
    time_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.outcome_texts import (
    all_expectations,
    all_traffic,
    further_text,
    responses_text,
    title,
    verdict,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.charts import latency_chart, scale
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Html,
    element,
    joined,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.sections import (
    configuration,
    reproduction,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.style import STYLE
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.timeline_section import timeline
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.topology_section import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    CheckedExpectation,
    RunResult,
    SentTraffic,
)

MOST_EXPECTATIONS = 400  # that hold
MOST_CHARTS = 12
SHORTEST = 60  # responses that a chart of latencies needs


def html_report(result: RunResult) -> str:
    """Return the page of a result: one file that loads nothing and has no script."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="referrer" content="no-referrer">'),
            element("title", f"{'✔' if result['ok'] else '✘'} {title(result)}"),
            element("style", Html(STYLE)),
        ],
        "\n",
    )
    sections = [
        _failures(result),
        topology(result),
        timeline(result),
        _expectations(result),
        _traffic(result),
        configuration(result),
        reproduction(result),
    ]
    main = element("main", joined(sections, "\n"))
    body = element("body", _header(result), main, _footer(result))
    return f'<!DOCTYPE html>\n<html lang="en">\n{element("head", head)}\n{body}\n</html>\n'


def _header(result: RunResult) -> Html:
    state, sign = ("ok", "✔") if result["ok"] else ("bad", "✘")
    traffic = all_traffic(result)
    facts = {
        "Platform": result["platform"],
        "Change": result["change"],
        "Requests": f"{sum(one['sent'] for one in traffic)}" if traffic else "",
        "Began": time_text(result["began"]),
        "Verification": f"{result['elapsed']:.1f} s" if result["elapsed"] else "",
        "Envoy": result["versions"].get("Envoy", ""),
    }
    shown = [element("div", element("dt", name), element("dd", text)) for name, text in facts.items() if text]
    return element(
        "header",
        element("p", f"{sign} {verdict(result)}", class_=f"verdict {state}"),
        element("h1", result["demo"]),
        element("p", result["summary"], class_="summary"),
        element("dl", *shown, class_="facts"),
    )


def _failures(result: RunResult) -> Html:
    failed = [one for one in all_expectations(result) if not one["ok"]]
    if not failed and not result["message"]:
        return Html("")
    parts = [element("h2", "What failed")]
    if result["message"]:
        parts.append(element("p", result["message"]))
    if failed:
        parts.append(element("ul", *(_expectation(one, full=True) for one in failed), class_="expectations"))
    if result["reasons"]:
        parts.append(element("h3", "Reasons"))
        parts.append(element("ul", *(element("li", one) for one in result["reasons"]), class_="reasons"))
    return element("section", joined(parts), class_="failures")


def _expectations(result: RunResult) -> Html:
    holding = [one for one in all_expectations(result) if one["ok"]]
    if not holding:
        return Html("")
    parts = [element("h2", "Expectations that hold")]
    groups: dict[str, list[CheckedExpectation]] = {}
    for one in holding[:MOST_EXPECTATIONS]:
        groups.setdefault(one["traffic"], []).append(one)
    for traffic, entries in groups.items():
        parts.append(element("h3", f"Responses to {traffic}" if traffic else "Stats of the proxies"))
        parts.append(element("ul", *map(_expectation, entries), class_="expectations"))
    if len(holding) > MOST_EXPECTATIONS:
        parts.append(element("p", f"and {len(holding) - MOST_EXPECTATIONS} more that hold", class_="quiet"))
    legend = "Each scale begins at 0: the bar is the range that holds, the dot the observed value."
    parts.insert(1, element("p", legend, class_="quiet"))
    return element("section", joined(parts))


def _expectation(one: CheckedExpectation, full: bool = False) -> Html:
    sign, state = ("✔", "ok") if one["ok"] else ("✘", "bad")
    subject = one["subject"] or one["message"]
    if not full and one["traffic"]:
        subject = subject.removesuffix(f" of traffic {one['traffic']}")
    what = f"{one['name']}: {subject}" if one["name"] else subject
    numbers = joined(
        [
            element("span", one["observed"], class_="observed"),
            element("span", f" expected {one['expected']}" if one["expected"] else "", class_="quiet"),
        ]
    )
    detail = element("p", text, class_="detail") if full and (text := further_text(one)) else None
    label = element("span", sign, class_="sign", role="img", aria_label="holds" if one["ok"] else "fails")
    return element(
        "li",
        label,
        element("span", what, class_="what"),
        scale(one),
        element("span", numbers, class_="numbers"),
        detail,
        class_=state,
    )


def _traffic(result: RunResult) -> Html:
    traffic = all_traffic(result)
    if not traffic:
        return Html("")
    charts = [one for one in traffic if one["answered"] >= SHORTEST][:MOST_CHARTS]
    entries = [element("div", joined(_sent(one, one in charts)), class_="traffic") for one in traffic]
    return element("section", element("h2", "Traffic"), *entries)


def _sent(traffic: SentTraffic, has_chart: bool) -> Iterator[Html]:
    yield element("h3", traffic["name"])
    latency = traffic["latency_ms"]
    shown = [f"{name} {milliseconds_text(latency.get(name))}" for name in ("p50", "p90", "p99", "max")]
    rate = f", {traffic['sent'] / traffic['elapsed']:.0f} a second" if traffic["elapsed"] >= 1 else ""
    hosts = list(traffic["hosts"].items())
    facts = {
        "Requests": f"{traffic['sent']}{rate}",
        "Responses": responses_text(traffic),
        "Latency in ms": ", ".join(shown) if traffic["answered"] else "",
        "Received": f"{bytes_text(traffic['bytes_received'])} over {counted(traffic['connections'], 'connection')}",
        "Hosts": ", ".join(f"{host} {count}" for host, count in hosts[:12])
        + (" …" if len(hosts) > 12 else ""),
        "Last error": traffic["last_error"],
    }
    yield element(
        "dl",
        *(element("div", element("dt", name), element("dd", text)) for name, text in facts.items() if text),
        class_="facts",
    )
    if has_chart:
        yield element("div", latency_chart(traffic["latency_histogram"]), class_="charts")


def _footer(result: RunResult) -> Html:
    return element(
        "footer",
        element(
            "p",
            f"meshlab.envoy, schema {result['schema']} of the result. This page has no script and loads nothing.",
        ),
    )
