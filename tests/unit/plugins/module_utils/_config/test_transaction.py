# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the phases after `prepare`: write, go live, finish, and a crash at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from config_transactions import deploy, text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import FolderTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Admin,
    Check,
    DesiredFiles,
    Directory,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    UpdateCounts,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.roll_back import restore_checked_files
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction

LISTENERS = "edge/listeners.yaml"


class RemoteTarget(FolderTarget):
    """A target whose Envoy reads `deployed`, by the stem of the path; the folder has a copy. It rejects a text with `rejected`."""

    def __init__(self, folder: Path, is_running: bool, **deployed: bytes) -> None:
        super().__init__(folder, XdsMonitor(ConfigAdmin("unix:///nonexistent")))
        self.envoy_runs, self.deployed = is_running, deployed
        self.start_rejection = ""

    def is_running(self) -> bool:
        return self.envoy_runs

    def read(self, path: str) -> bytes | None:
        return self.deployed.get(Path(path).stem)

    def write(self, path: str, content: bytes, mode: int) -> None:
        super().write(path, content, mode)
        self.deployed[Path(path).stem] = content

    def update_counts(self, kind: str) -> UpdateCounts:
        return UpdateCounts(0, 0)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        return "no" if b"rejected" in self.deployed["listeners"] else ""

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        return ""

    def rejected_since_start(self, kind: str) -> str:
        return self.start_rejection

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        return True


def desired_listeners(content: bytes) -> DesiredFiles:
    return DesiredFiles((File(LISTENERS, content, live="edge"),), admins=(Admin("edge", "http://nowhere"),))


def deploy_to(folder: Path, target: RemoteTarget, content: bytes) -> Transaction:
    with prepare(folder, desired_listeners(content), targets={"edge": target}) as transaction:
        if transaction.changed:
            transaction.write()
            transaction.go_live()
            transaction.finish()
        return transaction


def test_modes_are_exact_whatever_the_umask_is(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        desired = DesiredFiles(
            (text_file("a/b/c", mode=0o644), text_file("d", mode=0o600)), (Directory("a/run", 0o1777),)
        )
        assert deploy(folder, desired).changed
    finally:
        os.umask(before)
    modes = {
        path: (folder / path).stat().st_mode & 0o7777 for path in ("", "a", "a/b", "a/b/c", "d", "a/run")
    }
    assert modes == {"": 0o700, "a": 0o755, "a/b": 0o755, "a/b/c": 0o644, "d": 0o600, "a/run": 0o1777}
    assert not deploy(folder, desired).changed


def test_finish_removes_only_files_of_earlier_runs(folder: Path) -> None:
    deploy(
        folder,
        DesiredFiles(
            (text_file("keep"), text_file("gone/deep/a"), text_file("edited"), text_file("shared/b")),
            (Directory("run"),),
        ),
    )
    (folder / "edited").write_text("by hand")
    (folder / "foreign").write_text("not mine")
    (folder / "shared/foreign").write_text("not mine")
    transaction = deploy(folder, DesiredFiles((text_file("keep"),)))
    assert transaction.changed_files() == ["gone/deep/a", "shared/b"]
    assert transaction.warnings == [
        "edited is no longer desired, but it was edited since the last run. It was not removed."
    ]
    visible = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.name.startswith(".")
    }
    assert visible == {"keep", "edited", "foreign", "shared", "shared/foreign"}


def test_finish_removes_the_admin_socket_of_a_stopped_proxy(folder: Path) -> None:
    deploy(folder, DesiredFiles((text_file("a"),), (Directory("edge/run"),)))
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "edge/run/s"))
    deploy(folder, DesiredFiles((text_file("a"),)))
    assert not (folder / "edge/run").exists()


def test_changed_files_can_be_limited_to_a_directory(folder: Path) -> None:
    desired = DesiredFiles((text_file("edge/a"), text_file("edge2/a")))
    assert deploy(folder, desired).changed_files("edge") == ["edge/a"]


def test_running_proxy_gets_its_file_and_the_folder_a_copy(folder: Path) -> None:
    target = RemoteTarget(folder, True, listeners=b"resources: []\n")
    new = b"resources:\n- name: new\n"
    transaction = deploy_to(folder, target, new)
    assert transaction.diff[0]["before"] == "resources: []\n"
    assert (target.deployed["listeners"], (folder / LISTENERS).read_bytes()) == (new, new)
    assert not deploy_to(folder, target, new).changed


