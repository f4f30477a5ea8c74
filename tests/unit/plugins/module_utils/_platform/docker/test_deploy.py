# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker and compose say, and what is made of it, without a Docker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import DockerDeployer
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    run_docker,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    parse_inspected,
    parse_listed,
    parse_ports,
    parse_steps,
    parse_version,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Port, Workload

UP = """\
time="2026-01-01T00:00:00Z" level=warning msg="Found orphan containers ([demo-old-1]) for this project."
 Network demo_default  Creating
 Network demo_default  Created
 Container demo-a-1  Running
 Container demo-service1-1-envoy-1  Recreate
 Container 0123456789ab_demo-service1-1-envoy-1  Recreated
 Container demo-service1-1-envoy-1  Starting
 Container demo-service1-1-envoy-1  Started
 Container demo-new-1  Created
 Container demo-new-1  Started
 Container other-x-1  Started
"""


class FakeDocker:
    """A docker command with prepared results; `commands` are the command lines that it ran."""

    def __init__(self, **answers: CommandResult) -> None:
        self.answers = {
            "ps": CommandResult(0, "", ""),
            "container": CommandResult(1, "[]", "No such container"),
            **answers,
        }
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
        assert command[0] == "docker"
        self.commands.append(" ".join(command[1:]))
        return self.answers.get(command[1], CommandResult(0, "2.40.0\n", ""))


def _compose(docker: FakeDocker, *workloads: Workload) -> DockerDeployer:
    workloads = workloads or (Workload(name="a", image="i:1", command=("x",)),)
    deployer = DockerDeployer(DeploymentSpec("demo", Path("/nonexistent"), workloads))
    deployer.docker.runner = docker
    return deployer


def _line(
    project: str, service: str, state: str = "running", ports: str = "", folder: str = "/nonexistent"
) -> str:
    return (
        "\t".join(
            [f"id-of-{service}", project, service, state, "i:1", ports, f"{project}-{service}-1", folder]
        )
        + "\n"
    )


def _inspected(service: str, **state: Any) -> dict[str, Any]:
    return {
        "Id": f"id-of-{service}",
        "Config": {
            "Image": "i:1",
            "Labels": {"com.docker.compose.service": service, "com.docker.compose.version": "2.26.1"},
        },
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00.1Z", **state},
        "HostConfig": {"NetworkMode": "demo_default"},
        "NetworkSettings": {
            "Networks": {"demo_default": {"IPAddress": "172.18.0.2", "Gateway": "172.18.0.1"}}
        },
        "RestartCount": 0,
    }


def test_published_ports_are_read() -> None:
    text = "127.0.0.1:8080-8081->80-81/tcp, :::53->53/udp, [::1]:9000->9000/tcp, 10000/tcp"
    found = [(one.address, one.port, one.protocol) for one in parse_ports(text)]
    assert found == [
        ("127.0.0.1", 8080, "tcp"),
        ("127.0.0.1", 8081, "tcp"),
        ("::", 53, "udp"),
        ("::1", 9000, "tcp"),
    ]


def test_a_container_without_labels_is_nobodys() -> None:
    container = parse_listed("abc\t\t\trunning\timage\t0.0.0.0:80->80/tcp\tweb\t")
    assert (container.project, container.service, container.name) == ("", "", "web")
    assert container.listeners[0].port == 80


def test_steps_of_compose_are_read_by_service() -> None:
    assert parse_steps(UP, "demo") == {
        "a": ["Running"],
        "service1-1-envoy": ["Recreate", "Recreated", "Starting", "Started"],
        "new": ["Created", "Started"],
    }
    dry = " DRY-RUN MODE -  Container demo-a-1  Recreated \n DRY-RUN MODE -  Network demo_default  Created\n"
    assert parse_steps(dry, "demo") == {"a": ["Recreated"]}


def test_details_are_read() -> None:
    data = _inspected("a", Health={"Status": "healthy"})
    details = parse_inspected(data)
    assert (details.service, details.health) == ("a", "healthy")
    assert details.addresses == (("172.18.0.2", "172.18.0.1"),)


@pytest.mark.parametrize(("text", "expected"), [("v2.26.1-4", (2, 26)), ("5.0.0", (5, 0)), ("dev", ())])
def test_versions_are_compared_by_their_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert parse_version(text) == expected


def test_a_project_of_another_folder_is_left_alone() -> None:
    inspected = CommandResult(0, json.dumps([_inspected("a")]), "")
    docker = FakeDocker(
        ps=CommandResult(0, _line("demo", "a", folder="/somewhere/else"), ""), container=inspected
    )
    deployer = _compose(docker)
    for step in (deployer.preflight, deployer.remove_all):
        with pytest.raises(PlatformRefused, match=r"project demo runs from the folder /somewhere/else"):
            step()
    assert not [one for one in docker.commands if "down" in one or "up" in one]


