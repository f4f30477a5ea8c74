# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of swaps, and what becomes of them, against an Envoy of which only the answers are made up."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import live_update
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.live_update import (
    LiveFile,
    Swap,
    go_live,
    order,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    AdminUnreachable,
    UpdateCounts,
    XdsMonitor,
)

OLD = b"resources:\n- name: a\n- name: b\n"
NEW = b"resources:\n- name: b\n- name: c\n"
BOTH = b"resources:\n- name: b\n- name: c\n- name: a\n"


def clusters(old: bytes | None = OLD, new: bytes = NEW) -> LiveFile:
    return LiveFile("edge/clusters.yaml", old, new, 0o644, "clusters")


LISTENERS = LiveFile(
    "edge/listeners.yaml", b"resources: []\n", b"resources:\n- name: l\n", 0o644, "listeners"
)
ROUTES = LiveFile("edge/rds.yaml", b"old\n", b"new\n", 0o644, "other")


class Envoy(XdsMonitor):
    """Takes everything, except what `refuses` names; writes down what it saw."""

    def __init__(
        self, folder: Path, refuses: bytes = b"\0", drains: bool = True, silent_after: int = 99
    ) -> None:
        self.folder, self.refuses, self.drains, self.silent_after = folder, refuses, drains, silent_after
        self.seen: list[tuple[str, bytes]] = []

    def update_counts(self, kind: str) -> UpdateCounts:
        return UpdateCounts(0, 0)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        if len(self.seen) >= self.silent_after:
            raise AdminUnreachable("gone")
        path = {
            "clusters": "edge/clusters.yaml",
            "listeners": "edge/listeners.yaml",
            "other": "edge/rds.yaml",
        }[kind]
        content = (self.folder / path).read_bytes()
        self.seen.append((kind, content))
        return "no" if content == self.refuses else ""

    def wait_until_drained(self, deadline: float) -> bool:
        return self.drains


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "edge").mkdir()
    for file in (clusters(), LISTENERS, ROUTES):
        (tmp_path / file.path).write_bytes(file.old or b"")
    return tmp_path


def run(folder: Path, envoy: Envoy, *files: LiveFile) -> live_update.Outcome:
    return go_live("edge", FolderTarget(folder, envoy), files, 1, 1)


def test_added_clusters_then_others_then_listeners_then_removed_clusters(folder: Path) -> None:
    envoy = Envoy(folder)
    outcome = run(folder, envoy, LISTENERS, clusters(), ROUTES)
    assert envoy.seen == [
        ("clusters", BOTH),
        ("other", b"new\n"),
        ("listeners", LISTENERS.new),
        ("clusters", NEW),
    ]
    assert (outcome.words, outcome.swaps, outcome.kept) == ("", 4, ())


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
def test_there_are_no_more_swaps_than_are_needed(
    files: list[LiveFile], draining: bool, contents: list[bytes]
) -> None:
    steps, _remarks = order(files, draining)
    assert [step.content for step in steps] == contents


def test_clusters_that_cannot_be_told_apart_are_said_so() -> None:
    _steps, warnings = order([clusters(new=b"resources: [{name: c}]\n"), LISTENERS])
    assert warnings == [
        (
            "edge/clusters.yaml could not be told apart ('resources:' is not a block sequence):"
            " all clusters were swapped before the listeners."
        )
    ]


@pytest.mark.parametrize("refuses", [BOTH, b"new\n", LISTENERS.new, NEW])
def test_a_refused_step_takes_all_of_them_back_listeners_first(folder: Path, refuses: bytes) -> None:
    envoy = Envoy(folder, refuses)
    outcome = run(folder, envoy, clusters(), LISTENERS, ROUTES)
    assert (outcome.words, outcome.rolled_back) == ("no", True)
    assert {
        path: (folder / path).read_bytes()
        for path in ("edge/clusters.yaml", "edge/listeners.yaml", "edge/rds.yaml")
    } == {
        "edge/clusters.yaml": OLD,
        "edge/listeners.yaml": LISTENERS.old,
        "edge/rds.yaml": ROUTES.old,
    }
    back = [kind for kind, content in envoy.seen if content in (OLD, LISTENERS.old, ROUTES.old)]
    assert back == sorted(back, key=["listeners", "other", "clusters"].index)


def test_an_admin_that_falls_silent_leaves_the_old_files_and_says_that_nothing_confirmed_them(
    folder: Path,
) -> None:
    outcome = run(folder, Envoy(folder, silent_after=1), clusters(), LISTENERS)
    assert "stopped answering" in outcome.words
    assert not outcome.rolled_back
    assert (folder / "edge/clusters.yaml").read_bytes() == OLD
    assert (folder / "edge/listeners.yaml").read_bytes() == LISTENERS.old


