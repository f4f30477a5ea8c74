# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads as processes under a real supervisord: converged from every half state, and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import supervisord_conf
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import Daemon
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
Run = Callable[..., dict[str, Any]]


class Demo:
    """A demo of one test: its folder, and the module's answers."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    @property
    def daemon(self) -> Daemon:
        return Daemon(self.folder, str(SUPERVISORD))

    def run(self, *workloads: Workload, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module; return its result, with `failed` in it either way."""
        files = [
            {"path": "supervisord.conf", "content": supervisord_conf("test", workloads)},
            {"path": "server.py", "content": SERVER},
        ]
        arguments = {
            "name": "test",
            "platform": "local",
            "folder": str(self.folder),
            "files": files,
            "workloads": [one.to_dict() for one in workloads],
            "supervisord": {"executable": str(SUPERVISORD)},
            "timeout": 20,
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **options,
        }
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return {"failed": False, **result}

    def absent(self, **options: Any) -> dict[str, Any]:
        return self.run(state="absent", files=[], workloads=[], **options)

    def pid(self, name: str) -> int:
        with self.daemon.supervisor() as supervisor:
            return supervisor.programs()[name].pid

    def alive(self) -> list[int]:
        return self.daemon.masters() + self.daemon.members()


@pytest.fixture
def demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Demo]:
    one = Demo(tmp_path / "state", capsys)
    yield one
    one.absent()
    assert not one.alive()
    assert not one.folder.exists()


@pytest.fixture
def ports() -> list[int]:
    """Ports that were free a moment ago."""
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


def test_a_run_starts_everything_and_another_changes_nothing(demo: Demo, ports: list[int]) -> None:
    wanted = [server(name, port) for name, port in zip("abc", ports, strict=True)]
    first = demo.run(*wanted)
    assert (first["changed"], first["started"]) == (True, ["a", "b", "c"])
    assert sorted(first["files"]) == ["server.py", "supervisord.conf"]
    assert [answer(port) for port in ports] == ["a", "b", "c"]
    before = [demo.pid(name) for name in "abc"]
    again = demo.run(*wanted)
    assert (again["changed"], again["started"], again["restarted"], again["files"]) == (False, [], [], [])
    assert [demo.pid(name) for name in "abc"] == before
    assert (demo.folder / "supervisord.sock").stat().st_mode & 0o777 == 0o600
    assert demo.folder.stat().st_mode & 0o777 == 0o700


def test_only_what_differs_is_restarted(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]), server("b", ports[1], digest="1"))
    kept, replaced = demo.pid("a"), demo.pid("b")
    predicted = demo.run(server("a", ports[0]), server("b", ports[1], digest="2"), check=True)
    assert (predicted["restarted"], demo.pid("b")) == (["b"], replaced)
    result = demo.run(server("a", ports[0]), server("b", ports[1], digest="2"))
    assert (result["started"], result["restarted"], result["removed"]) == ([], ["b"], [])
    assert demo.pid("a") == kept
    assert demo.pid("b") != replaced


def test_what_is_gone_is_stopped_and_its_port_can_be_had_at_once(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]), server("old", ports[1]))
    gone = demo.pid("old")
    result = demo.run(server("a", ports[0]), server("new", ports[1]))
    assert (result["started"], result["removed"]) == (["new"], ["old"])
    assert answer(ports[1]) == "new"
    assert not Path(f"/proc/{gone}").exists()
    assert not list((demo.folder / "logs").glob("old.log*"))


def test_what_is_gone_is_stopped_last(demo: Demo, ports: list[int]) -> None:
    demo.run(server("old", ports[0]))
    failing = Workload(name="new", command=("false",), probe=Probe("tcp", ports[1]))
    assert demo.run(failing)["failed"]
    assert answer(ports[0]) == "old"


def test_a_killed_supervisord_leaves_nothing_that_stands_in_the_way(demo: Demo, ports: list[int]) -> None:
    wanted = [server("a", ports[0]), server("b", ports[1])]
    demo.run(*wanted)
    (master,) = demo.daemon.masters()
    orphans = demo.daemon.members()
    os.kill(master, signal.SIGKILL)
    wait_for_end(master)
    assert demo.daemon.members() == orphans
    result = demo.run(*wanted)
    assert (result["failed"], result["started"]) == (False, ["a", "b"])
    assert not set(orphans) & set(demo.alive())


