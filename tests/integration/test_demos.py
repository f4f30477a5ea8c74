# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demos of the foundation on every platform, by the commands of the README, from a fresh host to nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from deployment import take_down
from live import FOUNDATION, PLATFORMS, Home, demo_data

Stories = dict[tuple[str, str], Future[None]]


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> Iterator[Stories]:
    """The stories of the tests that were selected, one platform's beside the other's: that halves the time."""
    wanted = [
        (item.callspec.params["name"], item.callspec.params["platform"])
        for item in request.session.items
        if item.path == request.path
    ]
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        yield {one: pool.submit(story, *one) for one in wanted}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", FOUNDATION)
def test_a_demo_from_nothing_to_nothing(name: str, platform: str, stories: Stories) -> None:
    stories[name, platform].result()


def story(name: str, platform: str) -> None:
    home = Home(platform)
    try:
        tell(home, name)
    finally:
        take_down(home, name)
        home.close()


def tell(home: Home, name: str) -> None:
    demo = home.demo(name)
    all_hold = "{0} of {0} expectations hold".format(count_of_expectations(name))

    fresh = home.play("site", "--check", "--diff", demo=demo)
    assert "+++ after" in fresh.output, fresh.output
    assert home.left(name) == [], "--check on a fresh host changed something"

    first = home.play("site", demo=demo)
    assert all_hold in first.words
    assert first.recap["changed"] >= 1
    deployed = lasting(home.left(name))

    again = home.play("site", demo=demo)
    assert all_hold in again.words
    assert again.recap["changed"] == 0, again.output

    checked = home.play("site", "--check", "--diff", demo=demo)
    assert checked.recap["changed"] == 0, checked.output
    assert lasting(home.left(name)) == deployed, "--check after a converge changed something"

    verified = home.play("verify", demo=demo)
    assert all_hold in verified.words
    assert verified.recap["changed"] == 0

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.left(name) == []


def lasting(left: list[str]) -> list[str]:
    """Return what is left, without logs: those turn when they are full, which a demo's own traffic makes them."""
    return [one for one in left if "/logs/" not in one]


def count_of_expectations(name: str) -> int:
    data = demo_data(name, 0)
    return len(data["expectations"]) + sum(len(one["expect"]) for one in data["traffic"])
