# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command that starts one of the Envoys of a base id, and their shared memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement import hot_restart

ENVOY = ("envoy", "--base-id", "18013", "--restart-epoch", "2")


def started(folder: Path, epoch: int = 2) -> list[str]:
    """Run the script of `start_command` with the file `shared` and a program that prints its arguments; return its output."""
    envoy = folder / "envoy"
    envoy.write_text(
        f'#!/bin/sh\necho "$@"\n[ "$6" = init_only ] && printf 1234567812345678 > {folder}/shared\nexit 0\n'
    )
    envoy.chmod(0o755)
    command = hot_restart.with_epoch((str(envoy), *ENVOY[1:]), epoch)
    shell, option, script, _path, *rest = hot_restart.start_command(command)
    ran = subprocess.run(
        [shell, option, script, str(folder / "shared"), *rest],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ran.stdout.splitlines()


def test_other_commands_are_unchanged() -> None:
    for command in (("sleep", "9"), ("envoy", "--base-id", "1")):
        assert hot_restart.start_command(command) == command


def test_missing_shared_memory_is_created(tmp_path: Path) -> None:
    lines = started(tmp_path)
    created = "--base-id 18013 --restart-epoch 0 --mode init_only --config-yaml {} --log-level off"
    assert lines == [created, " ".join(ENVOY[1:])]
    assert (tmp_path / "shared").read_bytes() == b"12345678" + bytes(8)


def test_first_epoch_creates_its_own_shared_memory(tmp_path: Path) -> None:
    assert started(tmp_path, epoch=0) == [" ".join((*ENVOY[1:-1], "0"))]


def test_flags_of_a_failed_start_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "shared").write_bytes(b"mutex" + b"\1" * 8)
    lines = started(tmp_path)
    assert lines == [" ".join(ENVOY[1:])]
    assert (tmp_path / "shared").read_bytes() == b"mutex" + bytes(8)


def test_target_of_a_symbolic_link_is_unchanged(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"0123456789")
    (tmp_path / "shared").symlink_to(tmp_path / "victim")
    started(tmp_path)
    assert (tmp_path / "victim").read_bytes() == b"0123456789"


def test_epoch_of_a_command_is_replaced() -> None:
    assert hot_restart.with_epoch(ENVOY, 7) == (*ENVOY[:-1], "7")
    assert hot_restart.option(hot_restart.with_epoch(ENVOY, 7), hot_restart.EPOCH) == 7


def test_shared_memory_of_base_ids_is_removed(tmp_path: Path) -> None:
    paths = [hot_restart.shared_memory(number, tmp_path) for number in (7, 8)]
    assert paths[0].name == "envoy_shared_memory_70"
    for path in paths:
        path.write_bytes(b"")
    hot_restart.remove_shared_memory([7, 9], tmp_path)
    assert [path.exists() for path in paths] == [False, True]
