# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ConfigMap with watched files, and the pods that read it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import UpdateCounts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import (
    config_map_target,
    pod_admin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.config_map_target import (
    ConfigMapTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_admin import (
    PodAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
    UpstreamPods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.target_selection import (
    config_map_targets,
)

CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web-edge", "annotations": {"meshlab.envoy/folder": "edge"}},
    "data": {"listeners.yaml": "old"},
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "labels": {"app": "web"}},
    "spec": {"volumes": [{"configMap": {"name": "web-edge"}}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [{"name": "envoy", "state": {"running": {}}}],
    },
}
DENIED = "ci is forbidden to do that"
FORBIDDEN = ClusterError("forbidden", DENIED)
LISTENERS = "edge/listeners.yaml"


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(CONFIG_MAP, POD)


@pytest.fixture
def target(cluster: FakeCluster, tmp_path: Path) -> ConfigMapTarget:
    pods = ProxyPods("app=web")
    return ConfigMapTarget(cast("Any", cluster), tmp_path, pods, CONFIG_MAP, [LISTENERS], CONFIG_MAP)


def test_forbidden_list_of_pods_is_refused(cluster: FakeCluster, target: ConfigMapTarget) -> None:
    cluster.errors["list Pod"] = FORBIDDEN
    with pytest.raises(ConfigRefused, match=rf"^The running pods are unknown: {DENIED}\."):
        target.is_running()


def test_live_data_is_kept_while_an_envoy_runs(
    target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert target.live_data() == {}
    monkeypatch.setattr(PodAdmin, "get", lambda *_arguments: "LIVE")
    assert target.is_running()
    assert target.live_data() == {"listeners.yaml": "old"}


def test_config_map_is_restored_if_pods_cannot_be_patched(
    cluster: FakeCluster, target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PodAdmin, "get", lambda *_arguments: "LIVE")
    assert target.is_running()
    cluster.errors["patch Pod"] = FORBIDDEN
    with pytest.raises(OSError, match=DENIED):
        target.write(LISTENERS, b"new", 0o644)
    assert cluster.objects["ConfigMap", "web-edge"]["data"] == {"listeners.yaml": "old"}
    assert target.read(LISTENERS) == b"old"


def test_file_is_removed_from_config_map_and_folder(
    cluster: FakeCluster, target: ConfigMapTarget, tmp_path: Path
) -> None:
    target.write(LISTENERS, b"new", 0o644)
    assert (tmp_path / LISTENERS).read_bytes() == b"new"
    target.remove(LISTENERS)
    assert cluster.objects["ConfigMap", "web-edge"]["data"] == {}
    assert not (tmp_path / LISTENERS).exists()


def test_foreign_content_is_not_confirmed_as_the_written(
    target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refreshed kubelet may not have received the last content yet, and then brings the previous one."""
    written, read = ["old"], ["old"]

    def refresh_late(self: ConfigMapTarget, pod: str) -> None:
        written.append(self.data["listeners.yaml"])
        read.append(written[-2])

    def admin(_self: PodAdmin, path: str, _timeout: float) -> str:
        return f"listener_manager.lds.update_success: {len(read)}" if "lds" in path else ""

    monkeypatch.setattr(ConfigMapTarget, "_refresh", refresh_late)
    monkeypatch.setattr(PodAdmin, "get", admin)
    target = ConfigMapTarget(
        target.cluster, target.folder, target.proxy, CONFIG_MAP, target.paths, CONFIG_MAP
    )
    assert target.is_running()
    before = target.update_counts("listeners")
    target.write(LISTENERS, b"new\n", 0o644)
    assert target.confirm("listeners", before, (), "", time.monotonic() + 5) == ""
    assert read[-1].splitlines()[0] == "new"
    assert target.read(LISTENERS) == b"new\n"
    # The state folder has the content of the ConfigMap now, so that the first update counts.
    known = len(read)
    again = ConfigMapTarget(
        target.cluster,
        target.folder,
        target.proxy,
        CONFIG_MAP,
        target.paths,
        {**CONFIG_MAP, "data": target.data},
    )
    assert again.is_running()
    before = again.update_counts("listeners")
    again.write(LISTENERS, b"newer\n", 0o644)
    assert again.confirm("listeners", before, (), "", time.monotonic() + 5) == ""
    assert len(read) == known + 1


def test_update_for_another_reason_is_not_a_confirmation(
    target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Secret in the same folder makes Envoy read all files, and a kubelet may miss a content that stays for a moment only."""
    expected = "version_info: sha256:0a\nresources: []\n"
    read, refreshes = [expected], 0

    def kubelet(self: ConfigMapTarget, pod: str) -> None:
        nonlocal refreshes
        refreshes += 1
        content = self.data["listeners.yaml"]
        if refreshes == 2:
            read.append(expected)  # because of the Secret
        elif refreshes > 2 and content != read[-1]:
            read.append(content)

    def admin(_self: PodAdmin, path: str, _timeout: float) -> str:
        version = read[-1].splitlines()[0].removeprefix("version_info: ").strip("'")
        if "lds" not in path:
            return ""
        return f'listener_manager.lds.version_text: "{version}"\nlistener_manager.lds.update_success: {len(read)}'

    monkeypatch.setattr(ConfigMapTarget, "_refresh", kubelet)
    monkeypatch.setattr(PodAdmin, "get", admin)
    monkeypatch.setattr(pod_admin, "REFRESH_INTERVAL", 0.05)
    target = ConfigMapTarget(
        target.cluster,
        target.folder,
        target.proxy,
        CONFIG_MAP,
        target.paths,
        {**CONFIG_MAP, "data": {"listeners.yaml": expected}},
    )
    assert target.is_running()
    before = target.update_counts("listeners")
    target.write(LISTENERS, expected.encode(), 0o644)
    assert target.confirm("listeners", before, (), "sha256:0a", time.monotonic() + 3) == ""
    assert read == [expected, expected, expected.replace("sha256:0a", "'sha256:0a again'"), expected]


def test_rejection_names_the_pod_and_the_reason_of_its_log(
    cluster: FakeCluster, target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PodAdmin, "get", lambda *_arguments: "cluster_manager.cds.update_rejected: 1")
    reason = "Error adding/updating cluster(s) a: Invalid path: /nonexistent/ca.crt"
    cluster.log = [
        f"[2026-11-26 12:22:01.568][1][warning][config] [source/x.cc:81] Filesystem config update rejected: {reason}"
    ]
    assert target.rejected_since_start("clusters") == f"pod web-1: {reason}"


def test_targets_are_made_for_proxies_with_watched_files(cluster: FakeCluster, tmp_path: Path) -> None:
    pods = ProxyPods("app=web")
    targets = config_map_targets(
        cast("Any", cluster),
        tmp_path,
        {"edge": pods, "other": pods},
        {"edge": [LISTENERS]},
        [CONFIG_MAP],
        {("ConfigMap", "web-edge"): CONFIG_MAP},
    )
    assert [*targets] == ["edge"]
    assert targets["edge"].read(LISTENERS) == b"old"


def test_sensitive_watched_file_is_in_a_secret(tmp_path: Path) -> None:
    secret = {**CONFIG_MAP, "kind": "Secret", "data": {"listeners.yaml": "b2xk"}}
    cluster = FakeCluster(CONFIG_MAP, secret)
    targets = config_map_targets(
        cast("Any", cluster),
        tmp_path,
        {"edge": ProxyPods("app=web")},
        {"edge": [LISTENERS]},
        [{**CONFIG_MAP, "data": {"bootstrap.yaml": "b"}}, secret],
        {("Secret", "web-edge"): secret},
    )
    assert targets["edge"].read(LISTENERS) == b"old"
    targets["edge"].write(LISTENERS, b"new", 0o600)
    assert cluster.objects["Secret", "web-edge"]["data"] == {"listeners.yaml": "bmV3"}
    assert cluster.objects["ConfigMap", "web-edge"]["data"] == {"listeners.yaml": "old"}


@pytest.mark.parametrize(
    ("kind", "names", "waits"),
    [("clusters", ["new"], True), ("clusters", ["old"], False), ("listeners", ["new"], False)],
)
def test_changed_cluster_has_a_host_before_the_next_file(
    target: ConfigMapTarget, monkeypatch: pytest.MonkeyPatch, kind: str, names: list[str], waits: bool
) -> None:
    """Without this wait, a listener that is replaced next sends requests to a cluster without hosts."""
    waited: list[tuple[str, ...]] = []
    target.proxy = ProxyPods("app=web", members={"new": UpstreamPods("app=new", 1)})
    monkeypatch.setattr(ConfigMapTarget, "_confirm_written", lambda *_arguments: "")

    def wait(clusters: list[str], _monitor: Any, _deadline: float) -> str:
        waited.append(tuple(clusters))
        return "no host"

    monkeypatch.setattr(config_map_target, "wait_for_first_hosts", wait)
    before = {"web-1": UpdateCounts(0, 0)}
    problem = target.confirm(kind, before, names, "v", time.monotonic() + 1)
    assert problem == ("pod web-1: no host" if waits else "")
    assert waited == ([("new",)] if waits else [])
