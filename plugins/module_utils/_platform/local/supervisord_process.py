# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisord of one state folder: its start, its end, and what it leaves behind when it is killed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    PIDFILE,
    SOCKET,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    Supervisor,
    SupervisorError,
)

STEP = 0.02
# What programs inherit; everything else that a run of Ansible has in its environment stays there.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
# supervisord binds `<socket>.<its pid>` first, and a Unix socket's path has 108 bytes on Linux, 104 elsewhere.
LONGEST_SOCKET = 96


class Daemon:
    """`folder` is absolute and free of symlinks."""

    def __init__(self, folder: Path, executable: str) -> None:
        self.folder = folder
        self.executable = executable
        self.document = folder / FILE
        self.socket = folder / SOCKET
        self.pidfile = folder / PIDFILE

    def supervisor(self) -> Supervisor:
        return Supervisor(self.socket)

    def is_alive(self) -> bool:
        """Whether a supervisord answers here. One that is ending is waited for."""
        with self.supervisor() as supervisor:
            state = supervisor.state()
            if state in ("SHUTDOWN", "RESTARTING"):
                wait(lambda: supervisor.state() not in ("SHUTDOWN", "RESTARTING"), 30)
                state = supervisor.state()
        return state == "RUNNING"

    def start(self) -> None:
        """Start it as a daemon; its socket answers when this returns. Raises PlatformFailed."""
        (self.folder / LOGS).mkdir(mode=0o700, exist_ok=True)
        program = executables.found(self.executable, self.folder)
        command = [str(program or self.executable), "--configuration", str(self.document)]
        try:
            ran = subprocess.run(
                command,
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PlatformFailed(f"supervisord could not be started: {error}") from None
        if ran.returncode:
            said = (ran.stderr.strip() or ran.stdout.strip() or f"exit code {ran.returncode}").splitlines()
            raise PlatformFailed(f"supervisord refuses to start: {said[0].removeprefix('Error: ')}")
        if not wait(self.is_alive, 60):
            raise PlatformFailed(
                f"supervisord started and does not answer; see {self.folder / LOGS}/supervisord.log"
            )

    def stop(self, patience: float) -> None:
        """End all programs side by side, then supervisord."""
        with self.supervisor() as supervisor:
            try:
                for program in supervisor.programs().values():
                    supervisor.stop(program.name)
                wait(lambda: all(one.state != "STOPPING" for one in supervisor.programs().values()), patience)
                supervisor.shutdown()
            except SupervisorError:
                pass  # whatever is left is ended by `clear`
        wait(lambda: not self.masters(), 5)

    def clear(self, patience: float) -> None:
        """End whatever lives on without a supervisord that answers, and remove its socket and pid file."""
        # supervisord first, so that it starts nothing again; left to itself it would end its programs one by one.
        stubborn = processes.end([*self.masters(), *self.members()], patience)
        stubborn += processes.end(self.members(), patience)
        if stubborn:
            raise PlatformFailed(
                f"Processes {', '.join(map(str, stubborn))} of {self.folder} do not end, not even when killed."
            )
        for path in (self.pidfile, *self.folder.glob(f"{SOCKET}*")):
            path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what supervisord wrote."""
        shutil.rmtree(self.folder / LOGS, ignore_errors=True)

    def masters(self) -> list[int]:
        """Return the supervisords that run this folder's document, whether they answer or not."""
        mine, recorded = str(self.document), self._recorded()
        programs = {"supervisord", Path(self.executable).name}

        def is_one(process: processes.Process) -> bool:
            # An interpreter and its script, or the program itself; not an editor of the document.
            runs = any(Path(word).name in programs for word in process.command[:2])
            return runs and (mine in process.command or process.pid == recorded)

        return processes.selected(is_one)

    def members(self, name: str = "") -> list[int]:
        """Return the processes of the program `name`, or of all: they inherit from supervisord whose they are."""
        url = f"unix://{self.socket}"
        return processes.selected(
            lambda one: (
                one.environment.get("SUPERVISOR_SERVER_URL") == url
                and (not name or one.environment.get("SUPERVISOR_PROCESS_NAME") == name)
            )
        )

    def _recorded(self) -> int:
        try:
            return int(self.pidfile.read_text())
        except (OSError, ValueError):
            return 0


def wait(done: Callable[[], bool], patience: float) -> bool:
    """Return whether `done` within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(STEP)
    return True


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in INHERITED if key in os.environ}
    user = pwd.getpwuid(os.geteuid())
    return {"PATH": os.defpath, "HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name, **kept}
