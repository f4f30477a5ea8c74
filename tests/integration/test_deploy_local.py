# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""demo_deploy on platform local, with a real supervisord."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import NeededPort
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_unit import unit_text
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import supervisord_conf
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Probe, Workload
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy as module

SUPERVISORD = Path(sys.executable).with_name("supervisord")
# Answers "<name>\n" to a GET, from the first moment that it listens.
SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["NAME"].encode())
    def log_message(self, *_): pass
print("listening", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

pytestmark = pytest.mark.skipif(not SUPERVISORD.exists(), reason="supervisor is not installed")


class Processes:
    """The processes of one test, deployed by the module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def supervisord(self) -> SupervisordProcess:
        """Return the supervisord of the folder."""
        return SupervisordProcess(self.folder, str(SUPERVISORD))

    def run(self, *workloads: Workload, check: bool = False, **options: Any) -> dict[str, Any]:
        """Deploy workloads; return the module's result, with `failed` in any case."""
        plan = {
            **self._identity(options.pop("folder", self.folder)),
            "files": [
                {"path": "supervisord.conf", "content": supervisord_conf("test", workloads)},
                {"path": "server.py", "content": SERVER},
                *options.pop("files", []),
            ],
            "directories": options.pop("directories", []),
            "workloads": [one.to_dict() for one in workloads],
        }
        return self._module({"plan": plan, "timeout": 20, **options}, check)

    def teardown(self, check: bool = False, folder: Path | str | None = None) -> dict[str, Any]:
        """Tear the demo down without its plan; return the module's result."""
        return self._module({**self._identity(folder or self.folder), "state": "absent"}, check)

    def _identity(self, folder: Path | str) -> dict[str, str]:
        return {"name": "test", "platform": "local", "folder": str(folder)}

    def _module(self, options: dict[str, Any], check: bool) -> dict[str, Any]:
        arguments = {
            "supervisord_executable": str(SUPERVISORD),
            **options,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        return {"failed": False, **run_module(module, arguments)}

    def pid(self, name: str) -> int:
        with self.supervisord.client() as supervisor:
            return supervisor.programs()[name].pid

    def alive(self) -> list[int]:
        return self.supervisord.supervisord_pids() + self.supervisord.program_pids()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Processes]:
    one = Processes(tmp_path / "state")
    yield one
    one.teardown()
    assert not one.alive()
    assert not one.folder.exists()


@pytest.fixture
def ports() -> list[int]:
    """Return three ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(3)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def server(name: str, port: int, **more: Any) -> Workload:
    return Workload(
        name=name,
        command=(sys.executable, "-IS", "server.py", str(port)),
        environment={"NAME": name},
        ports=(Port(port),),
        probe=Probe("http", port, "/"),
        **more,
    )


def answer(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.makefile().read().split("\r\n\r\n")[-1].split("\n\n")[-1]


def test_second_run_changes_nothing(demo: Processes, ports: list[int]) -> None:
    workloads = [server(name, port) for name, port in zip("abc", ports, strict=True)]
    first = demo.run(*workloads)
    assert (first["changed"], first["started"]) == (True, ["a", "b", "c"])
    assert sorted(first["files"]) == ["server.py", "supervisord.conf"]
    assert [answer(port) for port in ports] == ["a", "b", "c"]
    before = [demo.pid(name) for name in "abc"]
    again = demo.run(*workloads)
    assert (again["changed"], again["started"], again["restarted"], again["files"]) == (False, [], [], [])
    assert [demo.pid(name) for name in "abc"] == before
    assert (demo.folder / "supervisord.sock").stat().st_mode & 0o777 == 0o600
    assert demo.folder.stat().st_mode & 0o777 == 0o700


def test_port_of_a_deployment_that_is_starting_is_refused(demo: Processes, ports: list[int]) -> None:
    other = PortReservations()
    other.reserve([NeededPort("edge", ports[1])])
    try:
        result = demo.run(server("a", ports[0]), server("b", ports[1]))
    finally:
        other.release()
    assert result["failed"]
    assert f"port {ports[1]} of b: another deployment on this host is starting" in result["msg"]
    assert not demo.alive()
    assert not demo.run(server("a", ports[0]), server("b", ports[1]))["failed"]


def test_only_changed_program_restarts(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]), server("b", ports[1], digest="1"))
    kept, replaced = demo.pid("a"), demo.pid("b")
    predicted = demo.run(server("a", ports[0]), server("b", ports[1], digest="2"), check=True)
    assert (predicted["restarted"], demo.pid("b")) == (["b"], replaced)
    result = demo.run(server("a", ports[0]), server("b", ports[1], digest="2"))
    assert (result["started"], result["restarted"], result["removed"]) == ([], ["b"], [])
    assert demo.pid("a") == kept
    assert demo.pid("b") != replaced


def test_unlisted_program_releases_its_port(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]), server("old", ports[1]))
    gone = demo.pid("old")
    result = demo.run(server("a", ports[0]), server("new", ports[1]))
    assert (result["started"], result["removed"]) == (["new"], ["old"])
    assert answer(ports[1]) == "new"
    assert not Path(f"/proc/{gone}").exists()
    assert not list((demo.folder / "logs").glob("old.log*"))


def test_unlisted_program_runs_until_new_ones_are_ready(demo: Processes, ports: list[int]) -> None:
    demo.run(server("old", ports[0]))
    failing = Workload(name="new", command=("false",), probe=Probe("tcp", ports[1]))
    assert demo.run(failing)["failed"]
    assert answer(ports[0]) == "old"


def test_run_after_a_killed_supervisord_starts_all(demo: Processes, ports: list[int]) -> None:
    workloads = [server("a", ports[0]), server("b", ports[1])]
    demo.run(*workloads)
    (supervisord,) = demo.supervisord.supervisord_pids()
    orphans = demo.supervisord.program_pids()
    os.kill(supervisord, signal.SIGKILL)
    wait_for_end(supervisord)
    assert demo.supervisord.program_pids() == orphans
    result = demo.run(*workloads)
    assert (result["failed"], result["started"]) == (False, ["a", "b"])
    assert not set(orphans) & set(demo.alive())


def test_teardown_ends_orphans_of_a_killed_supervisord(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    os.kill(demo.supervisord.supervisord_pids()[0], signal.SIGKILL)
    result = demo.teardown()
    assert result["changed"]
    assert not demo.alive()
    assert demo.teardown()["changed"] is False


def test_supervisord_without_socket_is_replaced(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    (supervisord,) = demo.supervisord.supervisord_pids()
    demo.supervisord.socket.unlink()
    assert demo.run(server("a", ports[0]))["started"] == ["a"]
    assert supervisord not in demo.supervisord.supervisord_pids()
    assert len(demo.supervisord.supervisord_pids()) == 1


def test_stale_socket_and_pid_file_are_ignored(demo: Processes, ports: list[int]) -> None:
    demo.folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(demo.supervisord.socket))
    demo.supervisord.pidfile.write_text(f"{os.getpid()}\n")  # the id of a process that is no supervisord
    assert demo.run(server("a", ports[0]))["started"] == ["a"]


@pytest.mark.parametrize("how", ["kill", "freeze", "stop"])
def test_stopped_program_is_started_again(demo: Processes, ports: list[int], how: str) -> None:
    workloads = [server("a", ports[0]), server("b", ports[1])]
    demo.run(*workloads)
    with demo.supervisord.client() as supervisor:
        if how == "stop":
            supervisor.stop("a")
    if how != "stop":
        os.kill(demo.pid("a"), signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    result = demo.run(*workloads)
    assert not result["failed"], result["msg"]
    assert answer(ports[0]) == "a"
    if how != "kill":  # supervisord may have restarted it before the run
        assert result["started"] == ["a"]


def test_boot_unit_starts_the_demo_after_a_reboot(
    demo: Processes, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    enabled = tmp_path / "config/systemd/user/default.target.wants/meshlab-envoy-test.service"
    unit = unit_text("test", str(demo.folder), str(SUPERVISORD), "supervisord.conf")
    demo.run(server("a", ports[0]), files=[{"path": enabled.name, "content": unit}])
    demo.supervisord.stop(20)
    assert not demo.alive()
    # systemd is not running in tests. This starts the command of the unit that it would start.
    command = re.search("^ExecStart=(.*)$", enabled.read_text(), re.MULTILINE)
    assert command
    started = subprocess.Popen(shlex.split(command[1]), stdout=subprocess.DEVNULL)
    try:
        assert wait_until(demo.supervisord.is_running, 60)
        assert demo.run(server("a", ports[0]))["failed"] is False
        assert demo.supervisord.supervisord_pids() == [started.pid]
        assert answer(ports[0]) == "a"
        assert not os.path.lexists(enabled)  # the last plan has no unit
    finally:
        started.terminate()
        started.wait(60)


def test_teardown_removes_the_boot_unit(
    demo: Processes, ports: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    demo.run(server("a", ports[0]), files=[{"path": "meshlab-envoy-test.service", "content": "[Unit]\n"}])
    links = tmp_path / "config/systemd/user"
    assert len([path for path in links.rglob("*") if path.is_symlink()]) == 2
    demo.teardown()
    assert not [path for path in links.rglob("*") if path.is_symlink()]


def test_logs_of_a_program_are_bounded(demo: Processes, ports: list[int]) -> None:
    lines = "import sys; sys.stdout.write(('x' * 99 + chr(10)) * 80_000); sys.stdout.flush()"
    serve = "exec(open('server.py').read())"
    command = (sys.executable, "-IS", "-c", f"{lines}; {serve}", str(ports[0]))
    demo.run(replace(server("a", ports[0]), command=command))
    sizes = [path.stat().st_size for path in (demo.folder / "logs").glob("a.log*")]
    assert len(sizes) == 3
    # The program wrote 8 MB.
    assert sum(sizes) < 3 * 1024 * 1024 + 100_000


def test_descendants_in_other_sessions_are_ended(demo: Processes, ports: list[int]) -> None:
    script = "sleep 300 & setsid sleep 301 & setsid sh -c 'sleep 302 & wait' & wait"
    hider = Workload(name="hider", command=("sh", "-c", script), probe=Probe("none"))
    assert not demo.run(hider, server("a", ports[0]))["failed"]
    assert len(demo.supervisord.program_pids("hider")) >= 4
    demo.run(server("a", ports[0]))
    assert demo.supervisord.program_pids("hider") == []
    demo.run(hider, server("a", ports[0]))
    demo.teardown()
    assert demo.alive() == []


def test_ended_program_fails_at_once_with_its_log(demo: Processes, ports: list[int]) -> None:
    script = 'echo "reading my configuration"; echo "no such key: x" >&2; exit 3'
    failing = Workload(name="app", command=("sh", "-c", script), probe=Probe("http", ports[0], "/"))
    start = time.monotonic()
    result = demo.run(failing, server("b", ports[1]), timeout=120)
    assert result["failed"]
    assert time.monotonic() - start < 60
    assert result["msg"].startswith("app ended with exit code 3. Last lines of its log (")
    assert result["msg"].endswith("logs/app.log):\n  reading my configuration\n  no such key: x")
    assert "exception" not in result
    corrected = demo.run(server("app", ports[0]), server("b", ports[1]))
    assert (corrected["failed"], corrected["restarted"]) == (False, ["app"])


def test_error_shows_only_the_log_of_this_run(demo: Processes, ports: list[int]) -> None:
    def failing(text: str) -> Workload:
        return Workload(
            name="app", command=("sh", "-c", f"echo {text}; exit 1"), probe=Probe("tcp", ports[0])
        )

    demo.run(failing("first"))
    second = demo.run(failing("second"))
    assert "second" in second["msg"]
    assert "first" not in second["msg"]


def test_timeout_shows_the_problem_of_the_probe(demo: Processes, ports: list[int]) -> None:
    mute = Workload(name="mute", command=("sleep", "60"), probe=Probe("tcp", ports[0]))
    result = demo.run(mute, timeout=0.5)
    assert result["msg"].startswith(
        f"mute is not ready after 0.5 s without progress: tcp://127.0.0.1:{ports[0]}: connection refused. Its log is empty ("
    )


def test_used_port_is_refused_with_its_process(demo: Processes, ports: list[int]) -> None:
    with socket.create_server(("127.0.0.1", ports[0])):
        result = demo.run(server("a", ports[0]), server("b", ports[1]))
    assert result["failed"]
    assert f"port {ports[0]} of a is used by process {os.getpid()} (" in result["msg"]
    assert result["msg"].endswith(". Stop it, or choose another port. Nothing was changed.")
    assert (result["changed"], demo.folder.exists()) == (False, False)


def test_port_of_another_address_is_free(demo: Processes, ports: list[int]) -> None:
    with socket.create_server(("127.0.0.2", ports[0])):
        assert not demo.run(server("a", ports[0]))["failed"]


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (None, 0, "does not exist. Install it, or correct its path"),
        (b"#!/bin/sh\n", 0o644, "is not executable for user"),
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00",
            0o755,
            "is a program for riscv64. Choose an executable",
        ),
        (b"not a program", 0o755, "is not a program (Exec format error). Choose an executable"),
    ],
)
def test_unusable_executable_is_refused(
    demo: Processes, tmp_path: Path, content: bytes | None, mode: int, text: str
) -> None:
    program = tmp_path / "envoy"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    result = demo.run(Workload(name="edge", command=(str(program),)))
    assert result["msg"].startswith(f"edge cannot be started: {program} ")
    assert text in result["msg"]
    assert not demo.folder.exists()


def test_folder_too_long_for_a_socket_is_refused(demo: Processes, tmp_path: Path) -> None:
    result = demo.run(Workload(name="a", command=("sleep", "9")), folder=str(tmp_path / ("x" * 100)))
    assert "but a Unix socket allows 96" in result["msg"]
    assert not (tmp_path / ("x" * 100)).exists()


@pytest.mark.parametrize("folder", ["/", "~"])
def test_root_and_home_are_refused_as_folder(demo: Processes, folder: str) -> None:
    for result in (demo.run(folder=folder), demo.teardown(folder=folder)):
        assert "cannot be a state folder" in result["msg"]


def test_check_mode_predicts_on_an_empty_host(demo: Processes, ports: list[int]) -> None:
    edge = Workload(name="edge", command=("~/not/there/envoy",))
    result = demo.run(
        server("a", ports[0]), edge, check=True, supervisord_executable="/not/there/supervisord"
    )
    assert (result["failed"], result["changed"], result["started"]) == (False, True, ["a", "edge"])
    assert sorted(result["files"]) == ["server.py", "supervisord.conf"]
    assert "[program:edge]" in json.dumps(result["diff"])
    assert "does not exist. Install it" in json.dumps(result["warnings"])
    assert not demo.folder.exists()


def test_teardown_in_check_mode_changes_nothing(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    result = demo.teardown(check=True)
    assert (result["changed"], result["removed"]) == (True, ["a"])
    assert answer(ports[0]) == "a"


def test_teardown_removes_files_in_planned_directories(demo: Processes, ports: list[int]) -> None:
    writer = Workload(name="w", command=("sh", "-c", "echo x > run/deep; exec sleep 60"), probe=Probe("none"))
    demo.run(writer, directories=[{"path": "run", "mode": "0700"}])
    assert (demo.folder / "run" / "deep").exists()
    demo.teardown()
    assert not demo.folder.exists()


def test_teardown_keeps_files_of_other_programs(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    notes = demo.folder / "notes.txt"
    notes.write_text("notes")
    result = demo.teardown()
    assert "it has files of other programs: notes.txt" in json.dumps(result["warnings"])
    assert [one.name for one in demo.folder.iterdir()] == ["notes.txt"]
    shutil.rmtree(demo.folder)


def test_document_works_without_ansible(demo: Processes, ports: list[int]) -> None:
    demo.folder.mkdir()
    (demo.folder / "logs").mkdir()
    workloads = server("a", ports[0])
    (demo.folder / "supervisord.conf").write_text(supervisord_conf("test", [workloads]))
    (demo.folder / "server.py").write_text(SERVER)
    subprocess.run([SUPERVISORD, "-c", "supervisord.conf"], cwd=demo.folder, check=True, timeout=30)
    before = demo.pid("a")
    result = demo.run(workloads)
    assert (result["started"], result["restarted"]) == ([], [])
    assert demo.pid("a") == before
    # Files that the module did not write are not removed.
    assert demo.teardown()["changed"]
    assert sorted(one.name for one in demo.folder.iterdir()) == ["server.py", "supervisord.conf"]
    shutil.rmtree(demo.folder)


def test_programs_do_not_inherit_ansible_environment(
    demo: Processes, ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_PASSWORD", "secret")
    demo.run(server("a", ports[0]))
    environment = Path(f"/proc/{demo.pid('a')}/environ").read_bytes()
    assert b"VAULT_PASSWORD" not in environment
    assert b"NAME=a\0" in environment


def test_supervisord_survives_the_terminal(demo: Processes, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    (supervisord,) = demo.supervisord.supervisord_pids()
    assert os.getsid(supervisord) != os.getsid(0)
    assert all(os.readlink(f"/proc/{supervisord}/fd/{number}") == "/dev/null" for number in range(3))


def test_ansible_check_and_diff_show_the_document(tmp_path: Path) -> None:
    conf = supervisord_conf("test", [Workload(name="a", command=("sleep", "60"))])
    plan = {
        "name": "test",
        "platform": "local",
        "folder": str(tmp_path / "state"),
        "files": [{"path": "supervisord.conf", "content": conf}],
        "workloads": [{"name": "a", "command": ["sleep", "60"]}],
    }
    arguments = {"plan": plan, "supervisord_executable": str(SUPERVISORD)}
    ansible = Path(sys.executable).with_name("ansible")
    command = [
        ansible,
        "localhost",
        "-m",
        "meshlab.envoy.demo_deploy",
        "-a",
        json.dumps(arguments),
        "--check",
        "--diff",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "+[program:a]" in ran.stdout
    assert not (tmp_path / "state").exists()


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/status").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_folder_with_a_percent_sign_is_refused(demo: Processes, ports: list[int], tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    result = demo.run(server("a", ports[0]), folder=folder)
    assert result["msg"].startswith(f"{folder}: supervisord expands the % in the path of a log.")
    assert not folder.exists()
