# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A preloaded supervisord, with a package of this test in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.preloaded_supervisord import (
    PROGRAM,
    preloaded_supervisord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)

# Records its arguments, or ends with the exit code of the file `fails`.
SUPERVISORD = """
import pathlib, sys
def main():
    folder = pathlib.Path(sys.argv[-1]).parent
    if (folder / "fails").exists():
        sys.exit("Error: " + (folder / "fails").read_text())
    (folder / "started").write_text(" ".join(sys.argv[1:]))
"""
ENTRY = "from supervisor.supervisord import main"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the script of a package `supervisor` in a virtual environment."""
    home = tmp_path_factory.mktemp("supervisor")
    venv.create(home, with_pip=False)
    (package := next(home.glob("lib/python*/site-packages")) / "supervisor").mkdir()
    (package / "__init__.py").write_text("")
    (package / "supervisord.py").write_text(SUPERVISORD)
    script = home / "bin/supervisord"
    script.write_text(f"#!{home}/bin/python3\nimport sys\n{ENTRY}\nsys.exit(main())\n")
    script.chmod(0o755)
    return script


def started(folder: Path) -> bool:
    return (folder / "started").exists()


def test_preloaded_process_starts_only_after_a_line(tmp_path: Path, script: Path) -> None:
    arguments = ["--configuration", f"{tmp_path}/supervisord.conf"]
    preloaded = preloaded_supervisord(script, arguments, {})
    assert preloaded is not None
    assert not started(tmp_path)
    assert preloaded.start(60)
    assert (tmp_path / "started").read_text() == " ".join(arguments)


def test_discarded_process_has_done_nothing(tmp_path: Path, script: Path) -> None:
    supervisord = SupervisordProcess(tmp_path, str(script))
    supervisord.preload()
    try:
        # The kernel shows the command of a process a moment after its start.
        assert wait_until(lambda: len(found(str(supervisord.document))) == 1, 30)
        (pid,) = found(str(supervisord.document))
        # It is no supervisord yet: `clear` before a start does not end it.
        assert supervisord.supervisord_pids() == []
        assert SupervisordProcess(tmp_path, str(script)).supervisord_pids() == [pid]
    finally:
        supervisord.discard()
    assert not host_processes.is_alive(pid)
    assert list(tmp_path.iterdir()) == []


def test_process_ends_with_the_one_that_made_it(tmp_path: Path, script: Path) -> None:
    document = f"{tmp_path}/supervisord.conf"
    command = [str(script.with_name("python3")), "-c", PROGRAM, document]
    pipes = "stdin=subprocess.PIPE, stderr=subprocess.DEVNULL"
    program = f"import subprocess, time; subprocess.Popen({command!r}, {pipes}); time.sleep(60)"
    maker = subprocess.Popen([sys.executable, "-c", program])
    try:
        assert wait_until(lambda: str(script.with_name("python3")) in first_words(document), 30)
    finally:
        maker.kill()
        maker.wait()
    assert wait_until(lambda: not found(document), 30)
    assert not started(tmp_path)


def first_words(document: str) -> list[str]:
    return [process.command[0] for process in host_processes.processes() if document in process.command]


def found(document: str) -> list[int]:
    return host_processes.matching_pids(lambda process: document in process.command)


def test_failed_start_is_repeated_with_its_message(tmp_path: Path, script: Path) -> None:
    (tmp_path / "fails").write_text("no section")
    supervisord = SupervisordProcess(tmp_path, str(script))
    supervisord.preload()
    with pytest.raises(PlatformFailed, match=r"^supervisord does not start: no section$"):
        supervisord.start()
    assert found(str(supervisord.document)) == []


def test_no_second_process_next_to_a_running_supervisord(tmp_path: Path, script: Path) -> None:
    (tmp_path / "supervisord.sock").write_text("")
    SupervisordProcess(tmp_path, str(script)).preload()
    assert found(f"{tmp_path}/supervisord.conf") == []


@pytest.mark.parametrize(
    "content",
    [
        f"#!/bin/sh\n{ENTRY}\n",
        f"#!{sys.executable}\n{ENTRY}\n",
        "#!{python}\nimport other\n",
        f"#!{{python}} -I\n{ENTRY}\n",
        "\x7fELF",
        None,
    ],
    ids=["shell", "another environment", "another script", "options", "binary", "missing"],
)
def test_other_executables_are_not_preloaded(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "supervisord"
    if content is not None:
        path.write_text(content.format(python=tmp_path / "python3"))
    os.symlink(sys.executable, tmp_path / "python3")
    assert preloaded_supervisord(path, [], {}) is None
    assert preloaded_supervisord(None, [], {}) is None