def test_file_that_was_edited_at_the_target_is_deployed_again(folder: Path) -> None:
    new = b"resources:\n- name: new\n"
    target = RemoteTarget(folder, True, listeners=b"resources: []\n")
    deploy_to(folder, target, new)
    target.deployed["listeners"] = b"by hand\n"
    assert deploy_to(folder, target, new).changed_files() == [LISTENERS]
    assert target.deployed["listeners"] == new


def test_rejected_file_is_restored(folder: Path) -> None:
    old = b"resources:\n- name: old\n"
    target = RemoteTarget(folder, True, listeners=b"resources: []\n")
    deploy_to(folder, target, old)
    with pytest.raises(ConfigRefused) as caught:
        deploy_to(folder, target, b"resources:\n- name: rejected\n")
    assert caught.value.findings[0].file == LISTENERS
    assert caught.value.message == "the running Envoy did not accept the file: no. See the log of the Envoy."
    assert (target.deployed["listeners"], (folder / LISTENERS).read_bytes()) == (old, old)


def test_file_of_a_stopped_proxy_is_only_written(folder: Path) -> None:
    target = RemoteTarget(folder, False)
    assert deploy_to(folder, target, b"resources: []\n").changed
    assert (target.deployed, (folder / LISTENERS).read_bytes()) == ({}, b"resources: []\n")


def test_confirm_started_reports_a_rejected_file(folder: Path) -> None:
    target = RemoteTarget(folder, False)
    target.start_rejection = "no such cluster"
    desired = desired_listeners(b"resources: []\n")
    with prepare(folder, desired, targets={"edge": target}) as transaction:
        transaction.write()
        with pytest.raises(ConfigRefused) as caught:
            transaction.confirm_started()
    assert str(caught.value) == (
        "edge: edge/listeners.yaml: the Envoy that was started rejected the file: no such cluster. See the log of the Envoy."
        " It runs without the rejected files."
    )
    with prepare(folder, desired, targets={"edge": target}) as transaction:
        assert transaction.changed_files() == [LISTENERS]


def test_restore_writes_the_previous_files_of_a_proxy(folder: Path) -> None:
    def desired(text: str) -> DesiredFiles:
        paths = ("edge/bootstrap.yaml", "web/bootstrap.yaml")
        checks = tuple(
            Check(path.partition("/")[0], ("true", text), validated_files=(path,)) for path in paths
        )
        return DesiredFiles(tuple(text_file(path, text) for path in paths), checks=checks)

    deploy(folder, desired("old"))
    with prepare(folder, desired("new")) as transaction:
        transaction.write()
        restore_checked_files(transaction, ["edge"])
    texts = [(folder / name / "bootstrap.yaml").read_text() for name in ("edge", "web")]
    assert texts == ["old", "new"]


def version_of(text: str) -> DesiredFiles:
    """Return two files that are large enough to be seen half written, and one that only this version has."""
    files = [text_file(path, text * 9000) for path in ("p0/a", "p0/b")] + [text_file(f"only-{text}/x", "x")]
    passes = Check("p0", ("true",), files=(text_file("p0/candidate", "c"),), validated_files=("p0/a",))
    return DesiredFiles(tuple(files), (Directory("run", 0o777),), (), (passes,))


def is_killed_at(moment: int, folder: Path, desired: DesiredFiles) -> bool:
    """Deploy in a child process that kills itself before its `moment`th change of a file; return whether it did."""
    child = os.fork()
    if child == 0:
        operations = 0

        def count(event: str, arguments: Any) -> None:
            nonlocal operations
            # The state of the folder is the same before each open that only reads.
            writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod"):
                operations += 1
                if operations == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        with contextlib.suppress(BaseException):
            sys.addaudithook(count)
            deploy(folder, desired)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_run_after_a_crash_at_any_moment_converges(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel keeps what a killed process wrote, so fsync is not needed here.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    deploy(folder, version_of("0"))
    moment = 0
    while is_killed_at(moment := moment + 1, folder, version_of("1")):
        for path in folder.glob("p0/[ab]"):
            assert path.read_text() in ("0" * 9000, "1" * 9000), moment
        deploy(folder, version_of("2"))
        left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert left == {"p0/a", "p0/b", "only-2/x", ".files.json", ".lock"}, moment
        assert [path.name for path in folder.glob("only-*")] == ["only-2"], moment
        deploy(folder, version_of("0"))
    assert moment > 40
