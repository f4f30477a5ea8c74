# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's hot restart: the shared memory of its processes, and the command that starts one of them.

Source of facts: Envoy's `hot_restart_impl.cc`, and trials with 1.36 to 1.40.

- The processes of one base id share a file, which stays when they end. A process with an epoch above 0 aborts without the file, for
  example after a reboot. `start_command` then creates the file with an Envoy that only initializes, and ends.
- The last 8 bytes of the file are flags. One of them is set while a process initializes, and it stays set if that process fails. Every
  later process then ends with "previous envoy process is still initializing". `start_command` clears the flags.
- Process n receives the listening sockets from process n - 1. The sockets by which processes find each other have the number of the
  epoch modulo 3. So at most three processes of a base id can run.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  (where shm_open(3) creates its files on Linux)
BASE_ID, EPOCH, THREADS = "--base-id", "--restart-epoch", "--concurrency"
CONCURRENT_PROCESSES = 3
# Part of the names of Envoy's images without a shell, which `start_command` needs.
DISTROLESS = "distroless"

# $0: the file, $1: the base id, $2: Envoy. A file of another user is left alone: Envoy then prints why it cannot open the file.
_SCRIPT = (
    'f=$0; b=$1; shift; case " $* " in *" --restart-epoch 0 "*) exec "$@";; esac; if [ -d "${f%/*}" ]; then'
    ' [ -e "$f" ] || "$1" --base-id "$b" --restart-epoch 0 --mode init_only --config-yaml "{}" --log-level off;'
    ' if [ -O "$f" ] && [ -f "$f" ] && [ ! -L "$f" ]; then'
    ' n=$(wc -c < "$f"); dd if=/dev/zero of="$f" bs=1 count=8 seek=$((n - 8)) conv=notrunc 2> /dev/null; fi; fi;'
    ' exec "$@"'
)


def option(command: Sequence[str], name: str) -> int | None:
    """Return the number after an option of a command, None where the command does not have it.

    Example:
        >>> option(["envoy", "--base-id", "18013", "--restart-epoch", "2"], BASE_ID)
        18013
    """
    for position, argument in enumerate(command[:-1]):
        if argument == name and command[position + 1].isdigit():
            return int(command[position + 1])
    return None


def with_epoch(command: Sequence[str], epoch: int) -> tuple[str, ...]:
    """Return an Envoy's command with another restart epoch."""
    position = list(command).index(EPOCH) + 1
    return (*command[:position], str(epoch), *command[position + 1 :])


def shared_memory(base_id: int, folder: Path = SHARED_MEMORY) -> Path:
    """Return the file that the Envoys of a base id share."""
    return folder / f"envoy_shared_memory_{base_id * 10}"


def start_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command that starts an Envoy whatever its predecessors left behind; other commands are unchanged."""
    return (*start_prefix(command), *command)


def start_prefix(command: Sequence[str]) -> tuple[str, ...]:
    """Return the words of `start_command` before the Envoy itself; nothing for other commands."""
    base_id = option(command, BASE_ID)
    if base_id is None or option(command, EPOCH) is None:
        return ()
    return ("/bin/sh", "-c", _SCRIPT, str(shared_memory(base_id)), str(base_id))


def remove_shared_memory(base_ids: Iterable[int], folder: Path = SHARED_MEMORY) -> None:
    """Remove the files of base ids whose processes have ended. A file of another user stays."""
    for base_id in base_ids:
        path = shared_memory(base_id, folder)
        with contextlib.suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
                path.unlink()
