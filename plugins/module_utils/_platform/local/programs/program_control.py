# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start and stop programs of a supervisord, each with all its descendants."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_processes
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    RUNNING,
    Program,
    Supervisor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    newest_first,
)

DEATHS_TIMEOUT = 60  # seconds until supervisord has waited for a program that ended


class ProgramControl:
    """The control of the programs of `supervisord`; a program has `stop_timeout` seconds to end."""

    def __init__(self, supervisord: SupervisordProcess, stop_timeout: float) -> None:
        self._supervisord = supervisord
        self.stop_timeout = stop_timeout

    def settled(self, client: Supervisor) -> dict[str, Program]:
        """Return all programs as soon as supervisord has noticed each program that just ended."""

        def is_settled() -> bool:
            running = (program for program in client.programs().values() if program.state in RUNNING)
            return all(host_processes.is_alive(program.pid) for program in running if program.pid)

        wait_until(is_settled, DEATHS_TIMEOUT)
        return client.programs()

    def start(self, client: Supervisor, program: Program) -> None:
        """Start a program that does not run."""
        if program.state in ("BACKOFF", "STOPPING"):
            client.stop(program.name)
            self.wait_until_stopped(client, [program.name])
        client.start(program.name)

    def restart(self, client: Supervisor, name: str) -> None:
        """Stop a program with all its descendants, and start it again."""
        self.stop(client, [name])
        client.start(name)

    def stop(self, client: Supervisor, names: Iterable[str]) -> None:
        """Stop programs with all their descendants, the newest generations first. Raises PlatformFailed."""
        for group in newest_first(names):
            for name in group:
                client.stop(name)
            self.wait_until_stopped(client, group)
            pids = self._supervisord.pids_by_program(group)
            host_processes.end([pid for found in pids.values() for pid in found], 1)

    def kill(self, client: Supervisor, names: Iterable[str]) -> None:
        """Stop programs with SIGKILL, which supervisord does not start again. Raises PlatformFailed.

        They are frozen while supervisord sends its stop signal, so they do not handle that one.
        """
        names = list(names)
        for name in names:
            pids = self._supervisord.program_pids(name)
            for pid in pids:
                host_processes.freeze(pid)
            client.stop(name)
            for pid in pids:
                host_processes.kill(pid)
        self.wait_until_stopped(client, names)

    def remove(self, client: Supervisor, names: Iterable[str]) -> None:
        """Stop programs and remove them from supervisord. Raises PlatformFailed."""
        left = list(names)
        # A program that has just ended counts as stopped, and supervisord then starts it again: it is stopped once more.
        for _left in attempts(self.stop_timeout):
            self.stop(client, left)
            left = [name for name in left if not client.remove(name)]
            if not left:
                return
        raise PlatformFailed(f"{', '.join(left)}: starts again after each stop")

    def wait_until_stopped(self, client: Supervisor, names: Iterable[str]) -> None:
        """Return when no program of `names` runs. Raises PlatformFailed."""
        names = list(names)

        def are_stopped() -> bool:
            states = client.programs()
            return all(
                name not in states or states[name].state not in (*RUNNING, "STOPPING") for name in names
            )

        if not wait_until(are_stopped, self.stop_timeout):
            raise PlatformFailed(f"{', '.join(names)}: still runs after SIGKILL")
