# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volumes of pods."""

from __future__ import annotations

from typing import Any

import pytest
from sidecar_deployment import POD_SPEC

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.pod_volumes import (
    REFRESHED,
    mounts,
    refresh_volumes,
)


class FakePods:
    """A cluster whose patches are recorded, or fail."""

    def __init__(self, error: ClusterError | None = None) -> None:
        self.error = error
        self.patches: list[tuple[str, str, Any]] = []

    def patch(self, kind: str, name: str, merge: Any) -> None:
        self.patches.append((kind, name, merge))
        if self.error:
            raise self.error


def test_mounts_finds_projected_and_plain_volumes() -> None:
    pod = {"spec": POD_SPEC}
    assert mounts(pod, "ConfigMap", "c")
    assert mounts(pod, "Secret", "s")
    assert not mounts(pod, "ConfigMap", "s")
    assert mounts({"spec": {"volumes": [{"secret": {"secretName": "s"}}]}}, "Secret", "s")


def test_second_refresh_for_the_same_data_is_a_change() -> None:
    cluster: Any = FakePods()
    for _attempt in range(2):
        refresh_volumes(cluster, "web-1", {"a": "1"})
    values = {merge["metadata"]["annotations"][REFRESHED] for _kind, _name, merge in cluster.patches}
    assert len(values) == 2
    assert len({value.partition("-")[0] for value in values}) == 1


def test_refresh_ignores_a_pod_that_is_gone() -> None:
    cluster: Any = FakePods(ClusterError("not_found", "Pod web-1 not found"))
    refresh_volumes(cluster, "web-1", {})


def test_refresh_raises_a_missing_permission() -> None:
    cluster: Any = FakePods(ClusterError("forbidden", "ci is forbidden to patch pods."))
    with pytest.raises(ClusterError, match="forbidden to patch"):
        refresh_volumes(cluster, "web-1", {})
