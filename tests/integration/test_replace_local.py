# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform local replaces Envoys and applications under requests, and returns to the previous ones when a change fails."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from cases import PortBlock
from envoys import binary
from live import ROOT
from managed_host import run_module
from request_load import ChangeCounts, Lane, RequestLoad

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import ARGUMENTS, perform
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.bootstrap import FLUSH_INTERVAL
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST, OLDEST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import (
    supervisord_conf,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_process import (
    SupervisordProcess,
    wait_until,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.supervisord_rpc import RUNNING
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    shared_memory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Probe, Workload
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy as module

SUPERVISORD = Path(sys.executable).with_name("supervisord")
APP = ROOT / "roles" / "demo_app" / "files" / "demo_app.py"
TYPES = "type.googleapis.com/envoy"
MANAGER = f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = f"{TYPES}.extensions.filters.http.router.v3.Router"
PARENT_SECONDS = 8

pytestmark = pytest.mark.skipif(not SUPERVISORD.exists(), reason="supervisor is not installed")


@dataclass(frozen=True)
class State:
    """What a deployment of the demo differs in: an Envoy `edge` in front of the replicas of an application `app`."""

    edge: int = 0  # generation
    apps: tuple[int, ...] = (0,)  # generation of each replica
    version: str = NEWEST
    envoy: str = ""  # an executable in place of `version`
    concurrency: int = 1
    command: tuple[str, ...] = ()  # the application in place of the demo app
    replacement: Any = "overlap"
    bootstrap: dict[str, Any] = field(default_factory=dict)
    clusters: dict[str, Any] = field(default_factory=dict)


class Demo:
    """The demo in a folder, with ports from `first` on."""

    def __init__(self, folder: Path, first: int) -> None:
        self.folder, self.first = folder, first
        self.supervisord = SupervisordProcess(folder, str(SUPERVISORD))

    def deploy(self, state: State, check: bool = False, **options: Any) -> dict[str, Any]:
        """Deploy a state; return the result of the module."""
        workloads = [self._edge(state), *(self._app(state, number) for number in range(len(state.apps)))]
        live = {
            "edge/listeners.json": {"resources": [self._listener()]},
            "edge/clusters.json": {"resources": [self._cluster(state)]},
        }
        plan = {
            **self._identity(),
            "files": [
                {"path": "supervisord.conf", "content": supervisord_conf("test", workloads)},
                {"path": "demo_app.py", "content": APP.read_text()},
                {"path": "edge/bootstrap.json", "content": json.dumps(self._bootstrap(state))},
                *(
                    {"path": path, "content": json.dumps(content), "live": "edge"}
                    for path, content in live.items()
                ),
            ],
            "directories": [{"path": "edge/run", "mode": "0700"}],
            "workloads": [one.to_dict() for one in workloads],
            "admins": [{"proxy": "edge", "workload": "edge", "host": "default", "url": self.admin}],
        }
        return self._run({"plan": plan, "timeout": 20, "drain_timeout": 2, **options}, check)

    def teardown(self) -> dict[str, Any]:
        return self._run({**self._identity(), "state": "absent"}, False)

    def lanes(self) -> list[Lane]:
        return [
            Lane(
                "kept", "127.0.0.1", self.first, ("/service/1", "/bytes?n=20000", "/delay?ms=150"), rate=300
            ),
            Lane("new", "127.0.0.1", self.first, ("/service/1",), keep=False, rate=300),
        ]

    @property
    def admin(self) -> str:
        return f"unix://{self.folder}/edge/run/admin.sock"

    def programs(self) -> list[str]:
        with self.supervisord.client() as client:
            return sorted(name for name, one in client.programs().items() if one.state in RUNNING)

    def pid(self, program: str) -> int:
        with self.supervisord.client() as client:
            return client.programs()[program].pid

    def shared_memory(self) -> Path:
        return shared_memory(self.first)

    def leftovers(self) -> list[object]:
        paths = [self.folder, self.shared_memory()]
        pids = [*self.supervisord.supervisord_pids(), *self.supervisord.program_pids()]
        return [path for path in paths if path.exists()] + pids

    def _run(self, options: dict[str, Any], check: bool) -> dict[str, Any]:
        more = {"supervisord_executable": str(SUPERVISORD), "_ansible_check_mode": check}
        if announce := options.pop("announce", None):  # as the action calls the function of the module
            valid = ArgumentSpecValidator(ARGUMENTS).validate(
                {"supervisord_executable": str(SUPERVISORD), **options}
            )
            return {"failed": False, **perform(valid.validated_parameters, check, announce)}
        return {"failed": False, **run_module(module, {**options, **more})}

    def _identity(self) -> dict[str, str]:
        return {"name": "test", "platform": "local", "folder": str(self.folder)}

    def app_port(self, number: int, generation: int) -> int:
        return self.first + 1 + number + 4 * (generation % 2)

    def _edge(self, state: State) -> Workload:
        return Workload(
            name="edge",
            command=(
                state.envoy or str(binary(state.version)),
                *("--config-path", "edge/bootstrap.json", "--concurrency", str(state.concurrency)),
                *("--base-id", str(self.first)),
                *("--skip-hot-restart-on-no-parent", "--parent-shutdown-time-s", str(PARENT_SECONDS)),
                *("--drain-time-s", "2", "--drain-strategy", "immediate", "--log-level", "warning"),
                *("--restart-epoch", str(state.edge)),
            ),
            ports=(Port(self.first),),
            probe=Probe("http", path="/ready", unix_socket="edge/run/admin.sock"),
            generation=state.edge,
            replacement="hot_restart",
            group="edge",
        )

    def _app(self, state: State, number: int) -> Workload:
        generation = state.apps[number]
        port = self.app_port(number, generation)
        return Workload(
            name=f"app-{number + 1}",
            command=state.command or (sys.executable, "-I", "demo_app.py"),
            environment={
                "DEMO_APP_PORT": str(port),
                "DEMO_APP_BIND": "127.0.0.1",
                "DEMO_APP_SERVICE": "1",
                "DEMO_APP_VERSION": str(generation),
            },
            ports=(Port(port),),
            probe=Probe("http", port, "/healthz"),
            generation=generation,
            replacement=state.replacement,
            group="app",
        )

    def _bootstrap(self, state: State) -> dict[str, Any]:
        source = {
            key: {"resource_api_version": "V3", "path_config_source": {"path": f"edge/{name}.json"}}
            for key, name in (("lds_config", "listeners"), ("cds_config", "clusters"))
        }
        return {
            "node": {"id": "edge", "cluster": "test"},
            "admin": {"address": {"pipe": {"path": "edge/run/admin.sock", "mode": 0o600}}},
            "dynamic_resources": source,
            "stats_flush_interval": FLUSH_INTERVAL,
            **state.bootstrap,
        }

    def _listener(self) -> dict[str, Any]:
        manager = {
            "@type": MANAGER,
            "stat_prefix": "http",
            "route_config": {
                "virtual_hosts": [
                    {
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
                    }
                ]
            },
            "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        }
        return {
            "@type": f"{TYPES}.config.listener.v3.Listener",
            "name": "http",
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": self.first}},
            # All threads have one socket. With a socket for each, the kernel resets what it has queued for a thread that ends.
            "enable_reuse_port": False,
            "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
        }

    def _cluster(self, state: State) -> dict[str, Any]:
        ports = [self.app_port(number, generation) for number, generation in enumerate(state.apps)]
        endpoints = [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
            for port in ports
        ]
        return {
            "@type": f"{TYPES}.config.cluster.v3.Cluster",
            "name": "app",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": endpoints}]},
            **state.clusters,
        }


@pytest.fixture
def demo(block: PortBlock) -> Iterator[Demo]:
    # Not pytest's temporary folder, because the path of a Unix socket is limited.
    with tempfile.TemporaryDirectory(prefix="meshlab-") as folder:
        one = Demo(Path(folder).resolve() / "state", block.first)
        try:
            yield one
        finally:
            gone = one.teardown()
        assert not gone["failed"], gone["msg"]
        assert one.leftovers() == []


def deployed(demo: Demo, state: State) -> dict[str, Any]:
    result = demo.deploy(state)
    assert not result["failed"], result["msg"]
    return result


def changed(demo: Demo, load: RequestLoad, label: str, state: State) -> tuple[dict[str, Any], ChangeCounts]:
    """Deploy a state under requests; return the result and the counts."""
    load.begin(label)
    result = demo.deploy(state)
    counts = load.settled(least=200)
    print(label, counts, result.get("msg", ""), result["seconds"])
    return result, counts


def test_replacements_lose_no_request(demo: Demo) -> None:
    deployed(demo, State(apps=(0, 0)))
    with RequestLoad(demo.lanes()) as load:
        steps = {
            "concurrency": State(edge=1, apps=(0, 0), concurrency=2),
            "version": State(edge=2, apps=(0, 0), concurrency=2, version=OLDEST),
            "back": State(edge=3, apps=(0, 0)),
            "app": State(edge=3, apps=(1, 1)),
            "one app": State(edge=3, apps=(1,)),
            "app and edge": State(edge=4, apps=(2,)),
        }
        lost, ways = {}, {}
        for label, state in steps.items():
            result, counts = changed(demo, load, label, state)
            assert not result["failed"], result["msg"]
            lost[label], ways[label] = dict(counts.failures), result["replaced"]
            assert result["restarted"] == sorted(result["replaced"])
    assert lost == {label: {} for label in steps}
    assert ways == {
        "concurrency": {"edge": "hot_restart"},
        "version": {"edge": "hot_restart"},
        "back": {"edge": "hot_restart"},
        "app": {"app-1": "overlap", "app-2": "overlap"},
        "one app": {},
        "app and edge": {"app-1": "overlap", "edge": "hot_restart"},
    }
    assert not demo.deploy(steps["app and edge"])["changed"]
    # The parent ends by itself.
    assert wait_until(lambda: demo.programs() == ["app-1.2", "edge.4"], 30)
    assert not demo.deploy(steps["app and edge"])["changed"]


FAILING = (sys.executable, "-c", "print('no such setting: colour'); raise SystemExit(3)")


def test_failed_changes_restore_the_previous_deployment(demo: Demo) -> None:
    before = State(apps=(0, 0))
    deployed(demo, before)
    taken = {"static_resources": {"listeners": [taken_listener(demo.first + 1)]}}
    slow = {"connect_timeout": "1s", "eds_cluster_config": {"eds_config": {"ads": {}}}, "type": "EDS"}
    steps = {
        "app ends": (replace(before, apps=(1, 1), command=FAILING), "no such setting: colour"),
        "bootstrap is unknown": (replace(before, edge=1, bootstrap={"bogus": 1}), "bogus"),
        "port of the bootstrap is taken": (
            replace(before, edge=1, bootstrap=taken),
            "Address already in use",
        ),
        "clusters are rejected": (replace(before, edge=1, apps=(1, 0), clusters=slow), "ads"),
    }
    outcomes = {}
    with RequestLoad(demo.lanes()) as load:
        for label, (state, text) in steps.items():
            result, counts = changed(demo, load, label, state)
            outcomes[label] = (result["failed"], text.lower() in result["msg"].lower(), dict(counts.failures))
            assert result["msg"].endswith("The previous deployment was restored."), result["msg"]
            assert (result["rolled_back"], result["changed"]) == (True, False)
    assert outcomes == {label: (True, True, {}) for label in steps}
    # The Envoy whose admin interface had been closed by its failed successor was replaced by a further generation.
    # It ended its parent itself: the last change, which began and failed meanwhile, did not stop the parent.
    assert wait_until(lambda: demo.programs() == ["app-1", "app-2", "edge.1"], 30)
    assert "exited: edge (exit status 0" in (demo.folder / "logs" / "supervisord.log").read_text()
    again = demo.deploy(replace(before, edge=1))
    assert (again["failed"], again["started"], again["restarted"]) == (False, [], []), again["msg"]


def test_envoy_that_waits_is_stopped_without_its_parent(demo: Demo) -> None:
    before = State()
    deployed(demo, before)
    # The new Envoy waits for endpoints, up to 15 s. Meanwhile the application fails, and with it the change.
    server = {"envoy_grpc": {"cluster_name": "xds"}}
    source = {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [server]}
    endpoints = {"eds_config": {"resource_api_version": "V3", "api_config_source": source}}
    clusters = [
        {"name": "waiting", "type": "EDS", "eds_cluster_config": endpoints},
        {"name": "xds", "type": "STATIC", "load_assignment": {"cluster_name": "xds"}},
    ]
    waiting = {"static_resources": {"clusters": clusters}}
    failing = (sys.executable, "-c", "import time; time.sleep(4); raise SystemExit(3)")
    with RequestLoad(demo.lanes()) as load:
        result, counts = changed(
            demo, load, "waits", State(edge=1, apps=(1,), command=failing, bootstrap=waiting)
        )
    assert (result["failed"], result["rolled_back"], dict(counts.failures)) == (True, True, {})
    assert result["msg"].endswith("The previous deployment was restored."), result["msg"]
    assert result["seconds"]["restore"] < 60
    # The previous Envoy, or a further generation if the one that failed had already closed the admin interface.
    assert wait_until(lambda: demo.programs() in (["app-1", "edge"], ["app-1", "edge.1"]), 30)
    generation = int("edge.1" in demo.programs())
    assert not demo.deploy(replace(before, edge=generation))["changed"]


def test_envoy_that_cannot_hand_over_is_announced_first(demo: Demo, tmp_path: Path) -> None:
    before, after = State(), State(edge=1, envoy=str(envoy_of_another_hot_restart_version(tmp_path)))
    deployed(demo, before)
    predicted = demo.deploy(after, check=True)
    assert predicted["replaced"] == {"edge": "stop"}
    announced: list[tuple[str, list[str]]] = []
    result = demo.deploy(after, announce=lambda text: announced.append((text, demo.programs())))
    assert not result["failed"], result["msg"]
    # When the warning is printed, the previous Envoy still serves.
    [(text, programs)] = announced
    assert programs == ["app-1", "edge"]
    assert text in str(predicted["warnings"])
    assert "edge: the running Envoy cannot hand over to " in text
    assert "their hot-restart versions are 11.104 and 11.105. It is stopped first" in text
    assert (result["replaced"], demo.programs()) == ({"edge": "stop"}, ["app-1", "edge.1"])
    assert not demo.deploy(after)["changed"]


def envoy_of_another_hot_restart_version(folder: Path) -> Path:
    path = folder / "envoy"
    path.write_text(
        f'#!/bin/sh\n[ "$1" = --hot-restart-version ] && echo 11.105 >&2 && exit\nexec {binary(NEWEST)} "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_stopped_app_runs_again_after_a_failed_change(demo: Demo) -> None:
    before = State(replacement="stop")
    deployed(demo, before)
    result = demo.deploy(replace(before, apps=(2,), command=FAILING))
    assert (result["failed"], result["rolled_back"]) == (True, True)
    assert "no such setting: colour" in result["msg"]
    assert demo.programs() == ["app-1", "edge"]
    assert demo.deploy(before)["changed"] is False


def taken_listener(port: int) -> dict[str, Any]:
    proxy = {
        "@type": f"{TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "taken",
        "cluster": "app",
    }
    return {
        "name": "taken",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "tcp", "typed_config": proxy}]}],
    }


