# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs commands, and says what to do where one cannot be run."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Ran,
    Refused,
    Unavailable,
)


def run(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> Ran:
    """Run `command` in `folder`; one that takes longer than `timeout` seconds is stopped and ends with code 124."""
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ran(124, "", f"it did not end within {timeout:g} seconds")
    return Ran(done.returncode, done.stdout, done.stderr)


def resolved(program: str) -> str:
    """Return `program` with `~` expanded and looked up in PATH; as it was where it is not found."""
    program = os.path.expanduser(program)
    return os.path.abspath(program) if "/" in program else shutil.which(program) or program


def identity(program: str) -> str:
    """Return what changes when another program is put in its place."""
    path = resolved(program)
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def not_runnable(program: str, error: OSError) -> Refused:
    """Return the sentence for a program that could not be started."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        where = "is not there" if "/" in program else "is in no folder of PATH"
        return Unavailable(f"{program} {where}: install it, or say where it is.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused(f"{program} may not be executed by this user: `chmod +x` it, or use become.")
    if error.errno == errno.ENOEXEC:
        return Refused(
            f"{program} is not a program for this machine ({os.uname().machine}): get the one for its architecture."
        )
    return Refused(f"{program} cannot be run: {error.strerror}.")
