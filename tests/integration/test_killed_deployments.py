# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, changes and teardowns that are killed at random moments: the next run converges, and a teardown leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from killed_runs import KillableDemo, Moment, moments
from live import provide

# Another seed tries other moments.
SEED = int(os.environ.get("MESHLAB_SEED", "1"))
SHORT, LONG = 3, 40
# A deployment of containers takes several times as long.
CONTAINERS = 12
# Each pod that ends serves for another 35 s.
PODS = 6


@pytest.fixture(scope="module")
def demo() -> Iterator[KillableDemo]:
    provide()
    with KillableDemo() as one:
        yield one


@pytest.fixture(scope="module")
def totals(demo: KillableDemo) -> dict[tuple[bool, str], int]:
    return moments_of_runs(demo)


@pytest.fixture(scope="module")
def docker_demo() -> Iterator[KillableDemo]:
    with KillableDemo("docker") as one:
        yield one


@pytest.fixture(scope="module")
def docker_totals(docker_demo: KillableDemo) -> dict[tuple[bool, str], int]:
    return moments_of_runs(docker_demo)


@pytest.fixture(scope="module")
def pods_demo() -> Iterator[KillableDemo]:
    with KillableDemo("kubernetes") as one:
        yield one


@pytest.fixture(scope="module")
def pods_totals(pods_demo: KillableDemo) -> dict[tuple[bool, str], int]:
    return moments_of_runs(pods_demo)


def moments_of_runs(demo: KillableDemo) -> dict[tuple[bool, str], int]:
    """Return the number of moments of each run."""
    never = 0
    return {
        (False, "present"): demo.killed_run("present", False, never, False).moments,
        (True, "present"): demo.killed_run("present", True, never, False).moments,
        (True, "absent"): demo.killed_run("absent", False, never, False).moments,
    }


def problems_after(demo: KillableDemo, totals: dict[tuple[bool, str], int], moment: Moment) -> list[str]:
    """Kill a run at a moment, run again, and return what differs from an uninterrupted run."""
    if moment.first:
        demo.deploy(changed=False)
    else:
        demo.teardown()
    number = 1 + int(moment.fraction * totals[moment.first, moment.state])
    demo.killed_run(moment.state, moment.first, number, moment.whole_group)
    if moment.then == "teardown" or (moment.then == "same" and moment.state == "absent"):
        demo.teardown()
        return demo.left()
    changed = moment.then == "same" and moment.first
    demo.deploy(changed)
    return demo.converged(changed)


@pytest.mark.parametrize("moment", moments(SHORT, SEED), ids=str)
def test_run_after_a_kill_converges(
    demo: KillableDemo, totals: dict[tuple[bool, str], int], moment: Moment
) -> None:
    assert problems_after(demo, totals, moment) == []


@pytest.mark.slow
@pytest.mark.parametrize("moment", moments(LONG, SEED + 1), ids=str)
def test_run_after_any_of_many_kills_converges(
    demo: KillableDemo, totals: dict[tuple[bool, str], int], moment: Moment
) -> None:
    assert problems_after(demo, totals, moment) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("moment", moments(CONTAINERS, SEED + 2), ids=str)
def test_run_after_a_kill_converges_on_docker(
    docker_demo: KillableDemo, docker_totals: dict[tuple[bool, str], int], moment: Moment
) -> None:
    assert problems_after(docker_demo, docker_totals, moment) == []


@pytest.mark.slow
@pytest.mark.kubernetes
@pytest.mark.parametrize("moment", moments(PODS, SEED + 3), ids=str)
def test_run_after_a_kill_converges_on_kubernetes(
    pods_demo: KillableDemo, pods_totals: dict[tuple[bool, str], int], moment: Moment
) -> None:
    assert problems_after(pods_demo, pods_totals, moment) == []
