# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss of pods under requests: a deleted pod serves until its replacement does, and a killed app is missed only while it restarts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
from cluster_home import ClusterHome
from live_changes import NAME, ChangingDemo
from request_load import ChangeCounts, RequestLoad

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    pod_name,
    select_ready,
)

RETRIES = {
    "retry_on": "5xx",
    "num_retries": 200,
    "retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"},
}
pytestmark = pytest.mark.lab  # the requests are sent to addresses of the cluster's Services


@pytest.fixture(scope="module")
def demo() -> Iterator[ChangingDemo]:
    with ChangingDemo("kubernetes") as demo:
        yield demo


def ready_pods(home: ClusterHome, group: str) -> list[str]:
    return [pod_name(pod) for pod in select_ready(home.pods(NAME, group)).ready]


def during(
    demo: ChangingDemo, label: str, change: Callable[[], object], is_over: Callable[[], bool]
) -> ChangeCounts:
    """Return the counts of requests from a change until it is over."""
    with RequestLoad(demo.lanes()) as load:
        load.begin(label)
        change()
        for _left in attempts(120, longest_pause=1):
            if is_over():
                break
        else:
            pytest.fail(f"{label}: not over after 120 s")
        return load.settled(500)


def test_deleted_pod_serves_until_it_is_replaced(demo: ChangingDemo) -> None:
    home = demo.home
    assert isinstance(home, ClusterHome)
    [pod] = ready_pods(home, "one")
    counts = during(
        demo,
        "delete one",
        lambda: home.cluster.delete("Pod", pod),
        lambda: ready_pods(home, "one") not in ([], [pod]),
    )
    assert counts.failures == {}


@pytest.mark.slow
@pytest.mark.parametrize("group", ["one", "plain", "edge"])
def test_deleted_pod_loses_no_request(demo: ChangingDemo, group: str) -> None:
    """The only pod is deleted. It serves for 35 s, and its replacement is ready before."""
    home = demo.home
    assert isinstance(home, ClusterHome)
    [pod] = ready_pods(home, group)
    counts = during(
        demo,
        f"delete {group}",
        lambda: home.cluster.delete("Pod", pod),
        lambda: home.cluster.get("Pod", pod) is None and ready_pods(home, group) != [],
    )
    assert counts.failures == {}


def end_of_app(demo: ChangingDemo) -> ChangeCounts:
    """End the only app of a service; return the counts of requests until it is ready again."""
    home = demo.home
    assert isinstance(home, ClusterHome)
    [pod] = ready_pods(home, "one")
    end = "import os; os.kill(1, 15)"  # a program of the container cannot send SIGKILL to its first one
    [before] = restarts(home)

    return during(
        demo,
        "end app",
        lambda: home.kubectl("exec", pod, "--container", "app", "--", "python3", "-c", end),
        lambda: restarts(home) == [before + 1] and ready_pods(home, "one") == [pod],
    )


def restarts(home: ClusterHome) -> list[int]:
    """Return the number of restarts of the app in each pod."""
    return [
        each["restartCount"]
        for one in home.pods(NAME, "one")
        for each in one["status"]["containerStatuses"]
        if each["name"] == "app"
    ]


@pytest.mark.slow
def test_killed_app_is_missed_only_while_it_restarts(demo: ChangingDemo) -> None:
    """A service with one replica cannot answer while its program restarts. The edge has a host all the time."""
    counts = end_of_app(demo)
    assert not [cause for cause in counts.failures if "no healthy upstream" in cause]


@pytest.mark.slow
def test_retries_cover_the_restart_of_an_app(demo: ChangingDemo) -> None:
    """Requests through the edge wait until the app is back; those to the Service of the pod itself cannot."""
    data = copy.deepcopy(demo.data)
    # A new pod: the kubelet delays the second restart of a container by 10 s.
    data["services"]["one"]["app"]["version"] = "2"
    edge = data["proxies"]["edge"]
    for listener in edge["listeners"].values():
        for one in listener["routes"]:
            one["route"] |= {"timeout": "60s", "retry_policy": RETRIES}
    for one in edge["clusters"].values():
        one["cluster"] = {"circuit_breakers": {"thresholds": [{"max_retries": 1000}]}}
    demo.deploy(data)
    try:
        counts = end_of_app(demo)
    finally:
        demo.deploy(demo.data)
    assert not [cause for cause in counts.failures if not cause.startswith("one ")], counts
