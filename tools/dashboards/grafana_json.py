# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Convert dashboards to Grafana's JSON with Grafana's own types, the package grafana-foundation-sdk."""

from __future__ import annotations

import json
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from panels import DashboardData, Panel, Query, Variable

TAG = "meshlab.envoy"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
# Width and height of a panel of each form, in units of Grafana's grid, which is 24 wide.
SIZES = {"number": (6, 4), "lines": (8, 8), "table": (24, 8)}
GRID = 24
COLORS = ("green", "yellow", "red")


def grafana_json(data: DashboardData) -> str:
    """Return the text of the file that Grafana imports."""
    links = dashboard.DashboardLink("Envoy").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    builder = (
        dashboard.Dashboard(data.title)
        .uid(f"meshlab-envoy-{data.name}")
        .description(data.description)
        .tags([TAG])
        .editable()
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(links.as_dropdown(True).keep_time(True).include_vars(True))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for variable in data.variables:
        builder = builder.with_variable(_variable(variable))
    top, number = 0, 1
    for row in data.rows:
        position = GridPos(h=1, w=GRID, x=0, y=top)
        builder = builder.with_row(dashboard.Row(row.title).id(number).grid_pos(position))
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            number += 1
            width, needed = SIZES[panel.form]
            if left + width > GRID:
                top, left, height = top + height, 0, 0
            position = GridPos(h=needed, w=width, x=left, y=top)
            builder = builder.with_panel(_panel(panel).id(number).grid_pos(position))
            left, height = left + width, max(height, needed)
        top, number = top + height, number + 1
    return json.dumps(builder.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variable(variable: Variable) -> dashboard.QueryVariable:
    # 1 and 3: Grafana's numbers for queries of label values and of query results.
    kind = 3 if variable.query.startswith("query_result") else 1
    query: dict[str, object] = {"query": variable.query, "qryType": kind, "refId": variable.name}
    builder = (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(SOURCE)
        .query(query)
        .regex(variable.pattern)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
    if variable.several:
        every = VariableOption(selected=True, text=["All"], value=["$__all"])
        builder = builder.multi(True).include_all(True).all_value(".*").current(every)
    return builder


def _panel(panel: Panel) -> Any:
    builder = {"number": _number, "lines": _lines, "table": _table}[panel.form](panel)
    builder = builder.title(panel.title).description(panel.description).datasource(SOURCE)
    for letter, query in zip(ascii_uppercase, panel.queries, strict=False):
        builder = builder.with_target(_target(query, letter, panel.form))
    return builder


def _target(query: Query, letter: str, form: str) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expression).ref_id(letter)
    if form == "lines":
        return target.range().legend_format(query.legend)
    if form == "table":
        return target.instant().format(PromQueryFormat.TABLE)
    # A range, because Grafana draws it behind the number.
    return target.range()


def _lines(panel: Panel) -> timeseries.Panel:
    legend = (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(True)
    )
    tooltip = VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    return timeseries.Panel().unit(panel.unit).min(0).fill_opacity(8).legend(legend).tooltip(tooltip)


def _number(panel: Panel) -> stat.Panel:
    values = (None, *panel.limits)
    steps = [Threshold(value=value, color=color) for value, color in zip(values, COLORS, strict=False)]
    thresholds = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    reduce = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().unit(panel.unit).thresholds(thresholds).reduce_options(reduce)


def _table(panel: Panel) -> table.Panel:
    headers = {
        f"Value #{letter}": query.legend
        for letter, query in zip(ascii_uppercase, panel.queries, strict=False)
    }
    organize: dict[str, object] = {"excludeByName": {"Time": True}, "renameByName": headers}
    built = (
        table.Panel()
        .unit(panel.unit)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options=organize))
    )
    for query in panel.queries:
        built = built.override_by_name(query.legend, [DynamicConfigValue(id_val="unit", value=query.unit)])
    return built
