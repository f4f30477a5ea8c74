# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client of supervisord, with an XML-RPC server of this test on a Unix socket."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import (
    ALREADY_STARTED,
    BAD_NAME,
    Program,
    Supervisor,
    SupervisorError,
)


class Handler(SimpleXMLRPCRequestHandler):
    """A handler for Unix sockets, on which TCP options and addresses do not exist."""

    rpc_paths = ("/RPC2",)
    disable_nagle_algorithm = False

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: object) -> None:
        pass


class FakeSupervisord(socketserver.ThreadingUnixStreamServer, SimpleXMLRPCDispatcher):
    """A supervisord that records the calls; `results` has the results, or the faults, by method."""

    daemon_threads = True
    logRequests = False

    def __init__(self, path: Path) -> None:
        SimpleXMLRPCDispatcher.__init__(self, allow_none=True)
        self.results: dict[str, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        super().__init__(str(path), Handler)

    def _dispatch(self, method: str, params: Any) -> Any:
        self.calls.append((method.removeprefix("supervisor."), *params))
        result = self.results.get(method.removeprefix("supervisor."), True)
        if isinstance(result, Fault):
            raise result
        return result


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeSupervisord]:
    with FakeSupervisord(tmp_path / "supervisord.sock") as supervisord:
        threading.Thread(target=supervisord.serve_forever, daemon=True).start()
        yield supervisord
        supervisord.shutdown()


@pytest.fixture
def client(server: FakeSupervisord, tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path / "supervisord.sock", timeout=5) as supervisor:
        yield supervisor


def test_programs_are_returned_by_name(server: FakeSupervisord, client: Supervisor) -> None:
    server.results["getAllProcessInfo"] = [
        {
            "name": "a",
            "statename": "RUNNING",
            "pid": 7,
            "exitstatus": 0,
            "spawnerr": "",
            "start": 9,
            "group": "a",
        }
    ]
    assert client.programs() == {"a": Program("a", "RUNNING", 7, 0, "", 9)}


def test_reload_returns_the_three_lists(server: FakeSupervisord, client: Supervisor) -> None:
    server.results["reloadConfig"] = [[["new"], ["changed"], ["gone"]]]
    assert client.reload() == (["new"], ["changed"], ["gone"])


def test_state_and_pid_are_returned(server: FakeSupervisord, client: Supervisor) -> None:
    server.results |= {"getState": {"statename": "RUNNING"}, "getPID": 12}
    assert (client.state(), client.pid()) == ("RUNNING", 12)


def test_commands_do_not_wait(server: FakeSupervisord, client: Supervisor) -> None:
    for command in (client.add, client.start, client.stop, client.remove):
        command("a")
    client.shutdown()
    assert server.calls == [
        ("addProcessGroup", "a"),
        ("startProcess", "a", False),
        ("stopProcess", "a", False),
        ("removeProcessGroup", "a"),
        ("shutdown",),
    ]


def test_fault_without_consequence_is_ignored(server: FakeSupervisord, client: Supervisor) -> None:
    server.results["startProcess"] = Fault(ALREADY_STARTED, "ALREADY_STARTED: a")
    client.start("a")
    server.results |= {"removeProcessGroup": Fault(BAD_NAME, "BAD_NAME: a"), "getAllProcessInfo": []}
    assert client.remove("a")


def test_other_fault_is_an_error(server: FakeSupervisord, client: Supervisor) -> None:
    server.results["startProcess"] = Fault(BAD_NAME, "BAD_NAME: a")
    with pytest.raises(SupervisorError, match=r"supervisord rejects startProcess\('a', False\): BAD_NAME: a"):
        client.start("a")


def test_missing_server_is_an_error_without_state(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "no.sock") as client:
        assert client.state() == ""
        with pytest.raises(SupervisorError, match=r"supervisord does not answer: .*No such file"):
            client.programs()
