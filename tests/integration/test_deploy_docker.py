# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""demo_deploy on platform docker, with a real Docker daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from compose_project import IMAGE, ComposeProject, answer, docker, server, usable

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.documents import compose
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import NeededPort
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.port_reservation import (
    PortReservations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Probe,
    Workload,
)

pytestmark = pytest.mark.skipif(not usable(), reason="this host has no Docker")


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ComposeProject]:
    one = ComposeProject(f"deploy-test-{abs(hash(request.node.name)) % 100000}", tmp_path / "state")
    yield one
    one.teardown()
    assert one.ids() == {}
    assert not docker("network", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={one.name}")
    assert not one.folder.exists()


@pytest.fixture
def ports() -> list[int]:
    """Return two ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _number in range(2)]
    numbers = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return numbers


def test_second_run_changes_nothing(demo: ComposeProject, ports: list[int]) -> None:
    # The app listens on the loopback only, which its port reaches through the shared network.
    workloads = [
        server("proxy", 8080, ports[0]),
        server("app", 8081, ports[1], address="127.0.0.1", network="proxy"),
        Workload(name="plain", image=IMAGE, command=("sleep", "infinity"), init=True, stop_seconds=1),
    ]
    predicted = demo.run(*workloads, check=True)
    assert (predicted["changed"], predicted["started"]) == (True, ["app", "plain", "proxy"])
    assert not demo.folder.exists()
    first = demo.run(*workloads)
    assert (first["failed"], first["changed"], first["started"]) == (False, True, ["app", "plain", "proxy"])
    assert answer(ports[0]) == "proxy"
    before = demo.ids()
    again = demo.run(*workloads)
    assert (again["changed"], again["started"], again["restarted"], again["files"]) == (False, [], [], [])
    assert demo.ids() == before
    checked = demo.run(*workloads, check=True)
    assert (checked["changed"], checked["files"]) == (False, [])


def test_api_of_the_daemon_returns_what_the_command_prints(demo: ComposeProject, ports: list[int]) -> None:
    # An app on the loopback is probed in its network, without a process in its container.
    probe = Probe("http", 8081, "/", ("false",), private=True)
    demo.run(
        server("proxy", 8080, ports[0]),
        server("app", 8081, network="proxy", address="127.0.0.1", probe=probe),
    )
    by_api = DockerCommand.of_host(demo.name, demo.folder)
    by_command = DockerCommand(demo.name, demo.folder)
    names = [*map(demo.container, ("proxy-network", "proxy", "app", "missing"))]
    assert (by_api.engine is not None) == bool(re.match("unix:|$", os.environ.get("DOCKER_HOST", "")))
    assert by_api.inspect(names) == by_command.inspect(names)
    own = [
        [one for one in docker.containers() if one.project == demo.name] for docker in (by_api, by_command)
    ]
    assert own[0] == own[1]
    assert len(own[0]) == 3
    assert by_api.missing_images([IMAGE, "no/such:image"]) == ["no/such:image"]
    assert by_api.compose_version() == by_command.compose_version()


def test_changed_container_restarts_alone(demo: ComposeProject) -> None:
    def workloads(owner: str, lone: str) -> list[Workload]:
        return [
            server("owner", digest=owner),
            server("sharer", 8081, network="owner"),
            server("lone", digest=lone),
        ]

    demo.run(*workloads("1", "1"))
    before = demo.ids()
    predicted = demo.run(*workloads("1", "2"), check=True)
    assert predicted["restarted"] == ["lone"]
    result = demo.run(*workloads("1", "2"))
    assert (result["started"], result["restarted"], result["removed"]) == ([], ["lone"], [])
    after = demo.ids()
    assert {name for name in after if after[name] != before[name]} == {"lone"}
    # The network belongs to the holder, so the owner restarts alone.
    result = demo.run(*workloads("2", "2"))
    assert result["restarted"] == ["owner"]
    assert {name for name, one in demo.ids().items() if one != after[name]} == {"owner"}


def test_unlisted_container_releases_its_port(demo: ComposeProject, ports: list[int]) -> None:
    demo.run(server("kept"), server("old", 8080, ports[0]), server("older"))
    kept = demo.ids()["kept"]
    predicted = demo.run(server("kept"), server("new", 8080, ports[0]), check=True)
    assert (predicted["started"], predicted["removed"]) == (["new"], ["old", "older"])
    result = demo.run(server("kept"), server("new", 8080, ports[0]))
    assert (result["started"], result["removed"]) == (["new"], ["old", "older"])
    assert sorted(demo.ids()) == ["kept", "kept-network", "new", "new-network"]
    assert demo.ids()["kept"] == kept
    assert answer(ports[0]) == "new"


def test_run_repairs_every_partial_state(demo: ComposeProject) -> None:
    workloads = [server("owner"), server("sharer", 8081, network="owner"), server("lone")]
    demo.run(*workloads)
    holder, sharer, lone = (demo.container(name) for name in ("owner-network", "sharer", "lone"))
    docker("pause", lone)
    assert demo.run(*workloads)["started"] == ["lone"]
    docker("stop", "--time", "1", lone)
    assert demo.run(*workloads)["started"] == ["lone"]
    docker("rm", "--force", sharer)
    assert demo.run(*workloads)["started"] == ["sharer"]
    # The restart of the holder removed the network that both use.
    docker("restart", "--time", "1", holder)
    assert demo.run(*workloads)["restarted"] == ["owner", "sharer"]
    assert (
        docker("exec", sharer, "python3", "-c", "import socket; socket.create_connection(('lone', 8080), 5)")
        == ""
    )
    # As after an interrupted run: created and not started.
    docker("rm", "--force", lone)
    docker("compose", "--project-name", demo.name, "--file", str(demo.folder / "compose.yaml"), "create")
    assert demo.run(*workloads)["started"] == ["lone"]
    assert demo.run(*workloads)["changed"] is False


def test_ended_container_fails_at_once_with_its_log(demo: ComposeProject) -> None:
    script = 'echo "no such key: x" >&2; exit 3'
    failing = Workload(name="app", image=IMAGE, command=("sh", "-c", script), probe=Probe("tcp", 80))
    result = demo.run(failing, server("other"), timeout=3600)
    assert result["failed"]
    assert result["msg"].startswith("app ended with exit code 3")
    assert f"Last lines of its log (docker logs {demo.container('app')}):\n  no such key: x" in result["msg"]
    corrected = demo.run(server("app"), server("other"))
    assert (corrected["failed"], corrected["restarted"] + corrected["started"]) == (False, ["app"])


# Timeouts to try in turn for a workload that never is ready: a slow machine may not have run the probe before the first ends.
TIMEOUTS = (1, 20, 120)


def test_timeout_names_the_port_without_listener(demo: ComposeProject) -> None:
    mute = Workload(
        name="mute",
        image=IMAGE,
        command=("sleep", "600"),
        init=True,
        probe=Probe("http", 80, "/ready", ("false",)),
    )
    seen = "nothing listens on its port 80. Its log is empty"
    for timeout in TIMEOUTS:
        result = demo.run(mute, timeout=timeout)
        assert result["msg"].startswith(f"mute is not ready after {timeout} s without progress: ")
        if seen in result["msg"]:
            break
    assert result["msg"].startswith(f"mute is not ready after {timeout} s without progress: {seen}")


def test_timeout_shows_the_output_of_the_probe(demo: ComposeProject) -> None:
    probe = Probe("http", 8080, "/", ("sh", "-c", "echo not yet; exit 1"))
    for timeout in TIMEOUTS:
        result = demo.run(server("a", address="127.0.0.1", probe=probe), timeout=timeout)
        assert f"a is not ready after {timeout} s without progress: " in result["msg"]
        if "its probe prints" in result["msg"]:
            break
    assert f"a is not ready after {timeout} s without progress: its probe prints: not yet" in result["msg"]


def test_port_of_a_deployment_that_is_starting_is_refused(demo: ComposeProject, ports: list[int]) -> None:
    other = PortReservations()
    other.reserve([NeededPort("edge", ports[0])])
    try:
        result = demo.run(server("web", published=ports[0]))
    finally:
        other.release()
    assert f"port {ports[0]} of web: another deployment on this host is starting" in result["msg"]
    assert demo.ids() == {}
    assert not demo.run(server("web", published=ports[0]))["failed"]


def test_one_of_two_deployments_at_the_same_moment_is_refused(
    demo: ComposeProject, ports: list[int], tmp_path: Path
) -> None:
    other = ComposeProject(f"{demo.name}-other", tmp_path / "other")
    web = server("web", published=ports[0])
    try:
        with ThreadPoolExecutor(2) as pool:
            results = [*pool.map(lambda one: one.perform(web), (demo, other))]
        [refused] = [result["msg"] for result in results if result["failed"]]
        assert refused.startswith(f"port {ports[0]} of web")
        assert refused.endswith("Nothing was changed.")
        assert answer(ports[0]) == "web"
        for one, result in zip((demo, other), results, strict=True):
            assert (bool(one.ids()), one.folder.exists()) == (not result["failed"],) * 2
    finally:
        other.teardown()


def test_used_ports_are_refused_with_their_users(demo: ComposeProject, ports: list[int]) -> None:
    other = docker("run", "--detach", "--publish", f"127.0.0.1:{ports[0]}:80", "--init", IMAGE, "sleep", "60")
    try:
        name = docker("inspect", "--format", "{{.Name}}", other).removeprefix("/")
        with socket.create_server(("127.0.0.1", ports[1])):
            result = demo.run(server("a", 8080, ports[0]), server("b", 8080, ports[1]))
    finally:
        docker("rm", "--force", other)
    assert (
        f"port {ports[0]} of a is used by container {name}; port {ports[1]} of b is used by process"
        in result["msg"]
    )
    assert result["msg"].endswith(". Stop it, or choose another port. Nothing was changed.")
    assert (result["changed"], demo.folder.exists()) == (False, False)


def test_missing_image_is_refused_before_any_start(demo: ComposeProject) -> None:
    missing = "localhost:1/no/such:1"
    result = demo.run(server("a"), server("b", image=missing))
    assert result["failed"]
    assert missing in result["msg"]
    assert "Docker prints: " in result["msg"]
    assert demo.ids() == {}
    assert not demo.folder.exists()
    predicted = demo.run(server("a"), server("b", image=missing), check=True)
    assert (predicted["failed"], predicted["started"]) == (False, ["a", "b"])
    assert f"would be installed: {missing}" in json.dumps(predicted["warnings"])


def test_teardown_works_without_the_folder(demo: ComposeProject) -> None:
    demo.run(server("a"))
    assert demo.teardown(check=True)["removed"] == ["a"]
    assert "a" in demo.ids()
    shutil.rmtree(demo.folder)
    result = demo.teardown()
    assert (result["changed"], result["removed"], demo.ids()) == (True, ["a"], {})
    assert demo.teardown()["changed"] is False


def test_container_has_no_privileges(demo: ComposeProject) -> None:
    demo.run(server("a"))
    container = demo.container("a")
    status = docker("exec", container, "cat", "/proc/1/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t65534" in status
    mounts = docker("exec", container, "cat", "/proc/mounts").splitlines()
    flags = {line.split()[1]: line.split()[3].split(",") for line in mounts}
    assert ("ro" in flags["/"], "ro" in flags["/app"]) == (True, True)
    for path in ("/x", "/app/x"):
        assert docker(
            "exec", container, "sh", "-c", f"touch {path} 2>&1 || echo refused", check=False
        ).endswith("refused")
    assert docker("exec", container, "sh", "-c", "touch /tmp/x && echo done") == "done"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("unix:///nonexistent/docker.sock", "The Docker daemon does not answer"),
        ("tcp://127.0.0.1:1", "The Docker daemon does not answer"),
    ],
)
def test_missing_daemon_is_refused_or_in_check_mode_warned(
    demo: ComposeProject, monkeypatch: pytest.MonkeyPatch, host: str, words: str
) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("DOCKER_HOST", host)
        result = demo.run(server("a"))
        predicted = demo.run(server("a"), check=True)
    assert words in result["msg"]
    assert result["msg"].endswith("Nothing was changed.")
    assert (predicted["failed"], predicted["started"]) == (False, ["a"])
    assert words in json.dumps(predicted["warnings"])


def test_missing_docker_is_refused_and_teardown_passes(
    demo: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("PATH", "/nonexistent")
        assert "This host has no docker command" in demo.run(server("a"))["msg"]
        assert demo.teardown()["changed"] is False


# The document, as compose reads it


def test_compose_reads_the_document_as_planned(demo: ComposeProject) -> None:
    hard = 'both " and \' $HOME ${X:-y} $$ %s ; # \\ {"json": [1]}'
    workload = replace(
        server("app", 8080, 18080),
        command=("python3", hard),
        environment={"HARD": hard},
        hostname="app-host",
        cpus=0.5,
        aliases=("alias",),
        probe=Probe("http", 8080, "/", ("sh", "-c", hard)),
        digest="abc",
    )
    sharer = server("sharer", 9000, 19000, network="app", aliases=("shared",))
    document = json.dumps(compose("lab", [workload, sharer], "127.0.0.1"))
    where = ["--project-directory", str(demo.folder), "--file", "-"]
    services = json.loads(docker("compose", *where, "config", "--format", "json", stdin=document))["services"]
    app = services["app"]
    unescaped = hard.replace("$", "$$")  # compose config escapes it as a file does
    assert app["command"] == [unescaped]
    assert app["environment"] == {"HARD": unescaped, "MESHLAB_ENVOY_DIGEST": "abc"}
    assert app["healthcheck"]["test"] == ["CMD", "sh", "-c", unescaped]
    assert (app["entrypoint"], float(app["cpus"])) == (["python3"], 0.5)
    assert int(app["mem_limit"]) == 64 << 20
    assert app["pids_limit"] == 1024
    assert app["volumes"][0]["source"] == str(demo.folder / "app")
    holder = services["app-host-network"]
    assert holder["hostname"] == "app-host"
    assert holder["networks"]["default"]["aliases"] == ["alias", "app-host", "shared"]
    assert {(one["host_ip"], one["published"], one["target"]) for one in holder["ports"]} == {
        ("127.0.0.1", "18080", 8080),
        ("127.0.0.1", "19000", 9000),
    }
    for name in ("app", "sharer"):
        assert services[name]["network_mode"] == "service:app-host-network"
        assert services[name]["depends_on"]["app-host-network"]["restart"] is True
