# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one command runner of the collection."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text

# The exit code of a command that was stopped after its timeout, as coreutils' `timeout` has it.
TIMED_OUT = 124


@dataclass(frozen=True)
class CommandResult:
    """The exit code and the output of a command; a negative exit code is the number of the signal that ended it."""

    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False

    @property
    def last_line(self) -> str:
        """Return the last line of the output that is neither empty nor a hint at `--help`; the exit code where there is none."""
        lines = [line.strip() for line in f"{self.stdout}\n{self.stderr}".splitlines()]
        lines = [line for line in lines if line and "--help" not in line]
        return lines[-1] if lines else f"exit code {self.exit_code}"


class CommandRunner(Protocol):
    """The signature of `run`; a test replaces it. It is called from several threads at once."""

    def __call__(
        self, command: Sequence[str], folder: Path | None = None, timeout: float = 60
    ) -> CommandResult:
        """Run `command` in `folder`. Raises OSError when it cannot be started."""


class CommandNotStarted(Exception):
    """A command that cannot be started, with the reason and what to do; `is_missing` when the program does not exist."""

    def __init__(self, text: str, is_missing: bool = False) -> None:
        super().__init__(text)
        self.is_missing = is_missing


def run(
    command: Sequence[str],
    folder: Path | None = None,
    timeout: float = 60,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> CommandResult:
    r"""Run a command to its end and return its exit code and output. Bytes that are not UTF-8 are replaced.

    Args:
        command: The program, by path or by name in PATH, and its arguments. No shell reads them.
        folder: The working directory; that of this process when it is None.
        timeout: Number of seconds after which the command is killed. The result then has `timed_out`, and the exit code 124.
        stdin: Text for the standard input.
        environment: All environment variables of the command. None passes on those of this process with the locale C,
            so that messages are in English.

    Returns:
        The result, whatever the exit code is.

    Raises:
        OSError: The program does not exist or cannot be executed; `not_started` explains it.

    Example:
        >>> run(["echo", "hello"]).stdout
        'hello\n'
        >>> run(["sleep", "5"], timeout=0.1).timed_out
        True
    """
    if environment is None:
        environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    try:
        completed = subprocess.run(
            list(command),
            cwd=folder,
            env=dict(environment),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return CommandResult(TIMED_OUT, "", f"did not end within {timeout:g} s", timed_out=True)
    return CommandResult(completed.returncode, completed.stdout, completed.stderr)


def program_path(program: str) -> str:
    """Return the absolute path of `program`, with `~` expanded; `program` itself when it is a name that PATH does not have."""
    program = os.path.expanduser(program)
    return os.path.abspath(program) if "/" in program else shutil.which(program) or program


def program_fingerprint(program: str) -> str:
    """Return a text that changes when the file of `program` is replaced: its path, size and modification time."""
    path = program_path(program)
    try:
        status = os.stat(path)
    except OSError:
        return path
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def not_started(program: str, error: OSError) -> CommandNotStarted:
    """Return the error for `program`, whose start raised `error`, with the reason and what to do."""
    text = executables.problem(program, Path("/")) or f"{program} cannot be started: {error_text(error)}"
    return CommandNotStarted(f"{text}.", is_missing=error.errno in (errno.ENOENT, errno.ENOTDIR))
