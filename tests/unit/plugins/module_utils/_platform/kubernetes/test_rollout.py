# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of rollouts, from objects of a Kubernetes 1.34 (rollouts.json) and from changed copies of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.rollout import (
    RolloutStatus,
    is_backing_off,
    rollout_status,
    serving_previous_pods,
)

RECORDED = json.loads(Path(__file__).with_name("rollouts.json").read_text(encoding="utf-8"))


def status_of(name: str) -> RolloutStatus:
    one = RECORDED[name]
    return rollout_status(one["deployment"], one["replica_sets"], one["pods"])


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("unseen", "waiting", "the cluster has not processed its Deployment yet"),
        ("initializing", "waiting", "container statsd-exporter of pod {pod} waits (PodInitializing)"),
        ("starting", "waiting", "container app of pod {pod} runs and has not passed its startup probe yet"),
        ("slow", "waiting", "container envoy of pod {pod} runs and has not passed its startup probe yet"),
        ("unready", "waiting", "container app of pod {pod} runs, but its readiness probe fails"),
        ("ready", "ready", ""),
        ("no node", "waiting", "no node can run pod {pod}: 0/1 nodes are available: 1 node(s) didn't match"),
        ("no image", "failed", "image localhost:5000/no-such-image:0 cannot be pulled: "),
        ("security", "failed", "the cluster's security rules reject its pods: violates PodSecurity"),
        (
            "crashed once",
            "waiting",
            "container envoy of pod {pod} ended with exit code 1, and the cluster restarts it",
        ),
        ("crash loop", "failed", "container envoy of pod {pod} crashes repeatedly with exit code 1"),
    ],
)
def test_recorded_rollouts_have_their_status(name: str, state: str, reason: str) -> None:
    found = status_of(name)
    assert found.state == state
    assert any(
        found.reason.startswith(reason.format(pod=pod["metadata"]["name"]))
        for pod in RECORDED[name]["pods"] or [{"metadata": {"name": ""}}]
    )


def test_crash_names_the_log_and_serving_pods_are_counted() -> None:
    found = status_of("crash loop")
    assert (found.container, found.previous) == ("envoy", True)
    one = RECORDED["crash loop"]
    assert serving_previous_pods(one["deployment"], one["replica_sets"]) == 1
    assert [is_backing_off(pod) for pod in one["pods"] if pod["metadata"]["name"] == found.pod] == [True]


def test_failed_pod_of_a_previous_revision_does_not_count() -> None:
    one = copy.deepcopy(RECORDED["crash loop"])
    for replica_set in one["replica_sets"]:
        replica_set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "0"
    found = rollout_status(one["deployment"], one["replica_sets"], one["pods"])
    assert (found.state, found.reason) == ("waiting", "its pods are not created yet")


def with_container(name: str, container: str, **state: Any) -> RolloutStatus:
    one = copy.deepcopy(RECORDED[name])
    for pod in one["pods"]:
        for status in pod["status"].get("containerStatuses", []):
            if status["name"] == container:
                status.update(state)
    return rollout_status(one["deployment"], one["replica_sets"], one["pods"])


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("rpc error: code = Unknown desc = dial tcp 192.0.2.1:443: i/o timeout", "waiting"),
        ("", "waiting"),
        ("rpc error: code = Unknown desc = pull access denied, repository does not exist", "failed"),
        ('Back-off pulling image "x": ErrImagePull: manifest unknown', "failed"),
        ('Back-off pulling image "x"', "waiting"),
    ],
)
def test_only_temporary_errors_of_a_registry_are_waited_for(message: str, state: str) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": message}
    found = with_container("no image", "app", state={"waiting": waiting})
    assert found.state == state
    assert "desc =" not in found.reason
    assert "Back-off" not in found.reason


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        ({"exitCode": 137, "reason": "OOMKilled"}, "was killed because it needs more memory than 256Mi"),
        (
            {"exitCode": 128, "reason": "StartError", "message": "exec: no-such-program: not found"},
            "cannot be started: exec: no-such-program: not found",
        ),
        ({"exitCode": 0, "reason": "Completed"}, "crashes repeatedly with exit code 0"),
    ],
)
def test_crash_has_the_reason_of_the_container(ended: dict[str, Any], reason: str) -> None:
    found = with_container(
        "starting", "app", state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": ended}
    )
    assert found.state == "failed"
    assert reason in found.reason


@pytest.mark.parametrize(
    ("message", "state", "reason"),
    [
        (
            'pods "x" is forbidden: exceeded quota: q, requested: pods=1',
            "waiting",
            "exceed the namespace's quota",
        ),
        (
            'pods "x" is forbidden: error looking up service account ns/a: not found',
            "waiting",
            "cannot be created yet",
        ),
        ('Pod "x" is invalid: spec: bad', "failed", "its pods cannot be created: Pod"),
    ],
)
def test_creation_failure_of_pods_has_a_reason(message: str, state: str, reason: str) -> None:
    one = copy.deepcopy(RECORDED["security"])
    for thing in (one["deployment"], *one["replica_sets"]):
        for condition in thing["status"].get("conditions", []):
            if condition["type"] == "ReplicaFailure":
                condition["message"] = message
    found = rollout_status(one["deployment"], one["replica_sets"], one["pods"])
    assert found.state == state
    assert reason in found.reason
    assert "is forbidden" not in found.reason


def test_missing_secret_is_a_failure() -> None:
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}
    found = with_container("starting", "app", state={"waiting": waiting})
    assert found.state == "failed"
    assert 'cannot be started: secret "x" not found' in found.reason


def test_progress_grows_with_the_steps_of_the_pods() -> None:
    assert 0 < status_of("no node").progress < status_of("starting").progress
