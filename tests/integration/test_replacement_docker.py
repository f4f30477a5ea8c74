# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are replaced, or that end: no request fails where the issue is planned, and a rerun repairs everything else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compose_project import IMAGE, ComposeProject, answer, docker, server, usable
from deployment import Deployment, failure_messages, take_down
from live import ENVOY_VERSION, Home
from request_load import Lane, RequestLoad

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import BlockingAdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import OLDEST
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
    lanes = [Lane("kept", "127.0.0.1", port, ("/",)), Lane("new", "127.0.0.1", port, ("/",), keep=False)]
    with RequestLoad(lanes) as load:
        load.begin("failing change")
        broken = bootstrap("second")
        broken["content"] = broken["content"].replace("router.v3.Router", "router.v3.Rooter")
        demo.files = [broken]
        result = demo.run(envoy(port, 1, digest="second"))
        counts = load.settled(least=300)
    assert result["failed"]
    assert result["msg"].startswith("edge ended with exit code")
    assert result["msg"].endswith("The previous deployment was restored.")
    assert (counts.failed, dict(counts.failures)) == (0, {})
    assert answer(port) == "first"
    # A further generation, if the one that failed has closed the admin interface of the previous one.
    info = BlockingAdminClient.at(demo.admins[0]["url"]).get_json("/server_info", 10)
    current = {0: "edge", 1: "edge-g1"}[info["command_line_options"]["restart_epoch"]]
    assert {*demo.ids()} - {"edge"} == {current, "edge-network"} - {"edge"}


