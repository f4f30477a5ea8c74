# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the lock of a folder: one run at a time, and what is left after it."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.folder_lock import locked_folder


def test_second_run_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    refusal = re.escape(
        f"{folder}: another run (process {os.getpid()}) is changing this folder. Run again after it has"
    )
    with locked_folder(folder), pytest.raises(ConfigRefused, match=refusal), locked_folder(folder):
        pass
    with locked_folder(folder):
        pass


def test_run_waits_for_the_previous_one(tmp_path: Path) -> None:
    locked, order = threading.Event(), []

    def hold() -> None:
        with locked_folder(tmp_path / "demo"):
            locked.set()
            waiting.wait(10)
            order.append("first")

    waiting = threading.Event()
    first = threading.Thread(target=hold)
    first.start()
    assert locked.wait(10)
    threading.Timer(0.1, waiting.set).start()
    with locked_folder(tmp_path / "demo", timeout=20):
        order.append("second")
    first.join()
    assert order == ["first", "second"]


def test_refused_first_run_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), locked_folder(tmp_path / "demo"):
        raise ValueError("refused")
    assert list(tmp_path.iterdir()) == []


def test_own_folder_stays_after_a_refused_first_run(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir(0o700)
    with locked_folder(folder):
        pass
    assert list(folder.iterdir()) == []


def test_deployed_folder_keeps_its_lock(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with locked_folder(folder):
        (folder / ".files.json").write_text("{}")
    assert sorted(path.name for path in folder.iterdir()) == [".files.json", ".lock"]
    with locked_folder(folder, removes_folder=True):
        (folder / ".files.json").unlink()
    assert list(tmp_path.iterdir()) == []


def test_lock_that_is_a_link_does_not_truncate_its_target(tmp_path: Path) -> None:
    folder, victim = tmp_path / "demo", tmp_path / "victim"
    folder.mkdir(0o700)
    victim.write_text("mine")
    (folder / ".lock").symlink_to(victim)
    with (
        pytest.raises(ConfigRefused, match=rf"^{folder}/\.lock: this is a symbolic link"),
        locked_folder(folder),
    ):
        pass
    assert victim.read_text() == "mine"


def test_lock_of_a_removed_folder_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A teardown removes the folder between the open and the lock of the next run."""
    folder = tmp_path / "demo"
    import fcntl

    original, removed = fcntl.flock, []

    def remove_folder_first(descriptor: int, operation: int) -> None:
        if not removed:
            removed.append(True)
            (folder / ".lock").unlink()
            folder.rmdir()
        original(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", remove_folder_first)
    with locked_folder(folder):
        assert (folder / ".lock").read_text() == f"{os.getpid()}\n"
    assert removed
