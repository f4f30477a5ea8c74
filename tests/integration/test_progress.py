# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a deployment and of a verification, as a real playbook prints it on a terminal and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import module_answer
from live import CACHE, PLAYBOOK, ROOT, SUPERVISOR_VERSION

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    FILE,
    LOGS,
    supervisord_conf,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy

TIMEOUT = 120  # seconds
COLUMNS = 100
NAME = f"progress{os.getpid()}"
UP_AND_ERASE = "\x1b[1A\x1b[2K\r"
ESCAPE = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]")


class Pages(ThreadingHTTPServer):
    """A health page and a page of metrics that the test changes while the playbook runs."""

    daemon_threads = True
    is_healthy = False
    requests_total = 3


class Page(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        health = self.path == "/healthz"
        body = b"" if health else f"requests_total {self.server.requests_total}\n".encode()
        self.send_response(503 if health and not self.server.is_healthy else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def pages() -> Iterator[Pages]:
    with Pages(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def playbook(folder: Path, pages: Pages) -> tuple[list[str], dict[str, Any]]:
    """Write a playbook that waits twice for the test. Return its command, and the options of a teardown."""
    port = pages.server_port
    probe = {"kind": "http", "port": port, "path": "/healthz"}
    workload = {"name": "service1-2", "command": ["sleep", "infinity"], "probe": probe}
    identity = {"name": NAME, "platform": "local", "folder": str(folder / "state")}
    supervisord = f"{CACHE}/supervisor-{SUPERVISOR_VERSION}/bin/supervisord"
    deploy = {
        "plan": identity
        | {
            "files": [{"path": FILE, "content": supervisord_conf(NAME, [Workload.from_dict(workload)])}],
            "directories": [{"path": LOGS}],
            "workloads": [workload],
        },
        "supervisord_executable": supervisord,
        "timeout": TIMEOUT,
    }
    metrics = {"name": "page", "url": f"http://127.0.0.1:{port}/metrics", "format": "prometheus"}
    expected = {"endpoint": ["page"], "stat": "requests_total", "op": "eq", "value": 4}
    verify = {
        "plan": identity
        | {"endpoints": [metrics], "traffic": [], "assertions": [expected]}
        | {"summary": "", "workloads": [], "addresses": [], "notes": []},
        "timeout": TIMEOUT,
        "result_formats": [],
    }
    tasks = [{"meshlab.envoy.demo_deploy": deploy}, {"meshlab.envoy.demo_verify": verify}]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump([play]))
    teardown = {**identity, "state": "absent", "supervisord_executable": supervisord}
    return [str(PLAYBOOK), "-i", "localhost,", str(path)], teardown


def screen(output: str) -> list[str]:
    """Return the lines that a terminal shows at the end."""
    lines: list[str] = []
    for line in output.split("\n"):
        *updates, last = line.split(UP_AND_ERASE)
        assert not any(updates), "a line is erased from its start"
        del lines[len(lines) - len(updates) :]
        lines.append(ESCAPE.sub("", last))
    return lines


def output_of(command: list[str], on_terminal: bool, steps: list[tuple[str, Callable[[], None]]]) -> str:
    """Run a command and return its output. When the text of a step is printed, call its function."""
    reader, writer = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "COLUMNS")}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    watchdog = threading.Timer(2 * TIMEOUT, process.kill)
    watchdog.start()
    output, left = b"", list(steps)
    try:
        # Linux reports the end of a terminal as an error.
        with suppress(OSError):
            while chunk := os.read(reader, 65536):
                output += chunk
                if left and left[0][0] in output.decode(errors="replace"):
                    left.pop(0)[1]()
    finally:
        watchdog.cancel()
        os.close(reader)
        code = process.wait(TIMEOUT)
    text = output.decode()
    assert (code, left) == (0, []), text
    return text.replace("\r\n", "\n")


@contextmanager
def torn_down(options: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    finally:
        assert not module_answer(demo_deploy, options)["failed"]
        shutil.rmtree(Path(options["folder"]).parent)


@pytest.mark.parametrize("on_terminal", [True, False], ids=["terminal", "pipe"])
def test_waits_are_printed_while_they_last(pages: Pages, on_terminal: bool) -> None:
    # A path of a Unix socket is limited to 107 bytes.
    command, teardown = playbook(Path(tempfile.mkdtemp(prefix="progress-")), pages)
    url = f"http://127.0.0.1:{pages.server_port}/healthz"
    unhealthy = f"{NAME}: waiting for service1-2: {url} returns 503"
    unequal = f"{NAME}: waiting for 1 of 1 assertion: expected 4, got 3 (requests_total at page)"
    steps = [
        (unhealthy, lambda: setattr(pages, "is_healthy", True)),
        (unequal, lambda: setattr(pages, "requests_total", 4)),
    ]
    with torn_down(teardown):
        output = output_of(command, on_terminal, steps)
    if on_terminal:
        shown = [ESCAPE.sub("", line).lstrip("\r") for line in output.split("\n")]
        assert any(line.startswith(unhealthy) for line in shown)
        assert max(len(line) for line in shown if line.startswith(NAME)) < COLUMNS
        assert not any(line.startswith(f"{NAME}: ") for line in screen(output)), (
            "progress is removed at the end"
        )
        assert "changed: [localhost]" in screen(output)
    else:
        assert "\x1b" not in output
        lines = output.split("\n")
        assert [sum(line.startswith(text) for line in lines) for text in (unhealthy, unequal)] == [1, 1]
