# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a dashboard as data, and the selectors and expressions that the queries of all dashboards share."""

from __future__ import annotations

from dataclasses import dataclass, field

# Grafana's variable for the window of a rate.
WINDOW = "$__rate_interval"
# Envoys by the labels of their targets. A label that no target has matches, because All is the regular expression `.*`.
ENVOYS = 'job="$job", demo=~"$demo", host=~"$host", proxy=~"$proxy"'
# Listeners without those of the admin interface, and without the requests that Envoy's own filters send.
OWN_LISTENERS = "admin|read_only_admin|async-client"
LISTENERS = f'{ENVOYS}, envoy_http_conn_manager_prefix!~"{OWN_LISTENERS}"'
LISTENER = f'{LISTENERS}, envoy_http_conn_manager_prefix=~"$listener"'
# Clusters without the one of the admin interface.
CLUSTERS = f'{ENVOYS}, envoy_cluster_name!="admin"'
CLUSTER = f'{CLUSTERS}, envoy_cluster_name=~"$cluster"'
EXPORTER = 'job="$exporter", demo=~"$demo"'
# The labels of one Envoy, and the legend with them. Labels that targets do not have are empty.
ENVOY = "host, proxy, instance"
ENVOY_LEGEND = "{{host}} {{proxy}} {{instance}}"


@dataclass(frozen=True)
class Query:
    """A PromQL expression, the legend of its series, and the unit of its column if the panel is a table."""

    expression: str
    legend: str = ""
    unit: str = "short"


@dataclass(frozen=True)
class Panel:
    """A panel: its queries, the unit of their values, and its form, which is `lines`, `number` or `table`."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    form: str = "lines"
    # Values from which a number is yellow and red, in this order.
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A variable of a dashboard. `query` lists its values, `pattern` selects a part of each, `several` adds All."""

    name: str
    label: str
    query: str
    pattern: str = ""
    several: bool = True


@dataclass(frozen=True)
class DashboardData:
    """A dashboard. Its name is the name of its file."""

    name: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...] = field(default_factory=tuple)


def rate(metric: str, selector: str) -> str:
    """Return the rate of a counter."""
    return f"rate({metric}{{{selector}}}[{WINDOW}])"


def total(metric: str, selector: str, by: str = "") -> str:
    """Return the sum of a gauge."""
    return _sum(f"{metric}{{{selector}}}", by)


def per_second(metric: str, selector: str, by: str = "") -> str:
    """Return the sum of the rates of a counter."""
    return _sum(rate(metric, selector), by)


def share(part: str, whole: str, by: str = "") -> str:
    """Return the quotient of two sums of rates: 0 without any event, and 0 if no counter of the part exists yet."""
    divisor = f"clamp_min({_sum(whole, by)}, 1e-9)"
    return f"({_sum(part, by)} or 0 * {_sum(whole, by)}) / {divisor}"


def quantile(number: float, histogram: str, selector: str, by: str = "") -> str:
    """Return a quantile of a histogram."""
    buckets = _sum(rate(f"{histogram}_bucket", selector), f"le, {by}" if by else "le")
    return f"histogram_quantile({number}, {buckets})"


def mean(histogram: str, selector: str, by: str = "") -> str:
    """Return the mean of the samples of a histogram."""
    samples = _sum(rate(f"{histogram}_sum", selector), by)
    return f"{samples} / {_sum(rate(f'{histogram}_count', selector), by)}"


def lines(title: str, unit: str, description: str, *queries: tuple[str, str]) -> Panel:
    """Return a panel with one line for each series."""
    return Panel(title, description, unit, tuple(Query(*query) for query in queries))


def number(title: str, unit: str, description: str, expression: str, limits: tuple[float, ...] = ()) -> Panel:
    """Return a panel with one number."""
    return Panel(title, description, unit, (Query(expression),), "number", limits)


def table(title: str, description: str, *queries: tuple[str, str, str]) -> Panel:
    """Return a table with one row for each Envoy and one column for each query: its expression, header and unit."""
    return Panel(title, description, "short", tuple(Query(*query) for query in queries), "table")


def _sum(expression: str, by: str) -> str:
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"