def test_boot_starts_the_latest_generations(demo: Demo) -> None:
    state = State(edge=1, apps=(1,))
    deployed(demo, State())
    deployed(demo, state)
    # A reboot ends all processes, and empties the file system of the shared memory. It leaves sockets and the pid file.
    for pid in [*demo.supervisord.supervisord_pids(), *demo.supervisord.program_pids()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not demo.supervisord.program_pids(), 20)
    demo.shared_memory().unlink()
    # What the unit of `deployment_start_at_boot` runs.
    command = [str(SUPERVISORD), "--nodaemon", "--configuration", str(demo.folder / "supervisord.conf")]
    booted = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd="/")
    try:
        assert wait_until(lambda: runs(demo, "app-1.1", "edge.1"), 60)
        assert not demo.deploy(state)["changed"]
        with RequestLoad(demo.lanes()) as load:
            load.begin("after the boot")
            assert load.settled(least=100).failed == 0
            # The generation that started without a parent hands over as any other.
            result, counts = changed(demo, load, "next", replace(state, edge=2, concurrency=2))
            assert (result["replaced"], dict(counts.failures)) == ({"edge": "hot_restart"}, {})
    finally:
        demo.teardown()
        booted.wait(30)


def runs(demo: Demo, *programs: str) -> bool:
    """Return whether supervisord answers, and runs exactly these programs."""
    return demo.supervisord.is_running() and demo.programs() == sorted(programs)


@pytest.mark.parametrize(
    "victims",
    [
        ("supervisord", "edge", "edge.1"),
        pytest.param(("edge",), marks=pytest.mark.slow),
        pytest.param(("edge.1",), marks=pytest.mark.slow),
        pytest.param(("supervisord",), marks=pytest.mark.slow),
    ],
)
def test_run_repairs_two_killed_generations(demo: Demo, victims: tuple[str, ...]) -> None:
    state = State(edge=1)
    deployed(demo, State())
    deployed(demo, state)
    assert wait_until(lambda: demo.programs() == ["app-1", "edge", "edge.1"], 10)
    pids = {
        "supervisord": demo.supervisord.supervisord_pids()[0],
        **{name: demo.pid(name) for name in demo.programs()},
    }
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    # The run right after a kill can meet a program that supervisord is starting.
    assert wait_until(lambda: not demo.deploy(state)["failed"], 60)
    with RequestLoad(demo.lanes()) as load:
        load.begin("repaired")
        assert wait_until(lambda: demo.programs() == ["app-1", "edge.1"], 60)
        assert load.settled(least=100).failed == 0
