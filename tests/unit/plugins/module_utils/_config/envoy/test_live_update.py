# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the order of swaps and their results, against a fake monitor of an Envoy."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.live_update import (
    LiveFile,
    LiveUpdate,
    file_kind,
    live_files,
    plan_swaps,
    update_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    UpdateCounts,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import FileDifference

OLD = b"resources:\n- name: a\n- name: b\n"
NEW = b"resources:\n- name: b\n- name: c\n"
BOTH = b"resources:\n- name: b\n- name: c\n- name: a\n"


def clusters(old: bytes | None = OLD, new: bytes = NEW) -> LiveFile:
    return LiveFile("edge/clusters.yaml", old, new, 0o644, "clusters")


LISTENERS = LiveFile(
    "edge/listeners.yaml", b"resources: []\n", b"resources:\n- name: l\n", 0o644, "listeners"
)
ROUTES = LiveFile("edge/rds.yaml", b"old\n", b"new\n", 0o644, "routes")


class FakeMonitor(XdsMonitor):
    """Accepts all contents except `rejects`, and records them. It stops responding after a number of them."""

    def __init__(
        self, folder: Path, rejects: bytes = b"\0", drains: bool = True, responds_to: int = 99
    ) -> None:
        self.folder, self.rejects, self.drains, self.responds_to = folder, rejects, drains, responds_to
        self.contents: list[tuple[str, bytes]] = []
        self.waited_for: list[str] = []

    def update_counts(self, kind: str) -> UpdateCounts:
        return UpdateCounts(0, 0)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        if len(self.contents) >= self.responds_to:
            raise AdminUnreachable("gone")
        path = {
            "clusters": "edge/clusters.yaml",
            "listeners": "edge/listeners.yaml",
            "routes": "edge/rds.yaml",
            "secrets": "edge/sds.yaml",
        }[kind]
        content = (self.folder / path).read_bytes()
        self.contents.append((kind, content))
        return "no" if content == self.rejects else ""

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        self.waited_for += clusters
        return self.drains


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edge").mkdir()
    for file in (clusters(), LISTENERS, ROUTES):
        (tmp_path / file.path).write_bytes(file.old or b"")
    return tmp_path


def update(folder: Path, monitor: FakeMonitor, *files: LiveFile) -> LiveUpdate:
    return update_proxy("edge", FolderTarget(folder, monitor), files, 1, 1)


def test_clusters_are_added_first_and_removed_last(folder: Path) -> None:
    monitor = FakeMonitor(folder)
    result = update(folder, monitor, LISTENERS, clusters(), ROUTES)
    assert monitor.contents == [
        ("clusters", BOTH),
        ("routes", b"new\n"),
        ("listeners", LISTENERS.new),
        ("clusters", NEW),
    ]
    assert (result.error, result.swaps, result.kept_clusters) == ("", 4, ())
    assert monitor.waited_for == ["a"]


@pytest.mark.parametrize(
    ("files", "draining", "contents"),
    [
        ([clusters()], False, [NEW]),
        ([clusters()], True, [BOTH, NEW]),
        ([LISTENERS], False, [LISTENERS.new]),
        ([clusters(new=OLD + b"- name: c\n"), LISTENERS], False, [OLD + b"- name: c\n", LISTENERS.new]),
        (
            [clusters(new=b"resources:\n- name: b\n"), LISTENERS],
            False,
            [LISTENERS.new, b"resources:\n- name: b\n"],
        ),
        ([clusters(old=None), LISTENERS], False, [NEW, LISTENERS.new]),
        (
            [clusters(new=b"resources: [{name: c}]\n"), LISTENERS],
            False,
            [b"resources: [{name: c}]\n", LISTENERS.new],
        ),
    ],
)
def test_swaps_are_as_few_as_possible(files: list[LiveFile], draining: bool, contents: list[bytes]) -> None:
    swaps, _warnings = plan_swaps(files, draining)
    assert [swap.content for swap in swaps] == contents


def test_clusters_that_cannot_be_separated_are_a_warning() -> None:
    _swaps, warnings = plan_swaps([clusters(new=b"resources: [{name: c}]\n"), LISTENERS])
    assert warnings == [
        (
            "edge/clusters.yaml: the clusters cannot be separated ('resources:' is not a block sequence)."
            " All clusters were replaced before the listeners."
        )
    ]


@pytest.mark.parametrize("rejects", [BOTH, b"new\n", LISTENERS.new, NEW])
def test_rejected_step_restores_listeners_first(folder: Path, rejects: bytes) -> None:
    monitor = FakeMonitor(folder, rejects)
    result = update(folder, monitor, clusters(), LISTENERS, ROUTES)
    assert (result.error, result.restored) == ("no", True)
    assert {
        path: (folder / path).read_bytes()
        for path in ("edge/clusters.yaml", "edge/listeners.yaml", "edge/rds.yaml")
    } == {
        "edge/clusters.yaml": OLD,
        "edge/listeners.yaml": LISTENERS.old,
        "edge/rds.yaml": ROUTES.old,
    }
    restored = [kind for kind, content in monitor.contents if content in (OLD, LISTENERS.old, ROUTES.old)]
    assert restored == sorted(restored, key=["listeners", "routes", "clusters"].index)


