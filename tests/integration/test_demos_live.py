# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes while a demo runs: the oldest Envoy becomes the newest, and a service is scaled without a lost request."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deployment import take_down
from live import PLATFORMS, Home, asking

OLDEST, NEWEST = "1.36.4", "1.40.0"
DEMO = "front_proxy"
HOLD = "16 of 16 expectations hold"


def test_a_demo_is_upgraded_and_scaled_live() -> None:
    # One platform beside the other: that halves the time.
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        for story in [pool.submit(live, platform) for platform in PLATFORMS]:
            story.result()


def live(platform: str) -> None:
    home = Home(platform)
    # Shorter traffic than the gallery's, which is made for people who watch.
    during = {"service 1, while it is scaled": {"duration": 8}}
    demo = home.demo(DEMO, changes={"scaled": {"during": during}})
    try:
        upgrade(home, demo)
        scale(home, demo)
        change(home, demo)
    finally:
        take_down(home, DEMO)
        home.close()


def upgrade(home: Home, demo: Path) -> None:
    for version in (OLDEST, NEWEST):
        assert HOLD in home.play("site", demo=demo, envoy_image_version=version).words
        assert versions(home) == {version}


def versions(home: Home) -> set[str]:
    answers = [home.admin(DEMO, proxy, "/server_info") for proxy in ("edge", "service1-1", "service2-1")]
    return {json.loads(answer)["version"].split("/")[1] for answer in answers}


def scale(home: Home, demo: Path) -> None:
    before = home.running(DEMO)
    three = {"deployment_replicas": {"service1": 3}}

    with asking(home, 8080, "/service/1") as hosts:
        # The expectations are exact numbers, so they come afterwards, when nobody else asks.
        home.play("site", "--skip-tags", "verify", demo=demo, **three)
    assert set(hosts) == {"service1-1", "service1-2", "service1-3"}
    assert before < home.running(DEMO), "what ran before was restarted"
    # With three replicas, three hosts are expected, each with a third of the answers.
    verified = home.play("verify", demo=demo, **three).words
    assert HOLD in verified
    assert "answers from 3 hosts" in verified

    with asking(home, 8080, "/service/1") as hosts:
        home.play("site", "--skip-tags", "verify", demo=demo)
    assert set(hosts) == {"service1-1", "service1-2", "service1-3"}
    assert home.running(DEMO) == before


def change(home: Home, demo: Path) -> None:
    before = home.running(DEMO)
    changed = home.play("change", demo=demo, change="scaled")
    assert HOLD in changed.words
    assert "answers from 3 hosts" in changed.words
    assert not list((home.folder / ".ansible_async").iterdir())
    assert before < home.running(DEMO)
