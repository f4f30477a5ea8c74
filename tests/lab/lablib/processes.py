# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long-running processes: started once, found by a later command, and stopped only if their id was not reused."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .base import STATE, SYSTEM_PATH, LabError, wait_until, which, write_whole

_RECORDS = STATE / "processes"


def identity(pid: int) -> dict | None:
    """Return data that distinguishes a process from a later one with the same id; None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        after_name = stat.rsplit(")", 1)[1].split()
        if after_name[0] in "ZX":
            return None
        # The kernel adds this suffix after a newer build has replaced the file.
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return {"pid": pid, "started": int(after_name[19]), "program": program}
    except (OSError, IndexError):
        return None


def commands() -> Iterator[tuple[int, list]]:
    """Yield the id and the command line of each process of this machine."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            yield int(folder.name), command


class Process:
    """One daemon of the lab, recorded in STATE/processes/NAME.json."""

    def __init__(self, name: str):
        self.name = name
        self.log = STATE / "logs" / f"{name}.log"
        self._record = _RECORDS / f"{name}.json"

    @property
    def pid(self) -> int | None:
        """The pid if the process we started still runs."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record["pid"] if identity(record["pid"]) == record else None

    def start(self, argv: list, ready, seconds: float = 30) -> None:
        """Start the daemon and wait for `ready()`; stop it if it does not become ready."""
        self.launch(argv)
        try:
            self.wait(ready, seconds)
        except LabError:
            self.stop()
            raise

    def launch(self, argv: list) -> None:
        """Start the daemon without waiting."""
        program = which(str(argv[0]))
        if not program:
            raise LabError(f"Command not found: {argv[0]}. Install it.")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            child = subprocess.Popen(  # the daemon survives this process
                [program, *map(str, argv[1:])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PATH": SYSTEM_PATH},
            )
        child.returncode = 0  # suppresses the warning about a running child
        write_whole(self._record, json.dumps(identity(child.pid)))

    def wait(self, ready, seconds: float = 30) -> None:
        """Wait for `ready()`; raise LabError with the end of the log if the daemon ends or is not ready in time."""
        try:
            wait_until(
                lambda: self.pid is None or ready(),
                seconds,
                lambda: f"{self.name} is not ready after {seconds} s",
            )
            if self.pid is None:
                raise LabError(f"{self.name} ended")
        except LabError as error:
            raise LabError(f"{error}. The end of its log {self.log}:\n{self._end_of_log()}") from None

    def stop(self, seconds: float = 30) -> None:
        """Stop the daemon with SIGTERM, and with SIGKILL after some seconds, if it runs."""
        pid = self.pid
        if pid is not None:
            stop_pid(pid, seconds, still_ours=lambda: self.pid == pid)
        self._record.unlink(missing_ok=True)

    def _end_of_log(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n".join(line[-400:] for line in lines[-3:]) or "(empty)"


def stop_pid(pid: int, seconds: float, still_ours, first: int = signal.SIGTERM) -> None:
    """Send the signal `first`, and SIGKILL after `seconds`, by pidfd, so that no later process with the same id gets it."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if not still_ours():
                return
            for number in (first, signal.SIGKILL):
                signal.pidfd_send_signal(handle, number)
                if select.select([handle], [], [], seconds)[0]:
                    return
            raise LabError(f"Process {pid} does not end after SIGKILL.")
        finally:
            os.close(handle)