def test_unresponsive_admin_restores_unconfirmed_files(
    folder: Path,
) -> None:
    result = update(folder, FakeMonitor(folder, responds_to=1), clusters(), LISTENERS)
    assert result.error == "the admin interface stopped responding (gone)"
    assert not result.restored
    assert (folder / "edge/clusters.yaml").read_bytes() == OLD
    assert (folder / "edge/listeners.yaml").read_bytes() == LISTENERS.old


def test_write_error_ends_the_update(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = FolderTarget.write
    written: list[str] = []

    def write_once(self: FolderTarget, path: str, content: bytes, mode: int) -> None:
        if written:
            raise OSError("no room")
        written.append(path)
        write(self, path, content, mode)

    monkeypatch.setattr(FolderTarget, "write", write_once)
    result = update(folder, FakeMonitor(folder), clusters(), LISTENERS)
    assert result.error == "a file could not be written (no room)"
    assert not result.restored


def test_rejection_of_a_second_reading_is_an_error(folder: Path) -> None:
    class RejectsLater(FakeMonitor):
        def update_counts(self, kind: str) -> UpdateCounts:
            return UpdateCounts(0, 1 if self.contents else 0)

        def rejection(self, kind: str) -> str:
            return f"{kind} after all"

    result = update(folder, RejectsLater(folder), LISTENERS)
    assert (result.error, result.restored) == ("listeners after all", True)
    assert (folder / "edge/listeners.yaml").read_bytes() == LISTENERS.old


@pytest.mark.parametrize(("rejections", "restored"), [(2, True), (3, False)])
def test_second_reading_may_fail_after_the_restoration(folder: Path, rejections: int, restored: bool) -> None:
    class RejectsAgain(FakeMonitor):
        def confirm(
            self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
        ) -> str:
            super().confirm(kind, before, names, version, deadline)
            return "no" if len(self.contents) <= rejections else ""

    assert update(folder, RejectsAgain(folder), LISTENERS).restored is restored


def test_clusters_are_kept_while_listeners_drain(folder: Path) -> None:
    result = update(folder, FakeMonitor(folder, drains=False), clusters(), LISTENERS)
    assert (result.kept_clusters, result.error) == (("a",), "")
    assert (folder / "edge/clusters.yaml").read_bytes() == BOTH


@pytest.mark.parametrize("kind", ["routes", "secrets", "endpoints", "other"])
def test_new_file_is_written_before_a_resource_refers_to_it(folder: Path, kind: str) -> None:
    (folder / "edge/rds.yaml").unlink()
    new = LiveFile(ROUTES.path, None, ROUTES.new, 0o644, kind)
    swaps, _warnings = plan_swaps([LISTENERS, clusters(), new])
    assert [swap.file for swap in swaps] == [new, clusters(), LISTENERS, clusters()]
    monitor = FakeMonitor(folder, rejects=LISTENERS.new)
    update(folder, monitor, new, LISTENERS)
    # It is not confirmed, because no Envoy watches it, and it is removed after the listeners are restored.
    assert [kind for kind, _content in monitor.contents] == ["listeners", "listeners"]
    assert not (folder / "edge/rds.yaml").exists()


def test_routes_change_after_the_secrets_and_endpoints_they_use() -> None:
    kinds = ["listeners", "routes", "other", "endpoints", "secrets"]
    files = [LiveFile(f"edge/{kind}.yaml", b"old\n", b"new\n", 0o644, kind) for kind in kinds]
    swaps, _warnings = plan_swaps(files)
    assert [swap.file.kind for swap in swaps] == ["secrets", "endpoints", "other", "routes", "listeners"]


def test_kind_of_an_emptied_file_is_that_of_its_old_content() -> None:
    old = b"resources:\n- '@type': type.googleapis.com/envoy.config.listener.v3.Listener\n  name: l\n"
    assert file_kind("edge/x.yaml", old, b"resources: []\n") == "listeners"


def test_live_files_are_those_that_the_proxy_watches() -> None:
    differences = [
        FileDifference(path, b"old", 0o644, File(path, b"new", live=live))
        for path, live in (("edge/lds.yaml", "edge"), ("web/lds.yaml", "web"), ("edge/bootstrap.yaml", None))
    ]
    differences.append(FileDifference("edge/cds.yaml", b"old", 0o644, None))
    assert live_files(differences, "edge") == [LiveFile("edge/lds.yaml", b"old", b"new", 0o644, "listeners")]