def test_what_compose_did_is_told_apart() -> None:
    names = ("a", "service1-1-envoy", "new")
    ps = "".join([_line("demo", "a"), _line("demo", "service1-1-envoy"), _line("demo", "old")])
    inspected = CommandResult(0, json.dumps([_inspected(name) for name in names[:2]]), "")
    docker = FakeDocker(ps=CommandResult(0, ps, ""), container=inspected, compose=CommandResult(0, "", UP))
    deployer = _compose(docker, *(Workload(name=name, image="i:1", command=("x",)) for name in names))
    deployer.preflight()
    assert deployer.apply() == AppliedChanges(started=("new",), restarted=("service1-1-envoy",))
    assert deployer.remove_unlisted() == AppliedChanges(removed=("old",))
    assert "stop id-of-old" in docker.commands


def test_an_unchanged_run_asks_docker_three_times() -> None:
    docker = FakeDocker(
        ps=CommandResult(0, _line("demo", "a"), ""),
        container=CommandResult(0, json.dumps([_inspected("a", Health={"Status": "healthy"})]), ""),
        compose=CommandResult(0, "", " Container demo-a-1  Running\n"),
    )
    deployer = _compose(docker)
    deployer.preflight()
    assert deployer.missing_images() == ()
    assert not deployer.apply().changed
    deployer.wait_until_ready(1)
    assert deployer.remove_unlisted() == AppliedChanges()
    assert len(docker.commands) == 3


@pytest.mark.parametrize(
    ("err", "kind", "words"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            PlatformUnavailable,
            "start it",
        ),
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            PlatformRefused,
            "add them to the group 'docker'",
        ),
    ],
)
def test_a_daemon_that_cannot_be_used_is_told(err: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        _compose(FakeDocker(ps=CommandResult(1, "", err))).preflight()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            CommandResult(1, "", "docker: 'compose' is not a docker command.\nSee 'docker --help'"),
            "Install docker compose 2.20 or newer",
        ),
        (CommandResult(0, "2.5.1\n", ""), "docker compose is 2.5.1. Install 2.20 or newer"),
    ],
)
def test_a_compose_that_cannot_be_used_is_told(answer: CommandResult, words: str) -> None:
    with pytest.raises(PlatformUnavailable, match=words):
        _compose(FakeDocker(compose=answer)).preflight()


def test_a_missing_docker_command_is_told() -> None:
    def missing(*_anything: object) -> CommandResult:
        raise FileNotFoundError

    deployer = _compose(FakeDocker())
    deployer.docker.runner = missing
    with pytest.raises(PlatformUnavailable, match="This host has no docker command. Install Docker"):
        deployer.preflight()


def test_ports_of_others_are_taken_and_our_own_are_not() -> None:
    wanted = Workload(name="a", image="i:1", command=("x",), ports=(Port(80, 1),))
    mine = FakeDocker(ps=CommandResult(0, _line("demo", "a", ports="127.0.0.1:1->80/tcp"), ""))
    _compose(mine, wanted).preflight()
    theirs = FakeDocker(ps=CommandResult(0, _line("else", "b", ports="0.0.0.0:1->80/tcp"), ""))
    with pytest.raises(PlatformRefused, match="port 1 of a is used by container else-b-1. Stop it"):
        _compose(theirs, wanted).preflight()


def test_images_are_pulled_or_told() -> None:
    docker = FakeDocker(
        image=CommandResult(1, "", "No such image"),
        pull=CommandResult(1, "", "Error response from daemon: manifest unknown"),
    )
    deployer = _compose(docker)
    deployer.preflight()
    assert deployer.missing_images() == ("i:1",)
    with pytest.raises(PlatformRefused, match=r"i:1 .*Docker prints: .*manifest unknown"):
        deployer.pull_images(("i:1",))


def test_a_failed_up_is_told_in_dockers_words() -> None:
    words = (
        "Error response from daemon: driver failed: Bind for 127.0.0.1:80 failed: port is already allocated"
    )
    docker = FakeDocker(compose=CommandResult(1, "", f" Container demo-a-1  Starting\n{words}"))
    docker.answers["compose"] = CommandResult(0, "2.40.0", "")
    deployer = _compose(docker)
    deployer.preflight()
    docker.answers["compose"] = CommandResult(1, "", f" Container demo-a-1  Starting\n{words}")
    with pytest.raises(PlatformFailed, match=r"A port was taken meanwhile. .*port is already allocated"):
        deployer.apply()


def test_what_a_user_set_for_other_projects_does_not_reach_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    assert "COMPOSE" not in run_docker(["env"], 10).stdout
