# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The supervisord of one state folder: start it, stop it, and end what it leaves behind when it is killed."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution import executables
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    PIDFILE,
    SOCKET,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.preloaded_supervisord import (
    PROGRAM,
    PreloadedSupervisord,
    preloaded_supervisord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    Supervisor,
    SupervisorError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    newest_first,
)

FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.02  # seconds between two questions to supervisord
START_TIMEOUT = 60  # seconds until supervisord answers
SHUTDOWN_TIMEOUT = 30  # seconds until a supervisord that is shutting down ended
# The variables that programs inherit; other variables of the run of Ansible do not reach them.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
# Bytes. supervisord binds `<socket>.<its pid>` first, and a Unix socket's path has 108 bytes on Linux, 104 elsewhere.
LONGEST_SOCKET = 96


class SupervisordProcess:
    """The supervisord that runs the document of `folder`, which is absolute and free of symbolic links."""

    def __init__(self, folder: Path, executable: str) -> None:
        """Make the object; nothing is started. `executable` is a path, or a name in PATH."""
        self.folder = folder
        self.executable = executable
        self.document = folder / FILE
        self.socket = folder / SOCKET
        self.pidfile = folder / PIDFILE
        self._preloaded: PreloadedSupervisord | None = None

    def path_problem(self) -> str:
        """Return why supervisord cannot use the path of the folder, and what to do; empty if it can."""
        length = len(os.fsencode(self.socket))
        if length > LONGEST_SOCKET:
            return (
                f"{self.socket}: the path has {length} bytes, but a Unix socket allows {LONGEST_SOCKET}."
                " Choose a shorter folder"
            )
        # supervisord expands the path of a log twice, so no escape of a % remains.
        if "%" in str(self.folder):
            return f"{self.folder}: supervisord expands the % in the path of a log. Choose a folder without %"
        return ""

    def client(self) -> Supervisor:
        """Return a client of its XML-RPC interface."""
        return Supervisor(self.socket)

    def is_running(self) -> bool:
        """Return whether supervisord runs. A shutdown in progress is waited for."""
        ending = ("SHUTDOWN", "RESTARTING")
        with self.client() as client:
            state = client.state()
            if state in ending:
                wait_until(lambda: client.state() not in ending, SHUTDOWN_TIMEOUT)
                state = client.state()
        return state == "RUNNING"

    def preload(self) -> None:
        """Load the modules of supervisord in a process that waits for `start` or `discard`, unless a supervisord may run."""
        if self.socket.exists():
            return
        program = executables.found(self.executable, self.folder)
        self._preloaded = preloaded_supervisord(program, self._arguments(), _environment())

    def discard(self) -> None:
        """End the process of `preload` if it was not started."""
        if self._preloaded:
            self._preloaded.end()
            self._preloaded = None

    def start(self) -> None:
        """Start supervisord as a daemon, and return when it answers. Raises PlatformFailed."""
        file_tree.make_directory(self.folder, LOGS, 0o700)
        preloaded, self._preloaded = self._preloaded, None
        # A supervisord that ends starts again without preloading: its output is then in the form that the error texts expect.
        if not (preloaded and preloaded.start(START_TIMEOUT)):
            self._run()
        if not wait_until(self.is_running, START_TIMEOUT):
            raise PlatformFailed(
                f"supervisord does not answer {START_TIMEOUT} s after its start. Read {self.folder / LOGS}/supervisord.log"
            )

    def _arguments(self) -> list[str]:
        return ["--configuration", str(self.document)]

    def _run(self) -> None:
        program = executables.found(self.executable, self.folder)
        command = [str(program or self.executable), *self._arguments()]
        try:
            result = run(command, Path("/"), START_TIMEOUT, environment=_environment())
        except OSError as error:
            raise PlatformFailed(f"supervisord cannot be started: {error}") from None
        if result.timed_out:
            raise PlatformFailed(f"supervisord cannot be started: it {result.stderr}")
        if result.exit_code:
            lines = (
                result.stderr.strip() or result.stdout.strip() or f"exit code {result.exit_code}"
            ).splitlines()
            raise PlatformFailed(f"supervisord does not start: {lines[0].removeprefix('Error: ')}")

    def stop(self, timeout: float) -> None:
        """Stop all programs at once, within `timeout` seconds, then supervisord."""
        with self.client() as client:
            try:
                for group in newest_first(client.programs()):
                    for program in group:
                        client.stop(program)
                    wait_until(
                        lambda: all(program.state != "STOPPING" for program in client.programs().values()),
                        timeout,
                    )
                client.shutdown()
            except SupervisorError:
                pass  # `clear` ends what is left
        wait_until(lambda: not self.supervisord_pids(), 5)

    def clear(self, timeout: float) -> None:
        """End the processes that run without a supervisord that answers; remove its socket and pid file. Raises PlatformFailed."""
        # supervisord first, so that it starts no program again; by itself it would end its programs one after another.
        by_program: dict[str, list[int]] = {}
        for process in self._processes():
            by_program.setdefault(_program(process), []).append(process.pid)
        groups = [[pid for name in group for pid in by_program[name]] for group in newest_first(by_program)]
        unkillable = host_processes.end([*self.supervisord_pids(), *(groups[0] if groups else ())], timeout)
        for pids in groups[1:]:
            unkillable += host_processes.end(pids, timeout)
        unkillable += host_processes.end(self.program_pids(), timeout)
        if unkillable:
            raise PlatformFailed(
                f"Processes {', '.join(map(str, unkillable))} of {self.folder} still run after SIGKILL."
            )
        for name in file_tree.names(self.folder):
            if name == PIDFILE or name.startswith(SOCKET):
                file_tree.remove_file(self.folder, name)

    def remove_logs(self) -> None:
        """Remove the logs of supervisord and of its programs."""
        file_tree.remove_tree(self.folder, LOGS)

    def supervisord_pids(self) -> list[int]:
        """Return the supervisords that run the folder's document, whether they answer or not."""
        document, recorded = str(self.document), self._recorded_pid()
        names = {"supervisord", Path(self.executable).name}
        waiting = self._preloaded.pid if self._preloaded else 0

        def is_supervisord(process: host_processes.Process) -> bool:
            # An interpreter and its script, or the program itself, but not an editor that has the document open.
            runs = any(Path(argument).name in names for argument in process.command[:2])
            runs = runs or PROGRAM in " ".join(process.command)
            return (
                runs and process.pid != waiting and (document in process.command or process.pid == recorded)
            )

        return host_processes.matching_pids(is_supervisord)

    def program_pids(self, name: str = "") -> list[int]:
        """Return the processes of the program `name`, or of all programs, with their descendants.

        They inherit the variables that supervisord sets: SUPERVISOR_SERVER_URL and SUPERVISOR_PROCESS_NAME.
        """
        return [process.pid for process in self._processes() if not name or _program(process) == name]

    def pids_by_program(self, names: Iterable[str]) -> dict[str, list[int]]:
        """Return the processes of each program."""
        return {name: [one.pid for one in found] for name, found in self._by_program(names).items()}

    def values_by_program(self, names: Iterable[str], variable: str) -> dict[str, set[str]]:
        """Return the values of an environment variable in the processes of each program."""
        return {
            name: {one.environment[variable] for one in found if variable in one.environment}
            for name, found in self._by_program(names).items()
        }

    def _by_program(self, names: Iterable[str]) -> dict[str, list[host_processes.Process]]:
        found: dict[str, list[host_processes.Process]] = {name: [] for name in names}
        for process in self._processes():
            if (program := _program(process)) in found:
                found[program].append(process)
        return found

    def _processes(self) -> list[host_processes.Process]:
        """Return the processes that supervisord has started, with their descendants."""
        url = f"unix://{self.socket}"
        return [
            process
            for process in host_processes.processes()
            if process.environment.get("SUPERVISOR_SERVER_URL") == url
        ]

    def _recorded_pid(self) -> int:
        try:
            return int(self.pidfile.read_text())
        except (OSError, ValueError):
            return 0


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    """Return whether `condition` becomes true within `timeout` seconds."""
    return any(
        condition() for _left in attempts(timeout, first_pause=FIRST_PAUSE, longest_pause=LONGEST_PAUSE)
    )


def _program(process: host_processes.Process) -> str:
    """Return the program of supervisord that a process belongs to."""
    return process.environment.get("SUPERVISOR_PROCESS_NAME", "")


def _environment() -> dict[str, str]:
    inherited = {key: os.environ[key] for key in INHERITED if key in os.environ}
    user = pwd.getpwuid(os.geteuid())
    return {
        "PATH": os.defpath,
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
        **inherited,
    }