@pytest.mark.slow
def test_takeover_of_a_failed_change_is_returned(demo: ComposeProject, port: int) -> None:
    demo.files = [bootstrap("first")]
    assert not demo.run(envoy(port))["failed"]
    lanes = [Lane("kept", "127.0.0.1", port, ("/",)), Lane("new", "127.0.0.1", port, ("/",), keep=False)]
    never = Workload(name="app", image=IMAGE, command=("sleep", "600"), init=True, probe=Probe("tcp", 80))
    with RequestLoad(lanes) as load:
        load.begin("failing change")
        demo.files = [bootstrap("second")]
        # The Envoy takes over, and then the other workload is not ready.
        result = demo.run(envoy(port, 1, digest="second"), never, timeout=20)
        assert result["failed"]
        assert result["msg"].startswith("app is not ready after 20 s")
        assert result["msg"].endswith("The previous deployment was restored.")
        # The further generation ends the Envoy of the change, which Docker does not start again.
        assert docker("wait", demo.container("edge-g1")) == "0"
        counts = load.settled(least=500)
    assert (counts.failed, dict(counts.failures)) == (0, {})
    state = docker("inspect", "--format", "{{.State.Status}} {{.RestartCount}}", demo.container("edge-g1"))
    assert state == "exited 0"
    info = BlockingAdminClient.at(demo.admins[0]["url"]).get_json("/server_info", 10)
    assert info["command_line_options"]["restart_epoch"] == 2
    assert answer(port) == "first"


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


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="starts a Docker daemon")
def test_rerun_repairs_a_demo_after_the_end_of_dockerd(
    demo: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a reboot, Docker starts containers in any order, and not those again that precede their holder."""
    image = Path(demo.folder).with_suffix(".image")
    docker("pull", "--quiet", IMAGE)
    docker("save", "--output", str(image), IMAGE)
    workloads = [
        one
        for number in range(3)
        for one in (server(f"owner-{number}"), server(f"sharer-{number}", 8081, network=f"owner-{number}"))
    ]
    try:
        with OwnDaemon() as daemon:
            monkeypatch.setenv("DOCKER_HOST", daemon.address)
            docker("load", "--input", str(image))
            assert not demo.run(*workloads, timeout=200)["failed"]
            for signal_number in (signal.SIGKILL, signal.SIGTERM):
                daemon.restart(signal_number)
                repaired = demo.run(*workloads, timeout=200)
                assert not repaired["failed"], repaired["msg"]
                assert demo.run(*workloads, timeout=200)["changed"] is False
                for number in range(3):
                    connect = f"import socket; socket.create_connection(('owner-{number}', 8081), 5)"
                    docker("exec", demo.container("owner-0"), "python3", "-c", connect)
            demo.teardown()
            monkeypatch.delenv("DOCKER_HOST")
    finally:
        image.unlink(missing_ok=True)


class OwnDaemon:
    """A Docker daemon in a network namespace of its own until the end of a `with` block."""

    def __enter__(self) -> OwnDaemon:
        self.folder = Path(tempfile.mkdtemp(prefix="meshlab-dockerd-", dir="/tmp"))
        self.address = f"unix://{self.folder}/docker.sock"
        config = {
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "run"),
            "pidfile": str(self.folder / "docker.pid"),
            "hosts": [self.address],
            # Not the addresses of another daemon on this machine, to which readiness probes would connect.
            "default-address-pools": [{"base": "10.213.0.0/16", "size": 24}],
            "bip": "10.214.0.1/24",
        }
        (self.folder / "daemon.json").write_text(json.dumps(config))
        self._start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        self._end_containerd()
        self._network.kill()
        self._network.wait(60)
        for mount in reversed(Path("/proc/mounts").read_text().splitlines()):
            if mount.split()[1].startswith(str(self.folder)):
                subprocess.run(["umount", "--lazy", mount.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self, signal_number: int) -> None:
        """End the daemon with a signal, and start it again."""
        self._process.send_signal(signal_number)
        self._process.wait(60)
        self._end_containerd()
        (self.folder / "docker.pid").unlink(missing_ok=True)
        self._start()

    def _start(self) -> None:
        holder = [] if hasattr(self, "_network") else ["unshare", "--net", "sleep", "infinity"]
        if holder:
            self._network = subprocess.Popen(holder)
        enter = ["nsenter", f"--net=/proc/{self._network.pid}/ns/net"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*enter, "dockerd", "--config-file", str(self.folder / "daemon.json")],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        for _left in attempts(60):
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            if not exit_code("--host", self.address, "version"):
                return
        raise AssertionError("dockerd does not answer")

    def _end_containerd(self) -> None:
        """End the containerd of a killed daemon, which the next daemon starts again."""
        path = self.folder / "run/containerd/containerd.pid"
        if path.exists():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(path.read_text()), signal.SIGTERM)
            path.unlink(missing_ok=True)


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


@contextlib.contextmanager
def built_image(name: str, *steps: str) -> Iterator[str]:
    """Build an image from that of Envoy; it exists until the end of the block. Yield its name."""
    tag = f"meshlab/{name}:{os.getpid()}"
    docker("build", "--tag", tag, "-", stdin="\n".join([f"FROM envoyproxy/envoy:v{ENVOY_VERSION}", *steps]))
    try:
        yield tag
    finally:
        docker("image", "rm", "--force", tag)


@pytest.fixture
def distroless() -> Iterator[str]:
    """Return an image of Envoy without a shell."""
    shells = " ".join(f"{folder}/{one}" for folder in ("/bin", "/usr/bin") for one in ("sh", "bash", "dash"))
    with built_image("envoy-distroless", f"RUN rm -f {shells}") as name:
        yield name


@pytest.fixture
def of_another_hot_restart_version() -> Iterator[str]:
    """Return an image of Envoy that prints another hot-restart version."""
    path = "/usr/local/bin/envoy"
    script = f'[ "$1" = --hot-restart-version ] && echo 11.105 >&2 && exit; exec {path}.real "$@"'
    write = f"printf '%s\\n' '#!/bin/sh' '{script}' > {path}"
    with built_image("envoy-other", f"RUN mv {path} {path}.real && {write} && chmod 755 {path}") as name:
        yield name


@pytest.mark.slow
def test_envoy_that_cannot_hand_over_is_announced_first(
    demo: ComposeProject, port: int, of_another_hot_restart_version: str
) -> None:
    demo.files = [bootstrap("first")]
    assert not demo.run(envoy(port))["failed"]
    after = envoy(port, 1, image=of_another_hot_restart_version)
    demo.files = [bootstrap("second")]
    predicted = demo.run(after, check=True)
    assert predicted["replaced"] == {"edge": "stop"}
    text = "edge: the running Envoy cannot hand over to "
    assert text in str(predicted["warnings"])
    assert "their hot-restart versions are 11.104 and 11.105. It is stopped first" in str(
        predicted["warnings"]
    )
    result = demo.run(after)
    assert (result["failed"], result["replaced"]) == (False, {"edge": "stop"}), result.get("msg")
    assert text in str(result["warnings"])
    assert answer(port) == "second"
    assert sorted(demo.ids()) == ["edge-g1", "edge-network"]
    again = demo.run(after)
    assert (again["changed"], again.get("warnings", [])) == (False, [])


@pytest.mark.slow
def test_envoy_of_an_image_without_a_shell_is_stopped_first(home: Home, distroless: str) -> None:
    deployment = Deployment(home, "service_envoy")
    deployment.data["envoy"] = {"image": distroless, "version": ENVOY_VERSION}
    try:
        plan = deployment.plan()
        result = deployment.run(plan)
        assert not result["failed"], result["msg"]
        assert failure_messages(deployment.verify(plan, timeout=30)) == []
        [name] = [one["name"] for one in plan["workloads"] if one["image"] == distroless]
        for one in deployment.data["services"].values():
            one["sidecar"]["concurrency"] = 2
        plan = deployment.plan()
        assert [one["workload"] for one in plan["interruptions"]] == [name]
        result = deployment.run(plan)
        assert (result["failed"], result["replaced"]) == (False, {name: "stop"}), result.get("msg")
        assert failure_messages(deployment.verify(plan, timeout=30)) == []
        assert deployment.run(deployment.plan())["changed"] is False
    finally:
        take_down(home, "service_envoy")
    assert home.remaining("service_envoy") == []
