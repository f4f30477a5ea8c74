# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The committed dashboards can be imported, and the documentation lists all dashboards and alerts."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboard_files import NAMES, dashboard, panel_queries, with_variables

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
ALERTS = ROOT / "playbooks" / "files" / "rules" / "envoy_alerts.yml"


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    """Return the cells of Grafana's grid that a panel covers."""
    place = panel["gridPos"]
    return {
        (x, y)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    }


@pytest.mark.parametrize("name", NAMES)
def test_dashboard_can_be_imported(name: str) -> None:
    data = dashboard(name)
    assert data["uid"] == f"meshlab-envoy-{name}"
    assert data.get("id") is None, "Grafana chooses the number"
    assert data["schemaVersion"] >= 36
    assert (
        data["templating"]["list"][0] | {"type": "datasource", "query": "prometheus"}
        == data["templating"]["list"][0]
    )
    numbers = [panel["id"] for panel in data["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in data["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(name: str) -> None:
    panels = dashboard(name)["panels"]
    assert all(max(x for x, _y in cells(panel)) < 24 for panel in panels)
    assert [
        (one["id"], other["id"]) for one, other in combinations(panels, 2) if cells(one) & cells(other)
    ] == []


def test_queries_use_variables_of_their_dashboard() -> None:
    for query in panel_queries():
        variables = {one["name"]: "" for one in dashboard(query.dashboard)["templating"]["list"]}
        with_variables(query.expression, {**variables, "__rate_interval": "1m"})


def test_documentation_lists_all_dashboards_and_alerts() -> None:
    for name in NAMES:
        assert f"`{name}.json`" in PAGE
        assert f"| {dashboard(name)['title']} |" in PAGE
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    rows = {
        name: [one.strip() for one in row[2].split(",")]
        for row in re.finditer(
            r"^\| (`\w+`(?:, `\w+`)*) \| ((?:page|ticket)(?:, page)?) \|", PAGE, re.MULTILINE
        )
        for name in re.findall(r"\w+", row[1])
    }
    assert set(rows) == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["labels"]["severity"] in rows[rule["alert"]], rule["alert"]


def test_rules_refer_to_no_placeholder_of_demos() -> None:
    """A demo can have the rules as files, whose texts are templates."""
    for path in ALERTS.parent.glob("*.yml"):
        assert "${" not in path.read_text(encoding="utf-8")
