# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a command that prints its progress only to a terminal, such as `docker pull`."""

from __future__ import annotations

import contextlib
import os
import pty
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    TIMED_OUT,
    CommandResult,
)

CHUNK = 65536  # bytes


def run_on_terminal(
    command: Sequence[str],
    timeout: float,
    environment: Mapping[str, str],
    receive: Callable[[str], None],
) -> CommandResult:
    """Run a command whose standard output is a pseudo-terminal, and return its exit code and its errors.

    Args:
        command: The program and its arguments.
        timeout: Number of seconds after which the command is killed.
        environment: All environment variables of the command.
        receive: Receives each part of the standard output.

    Raises:
        OSError: The program does not exist, or the system has no pseudo-terminal.
    """
    reader, writer = pty.openpty()
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            env=dict(environment),
        )
    except OSError:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    errors = b""
    deadline = time.monotonic() + timeout
    with process, selectors.DefaultSelector() as selector, contextlib.closing(_Descriptor(reader)):
        error_pipe = process.stderr.fileno() if process.stderr else -1
        selector.register(reader, selectors.EVENT_READ)
        selector.register(error_pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(deadline - time.monotonic())
            if not ready:
                process.kill()
                return CommandResult(TIMED_OUT, "", f"did not end within {timeout:g} s", timed_out=True)
            for key, _events in ready:
                chunk = _read(key.fd)
                if not chunk:
                    selector.unregister(key.fd)
                elif key.fd == reader:
                    receive(chunk.decode(errors="replace"))
                else:
                    errors += chunk
    return CommandResult(process.returncode, "", errors.decode(errors="replace"))


class _Descriptor:
    """A file descriptor as an object that `contextlib.closing` closes."""

    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError:  # Linux reports the end of a terminal as an error
        return b""
