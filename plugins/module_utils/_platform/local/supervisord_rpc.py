# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""supervisord's XML-RPC interface over its Unix socket."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Faults that only say that there is nothing to do, or that the program's state will tell more.
BAD_NAME, SPAWN_ERROR, ALREADY_STARTED, NOT_RUNNING, ALREADY_ADDED = 10, 50, 60, 70, 90
RUNNING = ("STARTING", "RUNNING")


class SupervisorError(Exception):
    """supervisord did not answer, or answered that it cannot."""


@dataclass(frozen=True)
class Program:
    """One program, as supervisord sees it."""

    name: str
    state: str
    pid: int
    exitstatus: int
    spawnerr: str
    started: int  # seconds since the epoch


class Supervisor:
    """The supervisord that listens on `socket_path`."""

    def __init__(self, socket_path: Path, timeout: float = 30) -> None:
        self._proxy = xmlrpc.client.ServerProxy(
            "http://supervisord/RPC2", transport=_Transport(str(socket_path), timeout)
        )

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_error: object) -> None:
        self._proxy("close")()

    def state(self) -> str:
        """Return RUNNING, RESTARTING, SHUTDOWN or FATAL; empty where nobody answers."""
        try:
            return str(self._ask("supervisor.getState")["statename"])
        except SupervisorError:
            return ""

    def pid(self) -> int:
        return int(self._ask("supervisor.getPID"))

    def programs(self) -> dict[str, Program]:
        """Return all programs by name."""
        return {
            one["name"]: Program(
                one["name"], one["statename"], one["pid"], one["exitstatus"], one["spawnerr"], one["start"]
            )
            for one in self._ask("supervisor.getAllProcessInfo")
        }

    def reload(self) -> tuple[list[str], list[str], list[str]]:
        """Make it read its configuration; return what was added to it, changed and removed, none of it acted on yet."""
        ((added, changed, removed),) = self._ask("supervisor.reloadConfig")
        return added, changed, removed

    def add(self, name: str) -> None:
        """Take a program over from the configuration that was read; it starts by itself."""
        self._ask("supervisor.addProcessGroup", name, ignore=(ALREADY_ADDED,))

    def remove(self, name: str) -> None:
        """Forget a program that is stopped."""
        self._ask("supervisor.removeProcessGroup", name, ignore=(BAD_NAME,))

    def start(self, name: str) -> None:
        self._ask("supervisor.startProcess", name, False, ignore=(ALREADY_STARTED, SPAWN_ERROR))

    def stop(self, name: str) -> None:
        """Ask a program to end; it is given its own time for it."""
        self._ask("supervisor.stopProcess", name, False, ignore=(NOT_RUNNING,))

    def shutdown(self) -> None:
        self._ask("supervisor.shutdown")

    def _ask(self, method: str, *arguments: Any, ignore: tuple[int, ...] = ()) -> Any:
        try:
            return getattr(self._proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in ignore:
                return None
            raise SupervisorError(
                f"supervisord refuses {method.partition('.')[2]}{arguments or '()'}: {fault.faultString}"
            ) from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise SupervisorError(f"supervisord does not answer: {error}") from None


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("supervisord", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = path, timeout
        self._own: _Connection | None = None

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002
        if self._own is None:
            self._own = _Connection(self._path, self._timeout)
        return self._own

    def close(self) -> None:
        if self._own:
            self._own.close()
            self._own = None
