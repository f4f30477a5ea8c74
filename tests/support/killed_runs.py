# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of demo_deploy in a process of their own that is killed at a chosen moment.

A moment is the number of an audit event of Python: the run is killed before its n-th file operation, command, connection or signal.
"""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cases import PortBlock
from cluster_home import ClusterHome, home_without_ports
from collection_hooks import collections_folder
from deployment import Deployment
from live import CACHE, SUPERVISOR_VERSION, containers, docker, processes_of

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts

NAME = "killed"
RUN_TIMEOUT = 300  # seconds
CLUSTER_TIMEOUT = 200  # seconds until pods are ready
ENVOY_SECONDS = 120  # until an Envoy has ended its parent, on a busy machine
# Published ports, by their position in the block.
HTTP, DIRECT, EXTRA = range(80, 83)
PROGRAM = """
import json, os, signal, sys, threading
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import ARGUMENTS, perform
options, last, whole_group = json.load(sys.stdin)
options = {key: one.get("default") for key, one in ARGUMENTS.items()} | options
COUNTED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir", "os.kill",
    "fcntl.flock", "subprocess.Popen", "socket.connect", "http.client.send", "socket.bind", "os.posix_spawn"}
count, lock = 0, threading.RLock()
def watch(event, arguments):
    global count
    if event not in COUNTED:
        return
    with lock:
        count += 1
        if count == last:
            os.killpg(0, signal.SIGKILL) if whole_group else os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
