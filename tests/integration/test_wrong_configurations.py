# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated wrong configurations, applied to running demos under requests: no request is lost, and none is accepted and broken."""

from __future__ import annotations

import json

import pytest
from live import ROOT, supported_demos
from wrong_configuration_run import Outcome, RunningDemo
from wrong_configurations import wrong_configurations

SEED = 14
RESULTS = ROOT / "build" / "wrong-configurations"
# Demos whose traffic has no plain GET without TLS. The unit tests plan their wrong configurations.
WITHOUT_REQUESTS = ("grpc_bridge", "mutual_tls", "redis", "tls_sni", "udp", "websocket")
EACH = 21  # 504 configurations of the 24 demos


def applied(demo: str, seed: int, count: int) -> list[Outcome]:
    """Apply wrong configurations to a demo, and return their outcomes."""
    with RunningDemo(demo) as running:
        return [running.apply(one) for one in wrong_configurations(demo, running.data, seed, count)]


def faults(outcomes: list[Outcome]) -> list[str]:
    """Return a line for each fault."""
    return [f"{one.mistake}: {fault}" for one in outcomes for fault in one.faults]


def test_wrong_configurations_lose_no_request() -> None:
    outcomes = [one for demo in ("cache", "canary") for one in applied(demo, SEED, 15)]
    assert faults(outcomes) == []
    assert {one.kind for one in outcomes} >= {"refused", "accepted"}


@pytest.mark.slow
@pytest.mark.parametrize("demo", sorted({*supported_demos("local")} - {*WITHOUT_REQUESTS}))
def test_many_wrong_configurations_lose_no_request(demo: str) -> None:
    outcomes = applied(demo, SEED, EACH)
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows = [one.__dict__ for one in outcomes]
    (RESULTS / f"{demo}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    assert faults(outcomes) == []
