# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether executables can be started on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import executables


@pytest.mark.parametrize("program", [sys.executable, "sh", "./run", "bin/run"])
def test_usable_executable_has_no_problem(tmp_path: Path, program: str) -> None:
    for path in (tmp_path / "run", tmp_path / "bin" / "run"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    assert executables.problem(program, tmp_path) == ""


def test_home_is_expanded_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run").symlink_to(sys.executable)
    assert executables.problem("~/run", Path("/")) == ""
    assert (
        executables.problem("~/other", Path("/")) == "~/other does not exist. Install it, or correct its path"
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xcf\xfa\xed\xfe" + bytes(20), "is a program for macOS"),
        (b"", "is not a program (Exec format error)"),
        (b"PK\x03\x04 a wheel", "is not a program (Exec format error)"),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16", "is a program for s390x"),
    ],
)
@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="foreign executables depend on the operating system"
)
def test_foreign_executable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, text: str
) -> None:
    monkeypatch.setattr(executables, "_BINFMT_MISC", tmp_path / "none")  # a kernel without emulators
    (tmp_path / "program").write_bytes(content)
    (tmp_path / "program").chmod(0o755)
    assert text in executables.problem("./program", tmp_path)


def test_emulated_executable_has_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(40)
    (tmp_path / "program").write_bytes(program)
    (tmp_path / "program").chmod(0o755)
    foreign = tmp_path / "binfmt_misc"
    foreign.mkdir()
    monkeypatch.setattr(executables, "_BINFMT_MISC", foreign)
    entry = f"enabled\ninterpreter /usr/bin/qemu-s390x-static\nflags: OC\noffset 0\nmagic {program[:20].hex()}\nmask {'ff' * 20}\n"
    (foreign / "python3.11").write_text(
        "enabled\ninterpreter /usr/bin/python3.11\noffset 0\nmagic a70d0d0a\n"
    )
    assert "s390x" in executables.problem("./program", tmp_path)
    (foreign / "qemu-s390x").write_text(entry.replace("enabled", "disabled"))
    assert "s390x" in executables.problem("./program", tmp_path)
    (foreign / "qemu-s390x").write_text(entry)
    assert executables.problem("./program", tmp_path) == ""


def test_missing_and_unusable_names_in_path_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert executables.problem("no-such-program", tmp_path).startswith(
        "no-such-program is in no folder of PATH. "
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "envoy").write_text("#!/bin/sh\n")
    assert f"`chmod +x {tmp_path}/envoy`" in executables.problem("envoy", tmp_path)
    assert executables.problem(str(tmp_path), tmp_path).endswith("is a folder. Name the executable in it")