result = perform(options, False)
print(json.dumps([count, result.get("failed", False), result.get("msg", "")]))
"""


@dataclass(frozen=True)
class KilledRun:
    """What came of a run: whether it was killed, and else the number of its moments."""

    killed: bool
    moments: int = 0


class KillableDemo:
    """A small demo with a certificate, an app behind a sidecar and an edge, in a home of its own, until the end of a `with` block."""

    def __init__(self, platform: str = "local") -> None:
        self.platform = platform

    def __enter__(self) -> KillableDemo:
        self.ports = PortBlock()
        self.home = home_without_ports(self.platform)
        self._deployment = Deployment(self.home, NAME, {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.teardown()
            assert self.left() == []
        finally:
            self.home.close()
            self.ports.close()

    @property
    def folder(self) -> Path:
        """Return the deployment folder."""
        return self.home.state(NAME)

    def plan(self, changed: bool) -> Any:
        """Return the plan of the demo, or of the changed demo: another app, routes, listeners and services."""
        self._deployment.data = _demo(self.ports.first, changed)
        return self._deployment.plan()

    def deploy(self, changed: bool) -> dict[str, Any]:
        """Deploy to the end and return the result."""
        result = self._deployment.run(self.plan(changed))
        assert not result["failed"], result["msg"]
        return result

    def teardown(self) -> None:
        """Tear down to the end."""
        result = self._deployment.run(self._identity(), state="absent")
        assert not result["failed"], result["msg"]

    def killed_run(self, state: str, changed: bool, moment: int, whole_group: bool) -> KilledRun:
        """Deploy or tear down, and kill the run at a moment. A moment of 0 does not occur."""
        plan = self.plan(changed) if state == "present" else self._identity()
        supervisord = f"{CACHE}/supervisor-{SUPERVISOR_VERSION}/bin/supervisord"
        options = {"plan": plan, "state": state, "supervisord_executable": supervisord}
        if isinstance(self.home, ClusterHome):
            options |= {"cluster": {"namespace": self.home.namespace}, "timeout": CLUSTER_TIMEOUT}
        # Files and not pipes: programs that the run started can hold a pipe open.
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as output:
            json.dump([options, moment, whole_group], given)
            given.seek(0)
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                stdin=given,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                start_new_session=True,
                timeout=RUN_TIMEOUT,
                env={**os.environ, "PYTHONPATH": str(collections_folder()), "HOME": str(self.home.folder)},
            )
            if done.returncode == -signal.SIGKILL:
                return KilledRun(killed=True)
            output.seek(0)
            text = output.read()
        assert done.returncode == 0, text
        count, failed, message = json.loads(text.splitlines()[-1])
        assert not failed, message
        return KilledRun(killed=False, moments=count)

    def converged(self, changed: bool) -> list[str]:
        """Return what differs from a deployment that nothing interrupted."""
        plan = self.plan(changed)
        problems = [f"a second run changes {key}" for key in self._changes(plan)]
        verified = self._deployment.verify(plan)
        problems += [verified["msg"]] if verified["failed"] else []
        expected = sorted(
            # The containers of a pod are one group.
            {one["group"] or one["name"] for one in plan["workloads"]}
            if isinstance(self.home, ClusterHome)
            else [workload["name"] for workload in plan["workloads"]]
        )
        programs: list[str] = []
        found: list[str] = []
        for _left in attempts(ENVOY_SECONDS):
            programs = self._programs()
            if (found := sorted(one.partition(".")[0] for one in programs)) == expected:
                break
        if found != expected:
            problems.append(f"programs {sorted(programs)} instead of {expected}")
        state = json.loads((self.folder / ".files.json").read_text(encoding="utf-8"))
        planned = {one["path"] for one in plan["files"]}
        extra = [
            path for path in state["files"] if path not in planned and not path.endswith((".crt", ".key"))
        ]
        problems += [f"{path} is recorded" for path in extra]
        problems += [f"{path} is left" for path in self._unexpected_files(set(state["files"]))]
        return problems

    def left(self) -> list[str]:
        """Return the files, processes, containers, networks and objects that a teardown left."""
        folders = [str(path) for path in (self.folder,) if path.exists()]
        found = containers(self.home.name(NAME)) if self.platform == "docker" else []
        if isinstance(self.home, ClusterHome):
            return folders + self.home.remaining(NAME)
        return folders + processes_of(self.folder) + found

    def _changes(self, plan: Any) -> list[str]:
        result = self._deployment.run(plan)
        assert not result["failed"], result["msg"]
        return [key for key in ("files", "objects", "started", "restarted", "removed") if result.get(key)]

    def _programs(self) -> list[str]:
        """Return the name of each program of supervisord, container or pod that runs: `edge.1` is generation 1 of `edge`."""
        if isinstance(self.home, ClusterHome):
            pods = self.home.objects("Pod", NAME)
            running = [one for one in pods if "deletionTimestamp" not in one["metadata"]]
            return [one["metadata"]["labels"]["app.kubernetes.io/name"] for one in running]
        if self.platform == "docker":
            label = f"label=com.docker.compose.project={self.home.name(NAME)}"
            columns = '{{.Label "meshlab.envoy.workload"}}.{{.ID}}'
            lines = docker("ps", "--filter", label, "--filter", "status=running", "--format", columns)
            return [one for one in lines if not one.startswith(".")]  # a holder runs no workload
        from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
            SupervisordProcess,
        )

        with SupervisordProcess(self.folder, "supervisord").client() as client:
            return [name for name, one in client.programs().items() if one.state == "RUNNING"]

    def _unexpected_files(self, known: set[str]) -> list[str]:
        usual = {".lock", ".files.json", "supervisord.sock", "supervisord.pid"}
        found = [path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file()]
        return [
            str(path)
            for path in found
            if str(path) not in known | usual and path.parts[0] != "logs" and "__pycache__" not in path.parts
        ]

    def _identity(self) -> dict[str, str]:
        return {"name": self.home.name(NAME), "platform": self.platform, "folder": str(self.folder)}


@dataclass(frozen=True)
class Moment:
    """One killed run, and what follows.

    Attributes:
        first: What is deployed before: nothing, or the demo.
        state: Whether the run deploys or tears down.
        fraction: The moment as a part of all moments of such a run.
        whole_group: Whether the commands of the run are killed too.
        then: What the next run does: `same`, `back` or `teardown`.
    """

    first: bool
    state: str
    fraction: float
    whole_group: bool
    then: str


def moments(number: int, seed: int) -> list[Moment]:
    """Return random moments: of the first deployment, of a change and of a teardown in turn."""
    chance = random.Random(seed)
    scenarios = [(False, "present"), (True, "present"), (True, "absent")]
    return [
        Moment(
            *scenarios[at % 3],
            chance.random(),
            chance.random() < 0.5,
            chance.choice(["same", "same", "back", "teardown"]),
        )
        for at in range(number)
    ]


def _demo(first: int, changed: bool) -> dict[str, Any]:
    def route(name: str, **more: Any) -> dict[str, Any]:
        return {"match": {"prefix": f"/{name}/"}, "route": {"cluster": name, "prefix_rewrite": "/", **more}}

    direct = {"port": first + DIRECT, "publish": first + DIRECT, "tls": {}}
    http = {"port": first + HTTP, "publish": first + HTTP, "routes": [route("one")]}
    data: dict[str, Any] = {
        "summary": "A demo whose runs are killed",
        "ports": first,
        "services": {"one": {"app": {}, "sidecar": {"listeners": {"http": direct}}}},
        "proxies": {"edge": {"listeners": {"http": http}, "clusters": {"one": {"to": "one", "tls": {}}}}},
        "traffic": [
            {
                "name": "requests",
                "to": "edge/http",
                "path": "/one/healthz",
                "requests": 10,
                "expect": [{"status": 200, "op": "eq", "value": 10}],
            }
        ],
    }
    if changed:
        data = copy.deepcopy(data)
        data["services"]["two"] = {"app": {}}
        data["services"]["one"]["app"] = {"environment": {"CHANGED": "1"}}
        edge = data["proxies"]["edge"]
        edge["clusters"]["two"] = {"to": "two"}
        edge["listeners"]["http"]["routes"] = [route("one", timeout="7s"), route("two")]
        edge["listeners"]["extra"] = {
            "port": first + EXTRA,
            "publish": first + EXTRA,
            "routes": [route("two")],
        }
    return data
