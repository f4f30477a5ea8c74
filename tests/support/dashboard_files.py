# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queries of the committed dashboards, with Grafana's variables replaced as Grafana replaces them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "playbooks" / "files" / "dashboards"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@dataclass(frozen=True)
class PanelQuery:
    """A query of a panel, with Grafana's variables."""

    dashboard: str
    panel: str
    letter: str
    expression: str

    @property
    def place(self) -> str:
        """Return the dashboard, the panel and the letter of the query."""
        return f"{self.dashboard}/{self.panel}/{self.letter}"


def dashboard(name: str) -> dict[str, Any]:
    """Return the content of a dashboard."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def panel_queries() -> Iterator[PanelQuery]:
    """Yield the queries of all panels of all dashboards."""
    for name in NAMES:
        for panel in dashboard(name)["panels"]:
            for target in panel.get("targets", []):
                yield PanelQuery(name, panel["title"], target["refId"], target["expr"])


def with_variables(expression: str, values: Mapping[str, str]) -> str:
    """Return a query with the values of variables. A variable without a value is an error."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def at_rest(expression: str) -> str:
    """Return a query with each counter in place of its rate, so that it has the number of events since the start."""
    return re.sub(r"\b(?:rate|increase)\(([^()]*)\[\$__rate_interval\]\)", r"\1", expression)
