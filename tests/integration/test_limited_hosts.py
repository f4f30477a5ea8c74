# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Full disks, exhausted inodes, limits and read-only folders: one sentence with the path, nothing half done, and a rerun converges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from limited_run import can_mount, run_transactions

OLD = {"a": "old", "edge/b": "old"}
NEW = {"a": "new" * 10_000, "edge/b": "new" * 10_000, "edge/c": "new"}


def check(folder: Path, results: list[tuple[str, dict[str, str]]], message: str) -> None:
    """Check the results of: a deployment, a change that is refused, the same change without the limit."""
    (first, deployed), (refused, unchanged), (last, changed) = results
    assert (first, last) == ("", "")
    assert refused.startswith(str(folder)), refused
    assert refused.endswith(f"{message} Nothing was changed."), refused
    contents = {path: text for path, text in unchanged.items() if path != ".files.json"}
    assert contents == {path: text for path, text in deployed.items() if path != ".files.json"}
    assert {path for path in changed if not path.startswith(".")} == {*NEW}
    assert {text[:3] for path, text in changed.items() if not path.startswith(".")} == {"new"}


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    if not can_mount(tmp_path):
        pytest.skip("this user cannot mount a file system")
    return tmp_path / "demo"


def test_file_size_limit_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    where = {"folder": str(folder)}
    results = run_transactions(
        {**where, "files": OLD},
        {**where, "files": NEW, "limits": {"RLIMIT_FSIZE": 20_000}},
        {**where, "files": NEW},
    )
    check(folder, results, "file too large. Raise the limit of the file size (ulimit -f).")


def test_limit_of_open_files_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    where = {"folder": str(folder)}
    results = run_transactions(
        {**where, "files": OLD},
        {**where, "files": NEW, "limits": {"RLIMIT_NOFILE": 7}},
        {**where, "files": NEW},
    )
    check(folder, results, "too many open files. Raise the limit of open files (ulimit -n).")


@pytest.mark.parametrize("size", ["size=256k", "size=40M,nr_inodes=12"])
def test_full_file_system_changes_nothing(mounted: Path, size: str) -> None:
    where: dict[str, Any] = {"folder": str(mounted)}
    files = {**NEW, **{f"edge/more{number}": "new" for number in range(8 if "inodes" in size else 0)}}
    results = run_transactions(
        {**where, "mount": f"-t tmpfs -o {size} none"},
        {**where, "files": OLD},
        {**where, "fill": True} if "inodes" not in size else {**where, "files": files},
        *([{**where, "files": NEW}, {**where, "free": True}] if "inodes" not in size else []),
        {**where, "files": NEW},
        namespace=True,
    )
    check(mounted, results, "no space left on device. Free space or inodes on this file system.")


def test_read_only_file_system_changes_nothing(mounted: Path) -> None:
    where: dict[str, Any] = {"folder": str(mounted)}
    results = run_transactions(
        {**where, "mount": "-t tmpfs none"},
        {**where, "files": OLD},
        {**where, "mount": "-o remount,ro"},
        {**where, "files": NEW},
        {**where, "mount": "-o remount,rw"},
        {**where, "files": NEW},
        namespace=True,
    )
    check(
        mounted,
        results,
        "read-only file system. Use a folder on another file system, or mount this one writable.",
    )


def test_long_path_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    where = {"folder": str(folder)}
    too_long = {**NEW, f"edge/{'x' * 300}": "new"}
    results = run_transactions({**where, "files": OLD}, {**where, "files": too_long}, {**where, "files": NEW})
    check(folder, results, "file name too long. Use a shorter path.")
