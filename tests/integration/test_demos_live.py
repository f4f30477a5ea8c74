# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running demo is upgraded from the oldest Envoy to the newest, and scaled without a lost request."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deployment import take_down
from envoy_namespace import until
from live import PLATFORMS, Home, background_traffic

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST

DEMO = "front_proxy"
PASSED = "16 of 16 expectations hold"


def test_demo_is_upgraded_and_scaled_under_traffic() -> None:
    # Both platforms concurrently, which halves the time.
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        for story in [pool.submit(upgrade_and_scale, platform) for platform in PLATFORMS]:
            story.result()


def upgrade_and_scale(platform: str) -> None:
    home = Home(platform)
    # Shorter traffic than in the gallery, where users watch it.
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
        assert PASSED in home.play("site", demo=demo, envoy_image_version=version).words
        assert versions(home) == {version}


def versions(home: Home) -> set[str]:
    answers = [home.admin(DEMO, proxy, "/server_info") for proxy in ("edge", "service1-1", "service2-1")]
    return {json.loads(answer)["version"].split("/")[1] for answer in answers}


def scale(home: Home, demo: Path) -> None:
    # The Envoys that were upgraded end by themselves.
    until(lambda: not home.has_draining(DEMO), "a previous Envoy has ended")
    before = home.running(DEMO)
    three = {"deployment_replicas": {"service1": 3}}

    with background_traffic(home, 8080, "/service/1") as hosts:
        # The demo is verified afterwards, because this traffic would change its exact numbers.
        home.play("site", "--skip-tags", "verify", demo=demo, **three)
    assert set(hosts) == {"service1-1", "service1-2", "service1-3"}
    assert before < home.running(DEMO), "a workload was restarted"
    # With three replicas, the demo expects three hosts, each with a third of the responses.
    verified = home.play("verify", demo=demo, **three).words
    assert PASSED in verified
    assert "expected 3, got 3 (answering hosts of traffic service 1 through the edge)" in verified

    with background_traffic(home, 8080, "/service/1") as hosts:
        home.play("site", "--skip-tags", "verify", demo=demo)
    assert set(hosts) == {"service1-1", "service1-2", "service1-3"}
    assert home.running(DEMO) == before


def change(home: Home, demo: Path) -> None:
    before = home.running(DEMO)
    changed = home.play("change", demo=demo, change="scaled")
    assert PASSED in changed.words
    assert "expected 3, got 3 (answering hosts of traffic service 1 through the edge)" in changed.words
    assert before < home.running(DEMO)
