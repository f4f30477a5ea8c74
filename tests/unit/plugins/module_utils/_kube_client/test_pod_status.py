# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods that are ready, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest
from fake_api_server import pod

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    SelectedPods,
    container_names,
    no_ready_pod,
    port_number,
    select_ready,
    unready_reason,
)


def ended_pod(phase: str) -> dict[str, Any]:
    one = pod("ended")
    return {**one, "status": {**one["status"], "phase": phase}}


def test_terminating_and_ended_pods_are_left_out() -> None:
    terminating = pod("terminating", deletionTimestamp="2026-01-01T00:00:00Z")
    found = select_ready(
        [pod("b"), terminating, ended_pod("Failed"), ended_pod("Succeeded"), pod("a"), pod("c", ready=False)]
    )
    assert [one["metadata"]["name"] for one in found.ready] == ["a", "b"]
    assert [name for name, _why in found.unready] == ["c"]


def test_readiness_of_one_container() -> None:
    one = pod("a", ready=False)
    one["spec"]["initContainers"] = [{"name": "init"}, {"name": "sidecar", "restartPolicy": "Always"}]
    one["status"]["initContainerStatuses"] = [{"name": "sidecar", "ready": True, "state": {"running": {}}}]
    assert container_names(one) == ["envoy", "sidecar"]
    assert unready_reason(one, "sidecar") == ""
    assert unready_reason(one, "envoy") == "container envoy is waiting: ImagePullBackOff (no such image)"
    assert unready_reason(one, "other") == "the pod has no container other, only envoy, sidecar"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"phase": "Pending"}, "the pod is Pending"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
                ]
            },
            "the pod is not scheduled: 0/1 nodes are available",
        ),
        (
            {"containerStatuses": [{"name": "x", "ready": False, "state": {"running": {}}}]},
            "container x runs and is not ready yet",
        ),
        ({"containerStatuses": [{"name": "x", "ready": False, "state": {}}]}, "container x has not started"),
    ],
)
def test_unready_pod_has_a_reason(status: dict[str, Any], reason: str) -> None:
    assert unready_reason({**pod("a"), "status": status}) == reason


def test_port_is_found_by_number_and_by_name() -> None:
    one = pod("a")
    assert [port_number(one, port) for port in (9, "9", "admin", "nope")] == [9, 9, 9901, None]
    assert port_number(one, "admin", "other") is None


def test_message_names_the_pods_of_the_namespace() -> None:
    assert no_ready_pod(SelectedPods(), "a=b", "demo", [pod("y"), pod("x")]) == (
        "no pod is selected by a=b in namespace demo. The namespace has x, y."
    )
    many = no_ready_pod(SelectedPods(), "a=b", "demo", [pod(f"p{number:02}") for number in range(20)])
    assert many.endswith("p07 and 12 more.")
