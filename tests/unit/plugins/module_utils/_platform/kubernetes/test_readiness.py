# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for rollouts, and its reports, with objects of a Kubernetes 1.34 (rollouts.json)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.readiness import (
    EXPLANATION_INTERVAL,
    RolloutObjects,
    Rollouts,
    wait_for_rollouts,
)

RECORDED = json.loads(Path(__file__).with_name("rollouts.json").read_text(encoding="utf-8"))


class FakeRollouts:
    """A cluster with the recorded objects of one or several moments; the last moment stays."""

    namespace = "demo"

    def __init__(self, *moments: str) -> None:
        self.moments = [RECORDED[name] for name in moments]
        self.errors: list[ClusterError] = []
        self.events: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.lists: list[str] = []

    def list(self, kind: str, _selector: str = "", *, fields: str = "") -> Any:
        if kind == "Event":
            return self.events
        self.lists.append(kind)
        if kind == "Deployment" and self.errors:
            raise self.errors.pop(0)
        moment = self.moments[min(self.lists.count("Deployment"), len(self.moments)) - 1]
        found = {"Deployment": [moment["deployment"]], "ReplicaSet": moment["replica_sets"]}
        return copy.deepcopy(found.get(kind, moment["pods"]))

    def logs(self, _pod: str, _container: str, *, previous: bool, lines: int) -> Any:
        if previous:
            raise ClusterError("not_found", "no previous container")
        return self.log


def wait(cluster: Any, timeout: float = 0.0, **options: Any) -> None:
    name = cluster.moments[-1]["deployment"]["metadata"]["name"]
    wait_for_rollouts(cluster, "demo=web", {name: "web"}, timeout, **options)


def failure_of(cluster: Any, **options: Any) -> str:
    with pytest.raises(PlatformFailed) as failed:
        wait(cluster, **options)
    return str(failed.value)


def test_ready_rollout_ends_the_wait() -> None:
    wait(FakeRollouts("ready"))


def test_rollout_that_becomes_ready_ends_the_wait() -> None:
    cluster = FakeRollouts("starting", "ready")
    wait(cluster, timeout=5)
    assert cluster.lists == ["Deployment", "Deployment"]


def test_replica_sets_and_pods_are_listed_once_a_second() -> None:
    cluster: Any = FakeRollouts("starting")
    name = cluster.moments[-1]["deployment"]["metadata"]["name"]
    now = 0.0
    source = Rollouts(cluster, "demo=web", {name: "web"}, clock=lambda: now)
    assert source.statuses([name], 60)[name].state == "waiting"
    assert cluster.lists == ["Deployment"]
    now = EXPLANATION_INTERVAL
    explained = source.statuses([name], 60)[name]
    assert sorted(cluster.lists) == ["Deployment", "Deployment", "Pod", "ReplicaSet"]
    now += EXPLANATION_INTERVAL / 2
    assert source.statuses([name], 60)[name] == explained
    assert len(cluster.lists) == 5


def test_last_attempt_lists_the_pods() -> None:
    cluster = FakeRollouts("no node")
    assert "no node can run pod" in failure_of(cluster)
    assert sorted(cluster.lists) == ["Deployment", "Pod", "ReplicaSet"]


def test_known_objects_replace_the_first_request() -> None:
    cluster = FakeRollouts("ready")
    moment = cluster.moments[0]
    known = RolloutObjects([moment["deployment"]], moment["replica_sets"], moment["pods"])
    wait(cluster, known=known)
    assert cluster.lists == []


def test_late_rollout_reports_its_last_warning() -> None:
    cluster = FakeRollouts("no node")
    cluster.events = [
        {"type": "Normal", "message": "later", "lastTimestamp": "2", "metadata": {}},
        {"type": "Warning", "message": 'volume\n"x" not found', "lastTimestamp": "1", "metadata": {}},
    ]
    report = failure_of(cluster)
    assert report.startswith("web is not ready after 0 s without progress: no node can run pod ")
    assert report.endswith('(volume "x" not found).')


def test_crash_report_has_the_log_and_the_serving_pods() -> None:
    cluster = FakeRollouts("crash loop")
    cluster.log = ["unable to open file"]
    report = failure_of(cluster, tool="oc")
    assert report.startswith("web: container envoy of pod ")
    assert "crashes repeatedly with exit code 1. 1 of its previous pods still serve" in report
    assert "(oc --namespace demo logs " in report
    assert " --container envoy --previous)" in report
    assert report.endswith("\n  unable to open file")


def test_removed_deployment_is_reported() -> None:
    cluster = FakeRollouts("ready")
    with pytest.raises(
        PlatformFailed, match=r"^web: its Deployment was removed during this run\. Run again\.$"
    ):
        wait_for_rollouts(cluster, "demo=web", {"another-name": "web"}, 0)  # type: ignore[arg-type]


def test_api_server_error_is_retried() -> None:
    cluster = FakeRollouts("ready")
    cluster.errors = [ClusterError("no_cluster", "no API server answers")]
    wait(cluster, timeout=5)


def test_missing_permission_ends_the_wait() -> None:
    cluster = FakeRollouts("ready")
    cluster.errors = [ClusterError("forbidden", "ci is forbidden to list deployments.")]
    assert failure_of(cluster, timeout=5) == (
        "The status of the pods cannot be read: ci is forbidden to list deployments."
    )
