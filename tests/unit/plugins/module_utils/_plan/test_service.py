# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of a service."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from shop_demo import Planner, shop


def digests(plan: dict[str, Any]) -> dict[str, str]:
    return {workload["name"]: workload["digest"] for workload in plan["workloads"]}


def test_another_app_changes_only_digests_of_apps(plan: Planner) -> None:
    before, after = digests(plan(shop())), digests(plan(shop(), app="print('other')"))
    assert {name for name in before if before[name] != after[name]} == {"web-1", "web-2"}


def probe_result(command: list[str], *answers: bytes) -> tuple[int, str]:
    """Run the health check of an app; return its exit code and output. `answers` are those of the ports 10000 and 10001."""
    with contextlib.ExitStack() as stack:
        for first, answer in enumerate(answers):
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=answer_once, args=(listener, answer), daemon=True).start()
            command = [text.replace(str(PORTS[first]), str(listener.getsockname()[1])) for text in command]
        ran = subprocess.run(
            [sys.executable, *command[1:]], capture_output=True, text=True, check=False, timeout=60
        )
    return ran.returncode, ran.stderr


def answer_once(listener: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):
        connection, _address = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(answer)


OK, BUSY = b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 Service Unavailable\r\n\r\n"
PORTS = (9902, 8080)


@pytest.mark.parametrize(
    ("sidecar", "app", "code", "text"),
    [(OK, OK, 0, ""), (OK, BUSY, 1, ""), (BUSY, OK, 1, "the sidecar is not ready")],
)
def test_app_is_healthy_only_with_its_sidecar(
    plan: Planner, sidecar: bytes, app: bytes, code: int, text: str
) -> None:
    data = {"summary": "One app", "ports": 20000, "services": {"web": {"app": {}, "sidecar": {}}}}
    [workload] = [one for one in plan(data, "docker")["workloads"] if one["name"] == "web-1"]
    [envoy] = [one for one in plan(data, "docker")["workloads"] if one["name"] == "web-1-envoy"]
    assert (envoy["probe"]["port"], workload["probe"]["port"]) == PORTS
    assert probe_result(workload["probe"]["command"], sidecar, app) == (code, f"{text}\n" if text else "")


def test_app_without_a_sidecar_is_probed_alone(plan: Planner) -> None:
    data = {"summary": "One app", "ports": 20000, "services": {"web": {"app": {}}}}
    [workload] = [one for one in plan(data, "docker")["workloads"] if one["name"] == "web-1"]
    assert probe_result(workload["probe"]["command"], b"", OK)[0] == 0