def test_absent_ends_the_orphans_of_a_killed_supervisord(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    os.kill(demo.daemon.masters()[0], signal.SIGKILL)
    result = demo.absent()
    assert result["changed"]
    assert not demo.alive()
    assert demo.absent()["changed"] is False


def test_a_supervisord_without_its_socket_is_replaced(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    (master,) = demo.daemon.masters()
    demo.daemon.socket.unlink()
    assert demo.run(server("a", ports[0]))["started"] == ["a"]
    assert master not in demo.daemon.masters()
    assert len(demo.daemon.masters()) == 1


def test_a_stale_socket_and_pid_file_are_no_obstacle(demo: Demo, ports: list[int]) -> None:
    demo.folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(demo.daemon.socket))
    demo.daemon.pidfile.write_text(f"{os.getpid()}\n")  # by now somebody else's
    assert demo.run(server("a", ports[0]))["started"] == ["a"]


@pytest.mark.parametrize("how", ["kill", "freeze", "stop"])
def test_one_that_does_not_run_is_brought_back(demo: Demo, ports: list[int], how: str) -> None:
    wanted = [server("a", ports[0]), server("b", ports[1])]
    demo.run(*wanted)
    with demo.daemon.supervisor() as supervisor:
        if how == "stop":
            supervisor.stop("a")
    if how != "stop":
        os.kill(demo.pid("a"), signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    result = demo.run(*wanted)
    assert not result["failed"], result["msg"]
    assert answer(ports[0]) == "a"
    if how != "kill":  # that one may have been restarted by supervisord before the run
        assert result["started"] == ["a"]


def test_nothing_is_left_of_programs_that_hide_their_children(demo: Demo, ports: list[int]) -> None:
    script = "sleep 300 & setsid sleep 301 & setsid sh -c 'sleep 302 & wait' & wait"
    hider = Workload(name="hider", command=("sh", "-c", script), probe=Probe("none"))
    assert not demo.run(hider, server("a", ports[0]))["failed"]
    assert len(demo.daemon.members("hider")) >= 4
    demo.run(server("a", ports[0]))
    assert demo.daemon.members("hider") == []
    demo.run(hider, server("a", ports[0]))
    demo.absent()
    assert demo.alive() == []


def test_one_that_ends_is_told_at_once_with_its_last_words(demo: Demo, ports: list[int]) -> None:
    script = 'echo "reading my configuration"; echo "no such key: x" >&2; exit 3'
    failing = Workload(name="app", command=("sh", "-c", script), probe=Probe("http", ports[0], "/"))
    start = time.monotonic()
    result = demo.run(failing, server("b", ports[1]))
    assert result["failed"]
    assert time.monotonic() - start < 10
    assert result["msg"].startswith("app ended with exit code 3; its last lines (")
    assert result["msg"].endswith("logs/app.log):\n  reading my configuration\n  no such key: x")
    assert "exception" not in result
    # Corrected, it runs: nothing of the failure stands in the way.
    corrected = demo.run(server("app", ports[0]), server("b", ports[1]))
    assert (corrected["failed"], corrected["restarted"]) == (False, ["app"])


def test_words_of_an_earlier_run_are_not_the_last_ones(demo: Demo, ports: list[int]) -> None:
    def failing(words: str) -> Workload:
        return Workload(
            name="app", command=("sh", "-c", f"echo {words}; exit 1"), probe=Probe("tcp", ports[0])
        )

    demo.run(failing("first"))
    second = demo.run(failing("second"))
    assert "second" in second["msg"]
    assert "first" not in second["msg"]


def test_one_that_does_not_serve_in_time_is_told_with_what_was_seen(demo: Demo, ports: list[int]) -> None:
    mute = Workload(name="mute", command=("sleep", "60"), probe=Probe("tcp", ports[0]))
    result = demo.run(mute, timeout=0.5)
    assert result["msg"].startswith(
        f"mute does not serve after 0.5 s (tcp://127.0.0.1:{ports[0]}: Connection refused); it said nothing ("
    )


def test_a_taken_port_is_told_with_who_has_it_before_anything_is_changed(
    demo: Demo, ports: list[int]
) -> None:
    with socket.create_server(("127.0.0.1", ports[0])):
        result = demo.run(server("a", ports[0]), server("b", ports[1]))
    assert result["failed"]
    assert f"port {ports[0]} of a is taken by process {os.getpid()} (" in result["msg"]
    assert result["msg"].endswith(": stop it, or choose another port. Nothing was changed.")
    assert (result["changed"], demo.folder.exists()) == (False, False)


def test_a_port_that_only_another_address_has_is_free(demo: Demo, ports: list[int]) -> None:
    with socket.create_server(("127.0.0.2", ports[0])):
        assert not demo.run(server("a", ports[0]))["failed"]


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0, "is not there: install it, or say where it is"),
        (b"#!/bin/sh\n", 0o644, "may not be executed by user"),
        (
            b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00",
            0o755,
            "is a program for riscv64: choose one",
        ),
        (b"not a program", 0o755, "is not a program (Exec format error): choose one"),
    ],
)
def test_a_program_that_cannot_run_is_told_before_anything_is_changed(
    demo: Demo, tmp_path: Path, content: bytes | None, mode: int, words: str
) -> None:
    program = tmp_path / "envoy"
    if content is not None:
        program.write_bytes(content)
        program.chmod(mode)
    result = demo.run(Workload(name="edge", command=(str(program),)))
    assert result["msg"].startswith(f"edge cannot be started: {program} ")
    assert words in result["msg"]
    assert not demo.folder.exists()


