# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A supervisord that loads its modules while the configurations are checked, and starts when the files are written.

supervisord needs 0.15 s to load its modules. Until it is started, its process reads nothing of the deployment, and has no file, no
socket and no child. It ends with the process that made it: its standard input then ends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# What the script `supervisord` runs, after a line from standard input. The option -c is also visible in the list of processes.
PROGRAM = "import supervisor.supervisord as supervisord; input(); supervisord.main()"
# The statement of the script that pip writes for supervisord.
_ENTRY = b"from supervisor.supervisord import main"
_LONGEST_SCRIPT = 4096  # bytes


class PreloadedSupervisord:
    """One process with the modules of supervisord."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process, in the root directory. Raises OSError."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=dict(environment),
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def start(self, timeout: float) -> bool:
        """Let supervisord start as a daemon; return whether it did within `timeout` seconds. Otherwise it has ended."""
        try:
            self._process.communicate(b"\n", timeout)
        except (OSError, subprocess.TimeoutExpired):
            self.end()
        return self._process.returncode == 0

    def end(self) -> None:
        """End the process if it was not started."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.communicate()


def preloaded_supervisord(
    executable: Path | None, arguments: Sequence[str], environment: Mapping[str, str]
) -> PreloadedSupervisord | None:
    """Return a supervisord that waits for its start.

    Args:
        executable: The path of supervisord.
        arguments: The arguments of supervisord.
        environment: All environment variables of the process.

    Returns:
        The process. None if the executable is not the script of a virtual environment: another one may do more than to start supervisord.
    """
    if not (executable and (interpreter := _interpreter(executable))):
        return None
    with contextlib.suppress(OSError):
        return PreloadedSupervisord([interpreter, "-c", PROGRAM, *arguments], environment)
    return None


def _interpreter(script: Path) -> str:
    """Return the Python of a virtual environment whose script is `script`; empty for any other file."""
    try:
        with script.open("rb") as file:
            content = file.read(_LONGEST_SCRIPT)
    except OSError:
        return ""
    first, _newline, rest = content.partition(b"\n")
    interpreter = os.fsdecode(first[2:].strip())
    is_script = first.startswith(b"#!") and _ENTRY in rest.splitlines()
    return interpreter if is_script and Path(interpreter).parent == script.parent else ""