def test_a_file_that_cannot_be_written_is_told_and_so_is_one_that_cannot_be_put_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, written = FolderTarget.write, []

    def full(self: FolderTarget, path: str, content: bytes, mode: int) -> None:
        if written:
            raise OSError("no room")
        written.append(path)
        put(self, path, content, mode)

    monkeypatch.setattr(FolderTarget, "write", full)
    outcome = run(folder, Envoy(folder), clusters(), LISTENERS)
    assert outcome.words == "nothing, because a file could not be written (no room)"
    assert not outcome.rolled_back


def test_a_file_that_is_refused_when_it_is_read_a_second_time_is_noticed(folder: Path) -> None:
    class Twice(Envoy):
        def update_counts(self, kind: str) -> UpdateCounts:
            return UpdateCounts(0, 1 if self.seen else 0)

        def rejection(self, kind: str) -> str:
            return f"{kind} after all"

    outcome = run(folder, Twice(folder), LISTENERS)
    assert (outcome.words, outcome.rolled_back) == ("listeners after all", True)
    assert (folder / "edge/listeners.yaml").read_bytes() == LISTENERS.old


def test_clusters_stay_while_connections_of_before_may_need_them(folder: Path) -> None:
    envoy = Envoy(folder, drains=False)
    outcome = run(folder, envoy, clusters(), LISTENERS)
    assert outcome.kept == ("a",)
    assert outcome.words == ""
    assert (folder / "edge/clusters.yaml").read_bytes() == BOTH


def test_a_new_file_that_nobody_watches_yet_needs_no_confirmation(folder: Path) -> None:
    (folder / "edge/rds.yaml").unlink()
    new = LiveFile(ROUTES.path, None, ROUTES.new, 0o644, "other")
    envoy = Envoy(folder, refuses=LISTENERS.new)
    run(folder, envoy, new, LISTENERS)
    assert [kind for kind, _content in envoy.seen] == ["listeners", "listeners"]
    assert not (folder / "edge/rds.yaml").exists()


class Answers(AdminClient):
    """An admin whose stats are a list of answers, the last of them for ever."""

    def __init__(self, *answers: dict[str, int | str]) -> None:
        super().__init__("")
        object.__setattr__(self, "answers", list(answers))

    def stats(self, pattern: str, timeout: float) -> dict[str, str]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {name: str(value) for name, value in answer.items()}


def watch(*answers: dict[str, int | str]) -> XdsMonitor:
    return XdsMonitor(Answers(*answers))


DRAINING = "listener_manager.total_filter_chains_draining"
ACTIVE = "listener.127.0.0.1_80.downstream_cx_active"


@pytest.mark.parametrize(
    ("answers", "drained"),
    [
        ([{DRAINING: 0, ACTIVE: 5}], True),
        ([{DRAINING: 1, ACTIVE: 1}], False),
        ([{DRAINING: 1, ACTIVE: 0}], True),
        ([{DRAINING: 1, ACTIVE: 0}, {DRAINING: 1, ACTIVE: 1}], False),
        ([{DRAINING: 1, ACTIVE: 1}, {DRAINING: 1, ACTIVE: 1}, {DRAINING: 0, ACTIVE: 1}], True),
        ([{DRAINING: 1, ACTIVE: 0, "listener.admin.downstream_cx_active": 1}], True),
    ],
)
def test_connections_of_before_are_gone_when_nothing_drains_or_each_listener_was_idle(
    answers: list[dict[str, int | str]], drained: bool
) -> None:
    assert watch(*answers).wait_until_drained(time.monotonic() + (5 if drained else 0.05)) is drained


def test_a_file_that_is_not_read_in_time_is_not_confirmed() -> None:
    same: dict[str, int | str] = {"cluster_manager.cds.update_success": 1}
    words = watch(same).confirm("clusters", UpdateCounts(1, 0), (), "", time.monotonic() + 0.03)
    assert words == "it did not read the file in time"


@pytest.mark.parametrize(
    ("put", "shown", "taken"),
    [
        ("sha256:2", '"sha256:2"', True),
        ("sha256:2", '"sha256:1"', False),
        ("sha256:2", '""', True),
        ("sha256:2", None, True),
        ("", '"v1"', True),
    ],
    ids=["that one", "one of before", "none", "hidden", "not plain to see"],
)
def test_a_file_of_another_version_is_not_the_one_that_was_put(
    put: str, shown: str | None, taken: bool
) -> None:
    read: dict[str, int | str] = {"listener_manager.lds.update_success": 2}
    if shown is not None:
        read["listener_manager.lds.version_text"] = shown
    words = watch(read).confirm("listeners", UpdateCounts(1, 0), (), put, time.monotonic() + 0.05)
    assert words == ("" if taken else "it did not read the file in time")


def test_a_swap_is_one_file_and_one_content() -> None:
    assert Swap(LISTENERS, b"x").after_drain == ()
