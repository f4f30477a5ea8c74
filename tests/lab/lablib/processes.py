# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long-running processes: started once, found again, stopped only if they are still ours."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from pathlib import Path

from .base import STATE, SYSTEM_PATH, LabError, wait_until, which, write_whole

_RECORDS = STATE / "processes"


def identity(pid: int) -> dict | None:
    """What tells this process from a later one that was given the same number; None once it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        after_name = stat.rsplit(")", 1)[1].split()
        if after_name[0] in "ZX":
            return None
        # so it is called once a newer build has taken its file's place
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        return {"pid": pid, "started": int(after_name[19]), "program": program}
    except (OSError, IndexError):
        return None


class Process:
    """One daemon of the lab, known by its name in STATE/processes/NAME.json."""

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
        """Start it and return when `ready()` holds; end it where that does not come."""
        self.launch(argv)
        try:
            self.wait(ready, seconds)
        except LabError:
            self.stop()
            raise

    def launch(self, argv: list) -> None:
        """Start it; whether it is of use is asked later, by `wait`."""
        program = which(str(argv[0]))
        if not program:
            raise LabError(f"The command {argv[0]} is not on this machine.")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            child = subprocess.Popen(  # it outlives us on purpose
                [program, *map(str, argv[1:])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PATH": SYSTEM_PATH},
            )
        child.returncode = 0  # no warning that it still runs when we leave
        write_whole(self._record, json.dumps(identity(child.pid)))

    def wait(self, ready, seconds: float = 30) -> None:
        """Return when `ready()` holds; where it ended, or the time is over, say what its log says."""
        try:
            wait_until(
                lambda: self.pid is None or ready(),
                seconds,
                lambda: f"{self.name} is not ready after {seconds} s",
            )
            if self.pid is None:
                raise LabError(f"{self.name} ended")
        except LabError as error:
            raise LabError(f"{error}; its log says: {self._last_words()}") from None

    def stop(self, seconds: float = 30) -> None:
        """End it, gently first; do nothing where it no longer runs."""
        pid = self.pid
        if pid is not None:
            stop_pid(pid, seconds, still_ours=lambda: self.pid == pid)
        self._record.unlink(missing_ok=True)

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n".join(line[-400:] for line in lines[-3:]) or "nothing"


def stop_pid(pid: int, seconds: float, still_ours, first: int = signal.SIGTERM) -> None:
    """`first`, then SIGKILL after `seconds`; by pidfd, so never to another process of the same number."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if not still_ours():
                return
            for number in (first, signal.SIGKILL):
                signal.pidfd_send_signal(handle, number)
                if select.select([handle], [], [], seconds)[0]:
                    return
            raise LabError(f"Process {pid} does not end, not even by SIGKILL.")
        finally:
            os.close(handle)
