# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live changes of all kinds on each platform: no request fails, except where the plan announces an interruption."""

from __future__ import annotations

import json
from typing import Any

import pytest
from change_kinds import Kind, kinds
from live import ROOT
from live_changes import ChangingDemo, play, within_announcements
from request_load import RequestLoad

# Kinds that cannot be made without an interruption. The plan announces it, and names what is interrupted.
ANNOUNCED = {
    "local": {"concurrency"},
    "docker": {"listener added", "concurrency"},
    "kubernetes": set(),
}
# The kinds of the short version: those that replace programs, and one that changes files.
SHORT = {
    "local": ["service added", "app", "stats_config", "Envoy version", "route"],
    "docker": ["app", "sidecar bootstrap", "Envoy version"],
    "kubernetes": ["app"],
}
PLATFORMS = [
    "local",
    "docker",
    # The requests are sent to addresses of the cluster's Services, which only the lab's machine reaches.
    pytest.param("kubernetes", marks=pytest.mark.lab),
]
RESULTS = ROOT / "build" / "changes"
LEAST = 5000  # requests during a change of the long version: 500,000 in 100 changes


@pytest.mark.parametrize("platform", PLATFORMS)
def test_changes_lose_no_request(platform: str) -> None:
    with ChangingDemo(platform) as demo:
        chosen = [kind for kind in kinds(demo.older_envoy()) if kind.name in SHORT[platform]]
        with RequestLoad(demo.lanes()) as load:
            rows = play(demo, chosen, load, least=100)
    check(platform, rows)


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_hundred_changes_lose_no_request(platform: str) -> None:
    with ChangingDemo(platform) as demo, RequestLoad(demo.lanes(rate=200)) as load:
        rows = play(demo, four_of_each(kinds(demo.older_envoy())), load, LEAST)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{platform}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    assert len(rows) == 100
    assert sum(row["requests"] for row in rows) >= 500_000
    check(platform, rows)


def four_of_each(found: list[Kind]) -> list[Kind]:
    """Return the kinds so often that each occurs in four changes. A kind whose change back has the same name occurs twice in each pair."""
    return [kind for kind in found for _time in range(4 if kind.name != kind.back else 2)]


def check(platform: str, rows: list[dict[str, Any]]) -> None:
    """Fail for each failed request that was not announced, and for each announcement that is not expected."""
    assert [row for row in rows if not within_announcements(row)] == []
    assert {row["kind"] for row in rows if row["announced"]} <= ANNOUNCED[platform]
