# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are replaced, or that end: no request fails where the issue is planned, and a rerun repairs everything else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compose_project import IMAGE, ComposeProject, answer, docker, usable
from deployment import Deployment, failure_messages, take_down
from live import ENVOY_VERSION, Home
from request_load import Lane, RequestLoad

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import BlockingAdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import OLDEST
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import DeploymentSpec
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import DockerDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
)

pytestmark = [pytest.mark.docker, pytest.mark.skipif(not usable(), reason="this host has no Docker")]

BOOTSTRAP = "edge/bootstrap.yaml"
ADMIN = "edge/run/admin.sock"


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ComposeProject]:
    # The path of a Unix socket is limited to 107 bytes.
    folder = Path("/tmp") / f"meshlab-{os.getpid()}-{abs(hash(request.node.name)) % 1000}"
    one = ComposeProject(f"replace-test-{abs(hash(request.node.name)) % 100000}", folder)
    one.directories = [{"path": "edge/run", "mode": "0777"}]
    one.admins = [{"proxy": "edge", "workload": "edge", "url": f"unix://{folder}/{ADMIN}"}]
    yield one
    one.teardown()
    assert one.ids() == {}
    assert not folder.exists()


@pytest.fixture
def port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def bootstrap(body: str) -> dict[str, Any]:
    """Return the file of an Envoy that answers on port 8080 by itself, in JSON, which is YAML."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": body}}}
    types = "type.googleapis.com/envoy.extensions.filters"
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "http",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": 8080}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }
    content = {
        "node": {"id": "edge", "cluster": "edge"},
        "admin": {"address": {"pipe": {"path": ADMIN, "mode": 0o666}}},
        "static_resources": {"listeners": [listener]},
    }
    return {"path": BOOTSTRAP, "content": json.dumps(content)}


def envoy(port: int, generation: int = 0, version: str = ENVOY_VERSION, **more: Any) -> Workload:
    """Return the Envoy of `bootstrap`, published on `port`."""
    options = {
        "base-id": 0,
        "restart-epoch": generation,
        "concurrency": 2,
        "drain-time-s": 1,
        "drain-strategy": "immediate",
        "parent-shutdown-time-s": 3,
        "log-level": "warn",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    workload = Workload(
        name="edge",
        image=f"envoyproxy/envoy:v{version}",
        holder_image=IMAGE,
        command=(
            *("/usr/local/bin/envoy", "--config-path", BOOTSTRAP, "--skip-hot-restart-on-no-parent"),
            *arguments,
        ),
        directory="/etc/envoy",
        mounts=(Mount("edge", "/etc/envoy/edge"), Mount("edge/run", "/etc/envoy/edge/run", writable=True)),
        ports=(Port(8080, port),),
        probe=Probe("tcp", 8080),
        user="101:101",
        memory_mb=256,
        digest="first",
        generation=generation,
        replacement="hot_restart",
    )
    return replace(workload, **more)


def test_envoy_of_another_version_takes_over_hot(demo: ComposeProject, port: int) -> None:
    demo.files = [bootstrap("first")]
    assert not demo.run(envoy(port, version=OLDEST))["failed"]
    before = demo.ids()
    lanes = [Lane("kept", "127.0.0.1", port, ("/",)), Lane("new", "127.0.0.1", port, ("/",), keep=False)]
    with RequestLoad(lanes) as load:
        load.begin("upgrade")
        demo.files = [bootstrap("second")]
        result = demo.run(envoy(port, 1))
        assert answer(port) == "second"
        # The new Envoy ends the previous one, which Docker does not start again.
        assert docker("wait", demo.container("edge")) == "0"
        counts = load.settled(least=300)
    assert (counts.failed, dict(counts.failures)) == (0, {})
    assert (result["failed"], result["replaced"], result["removed"]) == (False, {"edge": "hot_restart"}, [])
    assert demo.run(envoy(port, 1))["changed"] is False
    after = demo.ids()
    assert sorted(after) == ["edge-g1", "edge-network"]
    assert after["edge-network"] == before["edge-network"]
    # A crashed Envoy starts again with its own epoch, also where no Envoy of its base id ever ran.
    kill(demo, "edge-g1")
    wait_for(port, "second")
    docker("kill", "--signal", "KILL", demo.container("edge-network"))
    assert demo.run(envoy(port, 1))["restarted"] == ["edge"]
    assert answer(port) == "second"
    assert demo.run(envoy(port, 1))["changed"] is False


def test_envoy_that_does_not_start_leaves_the_previous_one(demo: ComposeProject, port: int) -> None:
    demo.files = [bootstrap("first")]
    assert not demo.run(envoy(port))["failed"]
    before = (demo.folder / "compose.yaml").read_text()
    lanes = [Lane("kept", "127.0.0.1", port, ("/",)), Lane("new", "127.0.0.1", port, ("/",), keep=False)]
    with RequestLoad(lanes) as load:
        load.begin("failing change")
        broken = bootstrap("second")
        broken["content"] = broken["content"].replace("router.v3.Router", "router.v3.Rooter")
        demo.files = [broken]
        failed = envoy(port, 1, digest="second")
        result = demo.run(failed)
        assert result["failed"]
        assert result["msg"].startswith("edge ended with exit code 1")
        deployer = DockerDeployer(
            DeploymentSpec(demo.name, demo.folder, (failed,), admins=tuple(demo.admins))
        )
        deployer.preflight()
        document, generations = deployer.previous_document(before)
        (demo.folder / "compose.yaml").write_text(document)
        (demo.folder / BOOTSTRAP).write_text(bootstrap("first")["content"])
        deployer.restore()
        counts = load.settled(least=300)
    assert (counts.failed, dict(counts.failures)) == (0, {})
    assert answer(port) == "first"
    # A further generation, if the one that failed has closed the admin interface of the previous one.
    current = f"edge-g{generations['edge']}" if generations else "edge"
    assert sorted({*demo.ids()} - {"edge"}) == sorted({current, "edge-network"} - {"edge"})
    admin = BlockingAdminClient.at(demo.admins[0]["url"])
    info = admin.get_json("/server_info", 10)
    assert info["command_line_options"]["restart_epoch"] == generations.get("edge", 0)


def kill(demo: ComposeProject, service: str) -> None:
    """Kill the first process of a container with SIGKILL, as a crash does. Docker starts the container again."""
    os.kill(pid_of(demo.container(service)), signal.SIGKILL)


def wait_for(port: int, body: str) -> None:
    """Wait until a port of this host answers with a body."""
    for _left in attempts(60):
        try:
            if answer(port) == body:
                return
        except OSError:
            continue
    raise AssertionError(f"port {port} does not answer {body}")


@pytest.fixture
def home() -> Iterator[Home]:
    one = Home("docker")
    yield one
    one.close()


def test_killed_container_does_not_end_its_service(home: Home) -> None:
    deployment = Deployment(home, "front_proxy")
    plan = deployment.plan()
    edge = next(one["published"] for one in port_data(plan, "edge") if one["name"] == "http")

    def answers() -> None:
        for path in ("/service/1", "/service/2"):
            wait_until_ok(f"http://127.0.0.1:{edge}{path}")

    def container(service: str) -> str:
        return f"{home.name('front_proxy')}-{service}-1"

    try:
        assert not deployment.run(plan)["failed"]
        for service in ("service1-1-envoy", "service1-1", "edge"):
            os.kill(pid_of(container(service)), signal.SIGKILL)
            answers()
        assert deployment.run(plan)["changed"] is False
        # The holder starts again with another network, which its containers do not have.
        os.kill(pid_of(container("service1-1-network")), signal.SIGKILL)
        wait_until_running(container("service1-1-network"))
        result = deployment.run(plan)
        assert (result["failed"], result["restarted"]) == (False, ["service1-1", "service1-1-envoy"]), (
            result.get("msg")
        )
        answers()
        assert failure_messages(deployment.verify(plan)) == []
        # An app that users cannot reach is not healthy.
        check = json.loads(
            docker("inspect", "--format", "{{json .Config.Healthcheck.Test}}", container("service1-1"))
        )
        assert exit_code("exec", container("service1-1"), *check[1:]) == 0
        docker("stop", container("service1-1-envoy"))
        assert exit_code("exec", container("service1-1"), *check[1:]) == 1
        assert deployment.run(plan)["started"] == ["service1-1-envoy"]
    finally:
        take_down(home, "front_proxy")


def port_data(plan: Any, workload: str) -> list[dict[str, Any]]:
    """Return the ports of a workload of a plan."""
    return next(list(one["ports"]) for one in plan["workloads"] if one["name"] == workload)


def pid_of(container: str) -> int:
    """Return the first process of a container."""
    return int(docker("inspect", "--format", "{{.State.Pid}}", container))


def exit_code(*arguments: str) -> int:
    """Return the exit code of a docker command."""
    return subprocess.run(["docker", *arguments], capture_output=True, timeout=120, check=False).returncode


def wait_until_ok(url: str) -> None:
    """Wait until a URL answers with status 200."""
    for _left in attempts(60):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            continue
    raise AssertionError(f"{url} does not answer")


def wait_until_running(container: str) -> None:
    """Wait until Docker has started a container again."""
    for _left in attempts(60):
        if docker("inspect", "--format", "{{.State.Running}} {{.RestartCount}}", container) == "true 1":
            return
    raise AssertionError(f"{container} does not run")
