# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployer of pods, on a fake cluster."""

from __future__ import annotations

from typing import Any

import pytest
from demo_objects import (
    CONFIG_MAP,
    MOUNTS,
    SERVICE,
    changing_requests,
    deployer_on,
    make_object,
    network_policy,
)
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import delete, deploy


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (deploy, delete):
        monkeypatch.setattr(module, "DELETION_TIMEOUT", 0.02)
        monkeypatch.setattr(module, "PAUSE", 0.005)


@pytest.mark.usefixtures("short_timeout")
def test_teardown_that_is_not_complete_fails() -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.lingering = {("Service", "web-app"): 1_000}
    deployer = deployer_on(cluster)
    assert deployer.is_deployed()
    with pytest.raises(PlatformFailed) as failed:
        deployer.remove_all()
    assert str(failed.value) == (
        "Not all of web is removed: Still existing 0.02 s after the deletion: Service/web-app. Run again."
    )


def test_teardown_returns_the_groups_that_ran() -> None:
    running = make_object("Deployment", "web-app", "apps/v1", spec={}, status={"replicas": 1})
    deployer = deployer_on(FakeCluster(running))
    assert deployer.is_deployed()
    assert deployer.remove_all() == ("app",)


def test_terminating_object_is_waited_for_and_created_again() -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.lingering = {("Service", "web-app"): 2}
    cluster.delete("Service", "web-app")
    deployer = deployer_on(cluster, SERVICE)
    deployer.preflight()
    assert cluster.objects == {}
    assert deployer.apply().objects == ("Service/web-app",)
    assert "deletionTimestamp" not in cluster.objects["Service", "web-app"]["metadata"]


@pytest.mark.usefixtures("short_timeout")
def test_terminating_object_that_stays_is_refused() -> None:
    cluster: Any = FakeCluster(SERVICE)
    cluster.lingering = {("Service", "web-app"): 1_000}
    cluster.delete("Service", "web-app")
    with pytest.raises(PlatformRefused) as error:
        deployer_on(cluster, SERVICE).preflight()
    assert str(error.value) == (
        "Still existing 0.02 s after the deletion: Service/web-app. Run again when it no longer exists."
    )


def test_error_after_the_dry_run_is_a_failure() -> None:
    cluster: Any = FakeCluster(CONFIG_MAP, make_object("Pod", "web-app-1", spec=MOUNTS))
    deployer = deployer_on(cluster, {**CONFIG_MAP, "data": {"a": "2"}})
    deployer.preflight()
    cluster.errors["patch Pod"] = ClusterError("forbidden", "ci is forbidden to patch pods")
    with pytest.raises(PlatformFailed) as failed:
        deployer.apply()
    assert str(failed.value) == (
        "The cluster rejects a request after a successful dry run: Ci is forbidden to patch pods."
    )


def admitted_callers(cluster: Any) -> list[str]:
    """Return the groups that the policy admits; the API server leaves out an empty list."""
    rules = cluster.objects["NetworkPolicy", "web-app"]["spec"].get("ingress") or []
    return [rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for rule in rules]


@pytest.mark.parametrize(
    ("before", "after", "during"),
    [(["a"], [], ["a"]), (["a"], ["b"], ["b", "a"]), (["a"], ["b", "a"], ["b", "a"]), (["a"], ["a"], ["a"])],
)
def test_previous_callers_are_admitted_until_the_end(
    before: list[str], after: list[str], during: list[str]
) -> None:
    cluster: Any = FakeCluster()
    first = deployer_on(cluster, network_policy(*before))
    first.preflight()
    first.apply()
    first.remove_unlisted()
    assert admitted_callers(cluster) == before
    for is_interrupted in (True, False):
        deployer = deployer_on(cluster, network_policy(*after))
        deployer.preflight()
        changed = deployer.apply().objects
        assert admitted_callers(cluster) == during
        if not is_interrupted:
            changed += deployer.remove_unlisted().objects
            assert admitted_callers(cluster) == after
    # The change at the end is reported, too.
    assert set(changed) == ({"NetworkPolicy/web-app"} if after != during else set())
    cluster.requests.clear()
    deployer_on(cluster, network_policy(*after)).preflight()
    assert changing_requests(cluster) == []
    assert not any(one.startswith("dry-run") for one in cluster.requests)
