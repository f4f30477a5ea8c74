# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary in pods advances in steps, and returns to the previous state live if a step fails."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from cluster_home import ClusterHome, traffic_to_pods
from live import demo_data

DEMO = "canary"
PORT = 8091
DURING = "all requests, while the canary advances"
# The traffic of the test adds to the counters, so only the responses and the ratios have exact expectations.
NO_SUMS: dict[str, Any] = {"expectations": []}
FAULT = [{"match": {"prefix": "/"}, "direct_response": {"status": 503}}]
BAD = {"services": {"v2": {"sidecar": {"listeners": {"ingress": {"port": 10000, "routes": FAULT}}}}}}


@pytest.mark.slow
def test_canary_advances_or_returns_without_a_restart(home: ClusterHome) -> None:
    demo = home.demo(DEMO, changes={"advance": NO_SUMS}, **NO_SUMS)
    home.play("site", "--skip-tags", "verify", demo=demo)
    before = home.running(DEMO)

    with traffic_to_pods(home, DEMO, "edge", PORT + home.shift) as hosts:
        advanced = home.play("change", demo=demo, change="advance").words
    assert "3 of 3 expectations hold" in advanced
    assert "2 of 2 expectations hold" in advanced
    assert {name.rsplit("-", 2)[0].rpartition("-")[2] for name in hosts} == {"v1", "v2"}
    assert home.running(DEMO) == before, "a pod was replaced"
    home.play("site", "--skip-tags", "verify", demo=demo)

    # The second step makes version 2 fail, for all requests.
    steps = copy.deepcopy(demo_data(DEMO, 0)["changes"]["advance"]["steps"])
    steps[1]["set"] |= BAD
    bad = home.demo(DEMO, changes={"advance": {"steps": steps, **NO_SUMS}}, **NO_SUMS)
    returned = home.play("change", demo=bad, change="advance", ok=False).words
    assert "changes.advance.steps[1].during: 1 of 1 expectations failed." in returned
    assert (
        "The change advance was undone: the demo runs without a change again, which was deployed live and verified."
        in returned
    )
    assert home.running(DEMO) == before, "a pod was replaced"
    record = json.loads((home.state(DEMO) / ".files.json").read_text(encoding="utf-8"))["deployed"]
    assert record["change"] == ""
    with traffic_to_pods(home, DEMO, "edge", PORT + home.shift):
        pass
    home.play("teardown", demo=demo)
    assert home.remaining(DEMO) == []