def test_a_folder_too_deep_for_a_socket_is_told(demo: Demo, tmp_path: Path) -> None:
    result = demo.run(Workload(name="a", command=("sleep", "9")), folder=str(tmp_path / ("x" * 100)))
    assert "is too long for a Unix socket" in result["msg"]
    assert not (tmp_path / ("x" * 100)).exists()


@pytest.mark.parametrize("folder", ["/", "~"])
def test_a_folder_that_is_everybodys_is_refused(demo: Demo, folder: str) -> None:
    for state in ("present", "absent"):
        assert "cannot be the folder of a demo" in demo.run(folder=folder, state=state)["msg"]


def test_check_mode_predicts_on_a_host_that_has_nothing_yet(demo: Demo, ports: list[int]) -> None:
    edge = Workload(name="edge", command=("~/not/there/envoy",))
    result = demo.run(
        server("a", ports[0]), edge, check=True, supervisord={"executable": "/not/there/supervisord"}
    )
    assert (result["failed"], result["changed"], result["started"]) == (False, True, ["a", "edge"])
    assert sorted(result["files"]) == ["server.py", "supervisord.conf"]
    assert "[program:edge]" in json.dumps(result["diff"])
    assert "is not there: install it" in json.dumps(result["warnings"])
    assert not demo.folder.exists()


def test_check_mode_of_absent_changes_nothing(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    result = demo.absent(check=True)
    assert (result["changed"], result["removed"]) == (True, ["a"])
    assert answer(ports[0]) == "a"


def test_absent_removes_what_programs_wrote_where_they_may(demo: Demo, ports: list[int]) -> None:
    writer = Workload(name="w", command=("sh", "-c", "echo x > run/deep; exec sleep 60"), probe=Probe("none"))
    demo.run(writer, directories=[{"path": "run", "mode": "0700"}])
    assert (demo.folder / "run" / "deep").exists()
    demo.absent()
    assert not demo.folder.exists()


def test_absent_leaves_what_is_not_its_own(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    mine = demo.folder / "notes.txt"
    mine.write_text("mine")
    result = demo.absent()
    assert "somebody else's files are in it: notes.txt" in json.dumps(result["warnings"])
    assert [one.name for one in demo.folder.iterdir()] == ["notes.txt"]
    shutil.rmtree(demo.folder)


def test_the_document_is_of_use_without_ansible(demo: Demo, ports: list[int]) -> None:
    demo.folder.mkdir()
    (demo.folder / "logs").mkdir()
    wanted = server("a", ports[0])
    (demo.folder / "supervisord.conf").write_text(supervisord_conf("test", [wanted]))
    (demo.folder / "server.py").write_text(SERVER)
    subprocess.run([SUPERVISORD, "-c", "supervisord.conf"], cwd=demo.folder, check=True, timeout=30)
    before = demo.pid("a")
    result = demo.run(wanted)
    assert (result["started"], result["restarted"]) == ([], [])
    assert demo.pid("a") == before
    # What somebody else wrote is not removed.
    assert demo.absent()["changed"]
    assert sorted(one.name for one in demo.folder.iterdir()) == ["server.py", "supervisord.conf"]
    shutil.rmtree(demo.folder)


def test_programs_get_a_clean_environment(
    demo: Demo, ports: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_PASSWORD", "secret")
    demo.run(server("a", ports[0]))
    environment = Path(f"/proc/{demo.pid('a')}/environ").read_bytes()
    assert b"VAULT_PASSWORD" not in environment
    assert b"NAME=a\0" in environment


def test_it_survives_the_terminal(demo: Demo, ports: list[int]) -> None:
    demo.run(server("a", ports[0]))
    (master,) = demo.daemon.masters()
    assert os.getsid(master) != os.getsid(0)
    assert all(os.readlink(f"/proc/{master}/fd/{number}") == "/dev/null" for number in range(3))


def test_through_ansible_it_predicts_and_shows(tmp_path: Path) -> None:
    conf = supervisord_conf("test", [Workload(name="a", command=("sleep", "60"))])
    arguments = {
        "name": "test",
        "folder": str(tmp_path / "state"),
        "files": [{"path": "supervisord.conf", "content": conf}],
        "workloads": [{"name": "a", "command": ["sleep", "60"]}],
        "supervisord": {"executable": str(SUPERVISORD)},
    }
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
