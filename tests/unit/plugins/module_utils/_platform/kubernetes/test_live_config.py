# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom an Envoy knows, beside the pods that serve, and what a cluster that does not let this user in makes of a change."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest
from fake_cluster import FakeCluster

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes import live_config
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config import (
    Asked,
    Members,
    PodAdmin,
    Pods,
)

READY = [{"type": "Ready", "status": "True"}]
MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web-edge", "annotations": {"meshlab.envoy/folder": "edge"}},
    "data": {"listeners.yaml": "old"},
}
MAY_NOT = "somebody is forbidden to do that; bind it to a Role"
FORBIDDEN = ClusterError("forbidden", MAY_NOT)


def pod(name: str, address: str, ending: bool = False) -> dict[str, Any]:
    metadata = {
        "name": name,
        "labels": {"app": "web"},
        **({"deletionTimestamp": "2026-11-24T04:00:00Z"} if ending else {}),
    }
    status = {
        "phase": "Running",
        "podIP": address,
        "conditions": READY,
        "containerStatuses": [{"name": "envoy", "state": {"running": {}}}],
    }
    spec = {"volumes": [{"configMap": {"name": "web-edge"}}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def stranger(known: set[str], hosts: int, *pods: dict[str, Any]) -> str:
    cluster = FakeCluster(*pods)
    # Those that are on their way out are there for long.
    cluster.lingers = dict.fromkeys(cluster.things, 1_000)
    place = object.__new__(Pods)
    place.cluster = cast("Any", cluster)
    place.asked = Asked("app=edge", members={"web": Members("app=web", hosts)})
    return place._stranger("web", {"web": known})


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(MAP, pod("web-1", "10.0.0.1"))


@pytest.fixture
def place(cluster: FakeCluster, tmp_path: Path) -> Pods:
    return Pods(cast("Any", cluster), tmp_path, Asked("app=web"), MAP, ["edge/listeners.yaml"], MAP)


@pytest.mark.parametrize(
    ("known", "hosts", "said"),
    [
        ({"10.0.0.1", "10.0.0.2"}, 2, ""),
        ({"10.0.0.1"}, 2, "cluster web knows 1 of 2 hosts"),
        # As many as there are to be, and one of them is on its way out: counting alone does not tell.
        ({"10.0.0.1", "10.0.0.9"}, 2, "cluster web knows 1 of 2 hosts, and 1 of before"),
        ({"10.0.0.1", "10.0.0.2", "10.0.0.9"}, 2, "cluster web knows 2 of 2 hosts, and 1 of before"),
        (set(), 2, "cluster web knows 0 of 2 hosts"),
    ],
)
def test_a_cluster_knows_the_pods_that_serve_and_no_others(known: set[str], hosts: int, said: str) -> None:
    pods = pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), pod("old", "10.0.0.9", ending=True)
    assert stranger(known, hosts, *pods) == said


def test_a_right_that_is_missing_is_no_silence_of_an_envoy(cluster: FakeCluster, place: Pods) -> None:
    cluster.refuses["apply ConfigMap"] = FORBIDDEN
    with pytest.raises(OSError, match=MAY_NOT):
        place.write("edge/listeners.yaml", b"new", 0o644)
    cluster.refuses = {"list Pod": FORBIDDEN}
    with pytest.raises(ConfigRefused) as refused:
        place.is_running()
    assert str(refused.value) == f"Which pods run is not known: {MAY_NOT}. Nothing was changed."


def test_what_pods_cannot_be_made_to_read_is_taken_back(
    cluster: FakeCluster, place: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PodAdmin, "get", lambda *_arguments: "LIVE")
    assert place.is_running()
    cluster.refuses["patch Pod"] = FORBIDDEN
    with pytest.raises(OSError, match=MAY_NOT):
        place.write("edge/listeners.yaml", b"new", 0o644)
    assert cluster.things["ConfigMap", "web-edge"]["data"] == {"listeners.yaml": "old"}
    assert place.read("edge/listeners.yaml") == b"old"


def test_who_may_not_ask_an_admin_is_told_before_anything_is_changed() -> None:
    class Closed:
        def forward(self, *_arguments: Any, **_more: Any) -> None:
            raise FORBIDDEN

    admin = PodAdmin(cast("Any", Closed()), "web-1", 9901)
    with pytest.raises(ConfigRefused) as refused:
        admin.is_running()
    assert str(refused.value) == f"{MAY_NOT}. Nothing was changed."
    # Later something was.
    with pytest.raises(AdminUnreachable, match=MAY_NOT):
        admin.get("/stats", 1)


def test_what_somebody_else_put_there_is_not_taken_for_what_was_put(
    cluster: FakeCluster, place: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubelet that is told to look may not have heard of the last content yet, and brings the one before."""
    seen, brought = ["old"], ["old"]

    def late(self: Pods, pod: str) -> None:
        seen.append(self.data["listeners.yaml"])
        brought.append(seen[-2])

    def admin(_self: PodAdmin, path: str, _timeout: float) -> str:
        return f"listener_manager.lds.update_success: {len(brought)}" if "lds" in path else ""

    monkeypatch.setattr(Pods, "_touch", late)
    monkeypatch.setattr(PodAdmin, "get", admin)
    assert place.is_running()
    before = place.update_counts("listeners")
    place.write("edge/listeners.yaml", b"new\n", 0o644)
    assert place.confirm("listeners", before, (), "", time.monotonic() + 5) == ""
    assert brought[-1].splitlines()[0] == "new"
    assert place.read("edge/listeners.yaml") == b"new\n"
    # What this folder remembers is what was there: the first reading counts.
    known = len(brought)
    again = Pods(place.cluster, place.folder, place.asked, MAP, place.paths, {**MAP, "data": place.data})
    assert again.is_running()
    before = again.update_counts("listeners")
    again.write("edge/listeners.yaml", b"newer\n", 0o644)
    assert again.confirm("listeners", before, (), "", time.monotonic() + 5) == ""
    assert len(brought) == known + 1


def test_what_is_read_for_another_reason_is_not_taken_for_a_second_reading(
    place: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Secret in the same folder makes a pod read all of it; a kubelet may miss a content that stays for a moment only."""
    wanted = "version_info: sha256:0a\nresources: []\n"
    brought, looks = [wanted], 0

    def kubelet(self: Pods, pod: str) -> None:
        nonlocal looks
        looks += 1
        content = self.data["listeners.yaml"]
        if looks == 2:
            brought.append(wanted)  # the Secret
        elif looks > 2 and content != brought[-1]:
            brought.append(content)

    def admin(_self: PodAdmin, path: str, _timeout: float) -> str:
        version = brought[-1].splitlines()[0].removeprefix("version_info: ").strip("'")
        if "lds" not in path:
            return ""
        return f'listener_manager.lds.version_text: "{version}"\nlistener_manager.lds.update_success: {len(brought)}'

    monkeypatch.setattr(Pods, "_touch", kubelet)
    monkeypatch.setattr(PodAdmin, "get", admin)
    monkeypatch.setattr(live_config, "AGAIN", 0.05)
    place.data = {"listeners.yaml": wanted}
    assert place.is_running()
    before = place.update_counts("listeners")
    place.write("edge/listeners.yaml", wanted.encode(), 0o644)
    assert place.confirm("listeners", before, (), "sha256:0a", time.monotonic() + 3) == ""
    assert brought == [wanted, wanted, wanted.replace("sha256:0a", "'sha256:0a again'"), wanted]


def test_why_clusters_were_refused_is_in_a_pods_log(
    cluster: FakeCluster, place: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PodAdmin, "get", lambda *_arguments: "cluster_manager.cds.update_rejected: 1")
    monkeypatch.setattr(live_config, "LOGGED_AFTER", (0, 0))
    nothing = "pod web-1: it refused the clusters and tells why in its log only"
    assert place.rejected_since_start("clusters") == nothing
    why = "Error adding/updating cluster(s) a: Invalid path: /nonexistent/ca.crt"
    cluster.log = [
        f"[2026-11-26 12:22:01.568][1][warning][config] [source/x.cc:81] Filesystem config update rejected: {why}"
    ]
    assert place.rejected_since_start("clusters") == f"pod web-1: {why}"
    cluster.refuses["logs Pod"] = FORBIDDEN
    assert place.rejected_since_start("clusters") == nothing
