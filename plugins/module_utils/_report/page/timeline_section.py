# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The section of the HTML report with the deployment and the traffic over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._report.outcome_texts import (
    deployment_events,
    workload_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.charts import (
    requests_chart,
    share_chart,
    values_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.elements import (
    Html,
    element,
    joined,
    table,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    DeploymentOfRun,
    RunResult,
    SentTraffic,
)

SHORTEST = 3  # intervals of a traffic that a chart needs
MOST_EVENTS = 100
MOST_VALUES = 12  # of a header whose shares a chart shows


def timeline(result: RunResult) -> Html:
    """Return the section; empty if no deployment is known and no traffic is long enough for a chart."""
    deployment = result["deployment"]
    during = deployment["traffic"] if deployment else []
    events = list(deployment_events(deployment))[:MOST_EVENTS] if deployment else []
    confirmed = sorted(deployment["confirmed"].values()) if deployment else []
    groups = [
        joined([element("h3", one["name"]), element("div", *charts, class_="charts")])
        for traffic, marks in ((during, confirmed), (result["traffic"], []))
        for one in traffic
        if (charts := list(_charts(one, marks)))
    ]
    if not groups and not events:
        return Html("")
    parts = [element("h2", "Over time")]
    if confirmed and during:
        text = "A dashed line is the moment at which an Envoy confirmed its new files. Failed requests are at the bottom of a bar, in red."
        parts.append(element("p", text, class_="quiet"))
    parts += groups
    if events:
        start = min([one["began"] for one in during if one["began"]] or [events[0][0]])
        rows = [[f"{time - start:+.2f} s", what] for time, what in events]
        since = "the first request" if during else "the deployment"
        content = table(f"Seconds since the beginning of {since}", ("Time", "Event"), rows)
        parts.append(
            element(
                "details",
                element("summary", "Phases of the deployment and confirmations"),
                content,
                open=bool(during),
            )
        )
    if deployment and _changes(deployment) and (lines := workload_lines(deployment)):
        parts += [element("h3", "Workloads"), element("ul", *(element("li", line) for line in lines))]
    return element("section", joined(parts))


def _changes(deployment: DeploymentOfRun) -> bool:
    """Return whether the deployment changed a running demo. A first deployment starts all workloads."""
    return any(
        (deployment["traffic"], deployment["replaced"], deployment["restarted"], deployment["removed"])
    )


def _charts(traffic: SentTraffic, confirmed: Sequence[float]) -> Iterator[Html]:
    if len(traffic["timeline"]) < SHORTEST:
        return
    marks = [one - traffic["began"] for one in confirmed]
    yield requests_chart(traffic["timeline"], marks)
    headers = dict.fromkeys(header for one in traffic["timeline"] for header in one["by_header"])
    for header in headers:
        if 1 < len(values_of(header, traffic["timeline"])) <= MOST_VALUES:
            yield element("div", share_chart(header, traffic["timeline"], marks))
