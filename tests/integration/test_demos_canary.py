# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demo canary moves to half, to all and back under traffic without a lost request, and fails if a change is wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deployment import take_down
from live import PLATFORMS, Home, background_traffic

DEMO = "canary"
PORT = 8091
DURING = "all requests, while the weights change"
# Shorter traffic than in the gallery, where users watch it.
SHORT = {"during": {DURING: {"duration": 3}}}


def test_canary_moves_to_all_and_back() -> None:
    # Both platforms concurrently, which halves the time.
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        for story in [pool.submit(move, platform) for platform in PLATFORMS]:
            story.result()


def move(platform: str) -> None:
    home = Home(platform)
    demo = home.demo(DEMO, changes={"half": SHORT, "all": SHORT})
    try:
        assert "5 of 5 expectations hold" in home.play("site", demo=demo).words
        before = home.running(DEMO)

        half = home.play("change", demo=demo, change="half").words
        assert "All 3 expectations hold" in half
        assert "6 of 6 expectations hold" in half
        assert "expected 891 to 1109 of 2000 for a share of 50 %, got " in half

        everything = home.play("change", demo=demo, change="all").words
        assert "All 2 expectations hold" in everything
        assert "6 of 6 expectations hold" in everything
        assert (
            "got 2000 (share of answers with header x-app-version: v2 of traffic all requests)" in everything
        )

        assert "6 of 6 expectations hold" in home.play("verify", demo=demo, change="all").words

        again = home.play("change", demo=demo, change="all")
        assert "6 of 6 expectations hold" in again.words
        assert again.recap["changed"] == 0

        with background_traffic(home, PORT) as hosts:
            home.play("site", "--skip-tags", "verify", demo=demo)
        assert set(hosts) == {"v1-1", "v2-1"}
        assert "5 of 5 expectations hold" in home.play("verify", demo=demo).words

        assert home.running(DEMO) == before, "a workload was restarted"
    finally:
        take_down(home, DEMO)
        home.close()


def test_wrong_change_fails() -> None:
    home = Home("local")
    demo = home.demo(DEMO)
    try:
        home.play("site", "--skip-tags", "verify", demo=demo)

        # Weights that differ from the expectations of the change.
        output = fail(home, "half", set=weights(70, 30))
        assert "expected 891 to 1109 of 2000 for a share of 50 %, got " in output
        assert (
            "(delta of ratio of cluster.v2.upstream_rq_total to http.http.downstream_rq_total at edge)"
            in output
        )

        # A route that returns an error during the change.
        error = [{"match": {"prefix": "/"}, "direct_response": {"status": 503}}]
        output = fail(home, "all", set={"proxies": {"edge": {"listeners": {"http": {"routes": error}}}}})
        assert "expected 1, got 0." in output
        assert " × 503." in output

        # A share that the traffic during the change cannot have.
        home.play("site", "--skip-tags", "verify", demo=demo)
        expect = [
            {"header": {"name": "x-app-version", "value": "v2"}, "of": "share", "op": "ge", "value": 0.9}
        ]
        during = {DURING: {"duration": 3, "expect": [{**expect[0], "tolerance": "binomial"}]}}
        assert "for a share of at least 90 %, got " in fail(home, "half", during=during)
    finally:
        take_down(home, DEMO)
        home.close()


def weights(v1: int, v2: int) -> dict[str, Any]:
    clusters = [{"name": "v1", "weight": v1}, {"name": "v2", "weight": v2}]
    routes = [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]
    return {"proxies": {"edge": {"listeners": {"http": {"routes": routes}}}}}


def fail(home: Home, change: str, **other: Any) -> str:
    """Make a change with other content, which must fail. Return the output."""
    demo: Path = home.demo(DEMO, changes={change: {**SHORT, **other}})
    return home.play("change", demo=demo, change=change, ok=False).words
