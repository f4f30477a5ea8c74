# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a load: its target, its request, its rate, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Planner = Callable[..., dict[str, Any]]
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
DATA: dict[str, Any] = {
    "summary": "A shop",
    "ports": 15000,
    "services": {"web": {"app": {}, "sidecar": {}}},
    "proxies": {
        "edge": {
            "listeners": {
                "http": {"port": 8080, "publish": 15080, "routes": ROUTES},
                "h2": {"port": 8081, "publish": 15081, "protocol": "http2", "routes": ROUTES},
                "inner": {"port": 8082, "routes": ROUTES},
                "raw": {"port": 8083, "publish": 15083, "filters": [{"name": "x"}]},
            },
            "clusters": {"web": {"to": "web"}},
        }
    },
    "traffic": [
        {"to": "edge/h2", "path": "/h2"},
        {"to": "edge", "path": "/cart", "headers": {"x-a": "1"}, "requests": 9, "expect": []},
    ],
    "expectations": [{"at": "edge", "stat": "server.live", "op": "eq", "value": 1}],
    "changes": {"other": {"summary": "Another path", "traffic": [{"to": "edge", "path": "/other"}]}},
}
LOAD = {"to": "edge/http", "rate": "500", "for": "30s"}


def loaded(plan: Planner, platform: str = "local", change: str = "", **load: Any) -> dict[str, Any]:
    """Return the plan of a load on the demo, which is deployed with a change."""
    deployed = plan(DATA, platform, change=change)["deployed"]
    return plan(DATA, platform, deployed=deployed, load={**LOAD, **load})


def test_load_is_the_only_traffic(plan: Planner) -> None:
    found = loaded(plan)
    [sent] = found["traffic"]
    assert sent["url"] == "http://127.0.0.1:15080/cart"
    assert (sent["headers"], sent["phases"]) == ({"x-a": "1"}, [{"duration": 30.0, "rate": 500.0}])
    assert "requests" not in sent
    assert found["assertions"] == found["notes"] == []
    assert found["summary"] == "Load of 500 requests per second to edge/http for 30 s"


def test_load_reads_the_change_that_is_deployed(plan: Planner) -> None:
    found = loaded(plan, change="other")
    assert (found["change"], found["traffic"][0]["url"]) == ("other", "http://127.0.0.1:15080/other")


def test_load_fails_without_an_answer_unless_stated(plan: Planner) -> None:
    assert loaded(plan)["traffic"][0]["expect"] == [{"status": "any", "op": "ge", "value": 1}]
    stated = [{"latency": 0.99, "op": "lt", "value": 50}]
    assert loaded(plan, expect=stated)["traffic"][0]["expect"] == stated


def test_rate_selects_the_number_of_processes(plan: Planner) -> None:
    assert [
        loaded(plan, **{"rate": rate, "for": "5"})["traffic"][0]["processes"] for rate in (1, 8001, 90000)
    ] == [1, 2, 8]


def test_http2_has_few_connections_with_streams(plan: Planner) -> None:
    sent = loaded(plan, to="edge/h2", path="/x")["traffic"][0]
    assert (sent["protocol"], sent["concurrency"], sent["streams"]) == ("http2", 100, 10)
    assert sent["url"].endswith("/x")


@pytest.mark.parametrize(("platform", "to"), [("local", "edge/raw"), ("kubernetes", "edge/http")])
def test_threads_send_to_pods_and_over_tcp(plan: Planner, platform: str, to: str) -> None:
    sent = loaded(plan, platform, to=to)["traffic"][0]
    assert (sent["rate"], sent["duration"], sent["concurrency"]) == (500.0, 30.0, 50)
    assert "phases" not in sent


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({"to": "edge/htp"}, "load_to (TO): expected one of edge/http, edge/h2, edge/raw, got 'edge/htp'."),
        ({"to": "edge/inner"}, "expected one of edge/http, edge/h2, edge/raw, got 'edge/inner'."),
        ({"to": ""}, "expected one of edge/http, edge/h2, edge/raw, got ''."),
        (
            {"rate": "fast"},
            "load_rate (RATE): expected requests per second, above 0 and up to 1000000, got 'fast'.",
        ),
        ({"rate": "nan"}, "got 'nan'."),
        ({"rate": 0}, "got ''."),
        (
            {"for": "3d"},
            "load_for (FOR): expected a duration in seconds (30 or 30s), minutes (5m) or hours (1h), got '3d'.",
        ),
        ({"for": ""}, "got ''."),
        ({"rate": 1000, "for": "1h"}, "3600000 requests are more than 1000000. Reduce one of them."),
        ({"too": 1}, "too: unknown key. Use one of: to, rate, for, path, expect."),
    ],
)
def test_wrong_load_is_refused_with_what_exists(plan: Planner, load: dict[str, Any], message: str) -> None:
    with pytest.raises(DemoError) as caught:
        loaded(plan, **load)
    assert message in str(caught.value)


def test_demo_that_is_not_deployed_is_refused(plan: Planner) -> None:
    with pytest.raises(
        DemoError, match=r"shop\.yml: the demo is not deployed on local in /state\. Deploy it"
    ):
        plan(DATA, load=LOAD)
