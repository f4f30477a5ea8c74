# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of the README deploy, verify and remove the demos of live.FOUNDATION on every platform."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest
from deployment import take_down
from live import FOUNDATION, PLATFORMS, TASKS_OF_UNCHANGED_RUN, Home, demo_data
from rotation import cases_of_week

Stories = dict[tuple[str, str], Future[None]]


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> Iterator[Stories]:
    """Run the stories of the selected tests, on both platforms concurrently, which halves the time."""
    selected = [
        (item.callspec.params["name"], item.callspec.params["platform"])
        for item in request.session.items
        if item.path == request.path
    ]
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        yield {parameters: pool.submit(run_story, *parameters) for parameters in selected}


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", cases_of_week(FOUNDATION, weeks=2))
def test_demo_is_deployed_verified_and_removed(name: str, platform: str, stories: Stories) -> None:
    stories[name, platform].result()


def run_story(name: str, platform: str) -> None:
    with closing(Home(platform)) as home:
        try:
            check_playbooks(home, name)
        finally:
            take_down(home, name)


def check_playbooks(home: Home, name: str) -> None:
    demo = home.demo(name)
    all_passed = "{0} of {0} expectations hold".format(count_of_expectations(name))

    fresh = home.play("site", "--check", "--diff", demo=demo)
    assert "+++ after" in fresh.output, fresh.output
    assert home.remaining(name) == [], "--check changed a fresh host"

    first = home.play("site", demo=demo)
    assert all_passed in first.words
    assert first.recap["changed"] >= 1
    deployed = without_logs(home.remaining(name))

    again = home.play("site", demo=demo)
    assert all_passed in again.words
    assert again.recap["changed"] == 0, again.output
    assert len(again.tasks) == TASKS_OF_UNCHANGED_RUN, again.tasks

    checked = home.play("site", "--check", "--diff", demo=demo)
    assert checked.recap["changed"] == 0, checked.output
    assert without_logs(home.remaining(name)) == deployed, "--check of a deployed demo changed the host"

    verified = home.play("verify", demo=demo)
    assert all_passed in verified.words
    assert verified.recap["changed"] == 0

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.remaining(name) == []


def without_logs(lines: list[str]) -> list[str]:
    """Return the lines without log files, which are rotated when they are full."""
    return [line for line in lines if "/logs/" not in line]


def count_of_expectations(name: str) -> int:
    """Return the number of expectations of a demo, without its changes."""
    data = demo_data(name, 0)
    return len(data["expectations"]) + sum(len(batch["expect"]) for batch in data["traffic"])
