# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canary's way: a tenth, half, all and back, live, without a lost request; and what goes wrong on it is noticed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deployment import take_down
from live import PLATFORMS, Home, asking

DEMO = "canary"
PORT = 8091
MEANWHILE = "all requests, while the weights change"
# Shorter traffic than the gallery's, which is made for people who watch.
SHORT = {"during": {MEANWHILE: {"duration": 3}}}


def test_the_canary_is_moved_on_and_back_live() -> None:
    # One platform beside the other: that halves the time.
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        for story in [pool.submit(moved, platform) for platform in PLATFORMS]:
            story.result()


def moved(platform: str) -> None:
    home = Home(platform)
    demo = home.demo(DEMO, changes={"half": SHORT, "all": SHORT})
    try:
        assert "5 of 5 expectations hold" in home.play("site", demo=demo).words
        before = home.running(DEMO)

        half = home.play("change", demo=demo, change="half").words
        assert "3 expectations held" in half
        assert "6 of 6 expectations hold" in half
        assert "(expected 50 %: 891 to 1109 of 2000)" in half

        everything = home.play("change", demo=demo, change="all").words
        assert "2 expectations held" in everything
        assert "6 of 6 expectations hold" in everything
        assert "2000 answers with header x-app-version: v2" in everything

        assert "6 of 6 expectations hold" in home.play("verify", demo=demo, change="all").words

        again = home.play("change", demo=demo, change="all")
        assert "6 of 6 expectations hold" in again.words
        # Nothing but the traffic that was started.
        assert again.recap["changed"] == 1

        with asking(home, PORT) as hosts:
            home.play("site", "--skip-tags", "verify", demo=demo)
        assert set(hosts) == {"v1-1", "v2-1"}
        assert "5 of 5 expectations hold" in home.play("verify", demo=demo).words

        assert home.running(DEMO) == before, "something was restarted"
        assert not list((home.folder / ".ansible_async").iterdir())
    finally:
        take_down(home, DEMO)
        home.close()


def test_what_goes_wrong_meanwhile_is_noticed() -> None:
    home = Home("local")
    demo = home.demo(DEMO)
    try:
        home.play("site", "--skip-tags", "verify", demo=demo)

        # Other weights than the change is to bring.
        said = wrong(home, "half", set=weights(70, 30))
        assert "expected 50 %: 891 to 1109 of 2000 answers with header x-app-version: v2, saw " in said
        assert (
            "cluster.v2.upstream_rq_total / http.http.downstream_rq_total at edge: expected delta 50 %: "
            in said
        )

        # A route that leads nowhere: those who ask meanwhile are told so.
        refused = [{"match": {"prefix": "/"}, "direct_response": {"status": 503}}]
        said = wrong(home, "all", set={"proxies": {"edge": {"listeners": {"http": {"routes": refused}}}}})
        assert "expected a share of 1 of answers with status 200, saw 0." in said
        assert " × 503)" in said

        # Another share than those who ask meanwhile can have.
        home.play("site", "--skip-tags", "verify", demo=demo)
        expect = [
            {"header": {"name": "x-app-version", "value": "v2"}, "of": "share", "op": "ge", "value": 0.9}
        ]
        during = {MEANWHILE: {"duration": 3, "expect": [{**expect[0], "tolerance": "binomial"}]}}
        assert "expected at least 90 %: " in wrong(home, "half", during=during)
    finally:
        take_down(home, DEMO)
        home.close()


def weights(v1: int, v2: int) -> dict[str, Any]:
    clusters = [{"name": "v1", "weight": v1}, {"name": "v2", "weight": v2}]
    routes = [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]
    return {"proxies": {"edge": {"listeners": {"http": {"routes": routes}}}}}


def wrong(home: Home, change: str, **other: Any) -> str:
    """What is said of a change with other content, which has to fail."""
    demo: Path = home.demo(DEMO, changes={change: {**SHORT, **other}})
    return home.play("change", demo=demo, change=change, ok=False).words
