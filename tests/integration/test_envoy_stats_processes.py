# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hundred endpoints, which are read in several processes: the result is that of one process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from collection_hooks import ROOT, collections_folder
from interpreters import interpreter

COUNT = 320
STATS = [{"name": f"cluster.c{number}.upstream_rq_total", "value": number} for number in range(200)]
# Reads endpoints with the given number of processes, and prints the result with the number of forks.
PROGRAM = """
import json, os, sys, time
from ansible_collections.meshlab.envoy.plugins.module_utils import stats_api
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.lock_free_thread import LockFreeThread
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.processes import reader_processes
given = json.loads(sys.argv[1])
reader_processes.processors = lambda: given["processes"]
forks, fork = [], os.fork
def counted():
    forks.append(fork())
    return forks[-1]
os.fork = counted
# As in a worker of Ansible, which has a thread that ends it with ansible-playbook.
LockFreeThread(target=time.sleep, args=(600,), daemon=True).start()
print("started", flush=True)
outcome = stats_api.wait_for(
    stats_api.parse_endpoints(given["endpoints"]),
    stats_api.parse_assertions(given["assertions"]),
    wait=given["wait"],
    limits=stats_api.Limits(request_timeout=60),
)
print(json.dumps({"forks": len(forks), "result": outcome.as_data(), "message": outcome.message}))
"""
SUM = {"match": r"cluster\.c1.*\.upstream_rq_total", "across": "sum", "op": "eq", "endpoint": "e*"}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    folder = tmp_path_factory.mktemp("responses")
    (folder / "stats.json").write_text(json.dumps({"stats": STATS}, separators=(",", ":")))
    info = {
        "version": "c/1.40.0/Clean/RELEASE/BoringSSL",
        "state": "LIVE",
        "uptime_current_epoch": "5s",
        "node": {},
    }
    (folder / "server_info.json").write_text(json.dumps(info))
    program = ROOT / "tools/bench/replayed_admins.py"
    with subprocess.Popen(
        [sys.executable, str(program), str(folder), str(COUNT), "--whole"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
        server.stdin.close()


def program(
    python: str, ports: list[int], processes: int, expected: int, wait: bool = True
) -> subprocess.Popen[bytes]:
    endpoints = [
        {"name": f"e{number}", "url": f"http://127.0.0.1:{port}"} for number, port in enumerate(ports)
    ]
    given = {
        "endpoints": [*endpoints, {"name": "absent", "url": "unix:///does/not/exist"}],
        "assertions": [
            {**SUM, "value": expected},
            {"stat": "x", "op": "eq", "value": 1, "endpoint": "absent"},
        ],
        "processes": processes,
        "wait": wait,
    }
    environment = {**os.environ, "PYTHONPATH": str(collections_folder())}
    return subprocess.Popen(
        [python, "-c", PROGRAM, json.dumps(given)], stdout=subprocess.PIPE, env=environment
    )


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    for endpoint in result["endpoints"]:
        del endpoint["milliseconds"], endpoint["uptime"]
    for page in result["snapshot"]["endpoints"].values():
        del page["time"]
        page.get("identity", {}).update(started=0, uptime=0, slack=0)
    for assertion in result["assertions"]:
        assertion["message"] = re.sub(r" after [0-9.]+ s", "", assertion["message"])
    result["snapshot"]["time"] = result["elapsed"] = 0
    return result


@pytest.mark.parametrize("version", ["3.9", "3.11", pytest.param("3.13", marks=pytest.mark.slow)])
def test_several_processes_have_the_result_of_one(ports: list[int], version: str) -> None:
    expected = COUNT * sum(stat["value"] for stat in STATS if str(stat["name"]).startswith("cluster.c1"))
    printed = []
    for processes in (1, 3):
        with program(interpreter(version), ports, processes, expected, wait=False) as ran:
            output = ran.communicate(timeout=60)[0].splitlines()
        assert ran.returncode == 0
        printed.append(json.loads(output[-1]))
    one, several = printed
    assert (one["forks"], several["forks"]) == (0, 2)
    assert [each["ok"] for each in several["result"]["assertions"]] == [True, False]
    assert [*several["result"]["snapshot"]["endpoints"]][:-1] == [f"e{number}" for number in range(COUNT)]
    assert without_times(several["result"]) == without_times(one["result"])


def test_killed_task_leaves_no_process(ports: list[int]) -> None:
    folder = Path("/proc")
    with program(sys.executable, ports, 3, -1) as ran:
        assert ran.stdout is not None
        assert ran.stdout.readline() == b"started\n"
        children = folder / str(ran.pid) / "task" / str(ran.pid) / "children"
        forks: set[str] = set()
        until = time.monotonic() + 60
        # An assertion that never holds makes it fork for each of its snapshots.
        while len(forks) < 2 and time.monotonic() < until:
            forks = {*children.read_text().split()}
        ran.send_signal(signal.SIGKILL)
        assert len(forks) == 2
        # The forks have the same standard output: it ends when all of them have ended.
        with contextlib.suppress(BrokenPipeError):
            assert ran.communicate(timeout=60)[0] == b""
