# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the check of the tarball's content."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import package
import pytest

CONTENT = ["LICENSE", "README.md", "meta/runtime.yml", "plugins/filter/plan.py", "roles/a/tasks/main.yml"]


def tarball(folder: Path, names: list[str]) -> Path:
    path = folder / "meshlab-envoy-0.1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in [*names, *package.ADDED_BY_BUILD]:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.mark.parametrize(
    ("tracked", "packed", "problem"),
    [
        (CONTENT, CONTENT, ""),
        (CONTENT, [*CONTENT, "notes.txt"], "notes.txt: is not a file of the repository."),
        ([*CONTENT, "tools/a.py"], [*CONTENT, "tools/a.py"], "tools/a.py: is only for the development."),
        ([*CONTENT, ".ci/run"], [*CONTENT, ".ci/run"], ".ci/run: is only for the development."),
        (CONTENT, CONTENT[:-1], "roles/a/tasks/main.yml: is missing in the tarball."),
        (CONTENT[1:], CONTENT[1:], "LICENSE: is missing in the tarball."),
    ],
)
def test_wrong_content_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked: list[str], packed: list[str], problem: str
) -> None:
    monkeypatch.setattr(package, "files", lambda: tracked)
    if not problem:
        package.check_content(tarball(tmp_path, packed))
        return
    with pytest.raises(SystemExit) as error:
        package.check_content(tarball(tmp_path, packed))
    assert problem in str(error.value.code)


def test_large_tarball_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "files", lambda: CONTENT)
    monkeypatch.setattr(package, "MAXIMUM_BYTES", 10)
    with pytest.raises(SystemExit, match="Galaxy accepts at most 10"):
        package.check_content(tarball(tmp_path, CONTENT))
