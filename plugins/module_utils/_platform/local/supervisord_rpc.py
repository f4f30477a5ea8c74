# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client for supervisord's XML-RPC interface over its Unix socket (http://supervisord.org/api.html)."""

from __future__ import annotations

import http.client
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import connect_unix

# Fault codes that mean that nothing is left to do, or that the state of the program has the reason.
BAD_NAME, SPAWN_ERROR, ALREADY_STARTED, NOT_RUNNING, ALREADY_ADDED, STILL_RUNNING = 10, 50, 60, 70, 90, 91
# The states of a program that runs.
RUNNING = ("STARTING", "RUNNING")


class SupervisorError(Exception):
    """supervisord does not answer, or answers with a fault."""


@dataclass(frozen=True)
class Program:
    """One program of supervisord. `spawnerr` is the reason why it cannot be started; `started` is in seconds since the epoch."""

    name: str
    state: str
    pid: int
    exitstatus: int
    spawnerr: str
    started: int


class Supervisor:
    """The client of the supervisord that listens on `socket_path`. Each method raises SupervisorError unless stated."""

    def __init__(self, socket_path: Path, timeout: float = 30) -> None:
        """Make a client; it connects at the first call. `timeout` is in seconds, for each call."""
        self._proxy = xmlrpc.client.ServerProxy(
            "http://supervisord/RPC2", transport=_Transport(str(socket_path), timeout)
        )

    def __enter__(self) -> Supervisor:
        """Return the client."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the connection."""
        self._proxy("close")()

    def state(self) -> str:
        """Return RUNNING, RESTARTING, SHUTDOWN or FATAL; an empty text where supervisord does not answer. Never raises."""
        try:
            return str(self._call("supervisor.getState")["statename"])
        except SupervisorError:
            return ""

    def pid(self) -> int:
        """Return the process id of supervisord."""
        return int(self._call("supervisor.getPID"))

    def programs(self) -> dict[str, Program]:
        """Return all programs by name."""
        return {
            info["name"]: Program(
                info["name"],
                info["statename"],
                info["pid"],
                info["exitstatus"],
                info["spawnerr"],
                info["start"],
            )
            for info in self._call("supervisor.getAllProcessInfo")
        }

    def reload(self) -> tuple[list[str], list[str], list[str]]:
        """Read the configuration again; return the programs that were added, changed and removed. None is started or stopped."""
        ((added, changed, removed),) = self._call("supervisor.reloadConfig")
        return added, changed, removed

    def add(self, name: str) -> None:
        """Add a program of the configuration that was read; supervisord starts it."""
        self._call("supervisor.addProcessGroup", name, ignore=(ALREADY_ADDED,))

    def remove(self, name: str) -> bool:
        """Remove a program; return False if it runs."""
        removed = self._call("supervisor.removeProcessGroup", name, ignore=(BAD_NAME, STILL_RUNNING))
        return removed is not None or name not in self.programs()

    def start(self, name: str) -> None:
        """Start a program, and return before it runs."""
        self._call("supervisor.startProcess", name, False, ignore=(ALREADY_STARTED, SPAWN_ERROR))

    def stop(self, name: str) -> None:
        """Send a program its stop signal, and return before it ended; supervisord kills it after its stopwaitsecs."""
        self._call("supervisor.stopProcess", name, False, ignore=(NOT_RUNNING,))

    def shutdown(self) -> None:
        """Shut supervisord down; return before it ended."""
        self._call("supervisor.shutdown")

    def _call(self, method: str, *arguments: Any, ignore: tuple[int, ...] = ()) -> Any:
        try:
            return getattr(self._proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in ignore:
                return None
            raise SupervisorError(
                f"supervisord rejects {method.partition('.')[2]}{arguments or '()'}: {fault.faultString}"
            ) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"supervisord does not answer: {error}") from None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("supervisord", timeout=timeout)
        self._path, self._seconds = path, timeout

    def connect(self) -> None:
        self.sock = connect_unix(self._path, self._seconds)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout
        self._connected: _Connection | None = None

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002
        if self._connected is None:
            self._connected = _Connection(self._path, self._timeout)
        return self._connected

    def close(self) -> None:
        if self._connected:
            self._connected.close()
            self._connected = None
