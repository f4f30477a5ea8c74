# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The docker command: errors of the command and of its daemon."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from fake_docker import FakeDocker, inspect_entry

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.docker_engine import (
    DockerEngine,
    EngineUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
    DockerTimeout,
    run_docker,
)


def docker_command(runner: object) -> DockerCommand:
    return DockerCommand("demo", Path("/nonexistent"), runner)  # type: ignore[arg-type]


def test_compose_variables_of_the_user_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "other")
    assert "COMPOSE" not in run_docker(["env"], 10).stdout


def test_missing_docker_is_unavailable() -> None:
    def missing(*_arguments: object) -> CommandResult:
        raise FileNotFoundError

    with pytest.raises(PlatformUnavailable, match=r"This host has no docker command\. Install Docker"):
        docker_command(missing).containers()


def test_timeout_fails() -> None:
    docker = FakeDocker(ps=CommandResult(124, "", "", timed_out=True))
    with pytest.raises(PlatformFailed, match="`docker ps` did not end within 180 s"):
        docker_command(docker).containers()


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            PlatformUnavailable,
        ),
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            PlatformRefused,
        ),
    ],
)
def test_daemon_error_has_a_remedy(stderr: str, kind: type[Exception]) -> None:
    with pytest.raises(PlatformRefused) as error:
        docker_command(FakeDocker(ps=CommandResult(1, "", stderr))).containers()
    assert error.type is kind
    assert "DOCKER_HOST" in str(error.value) or "become" in str(error.value)


def test_output_that_is_not_json_is_unavailable() -> None:
    docker = docker_command(FakeDocker(container=CommandResult(1, "oops", "no such plugin")))
    with pytest.raises(PlatformUnavailable, match="`docker container inspect` fails: no such plugin"):
        docker.inspect(["demo-a-1"])


def test_no_names_are_not_inspected() -> None:
    docker = FakeDocker()
    assert docker_command(docker).inspect([]) == {}
    assert docker.commands == []


def test_missing_images_are_listed_once() -> None:
    docker = FakeDocker(image=CommandResult(1, "", "No such image"))
    assert docker_command(docker).missing_images(["i:1", "i:1"]) == ["i:1"]
    assert len(docker.commands) == 1


class FakeEngine(DockerEngine):
    """The API of a daemon with one container and one image, or one that fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("/nonexistent")
        object.__setattr__(self, "error", error)

    def _existing(self, paths: Iterable[str], timeout: float) -> list[dict[str, Any]]:
        if error := self.__dict__["error"]:
            raise error
        assert timeout == 180
        return [
            inspect_entry("a")
            for path in paths
            if path in ("/containers/demo-a-1/json", "/images/i%3A1/json")
        ]


def test_api_takes_the_place_of_frequent_commands() -> None:
    docker = FakeDocker()
    command = DockerCommand("demo", Path("/nonexistent"), docker, engine=FakeEngine())
    assert {*command.inspect(["demo-a-1", "demo-b-1"])} == {"a"}
    assert command.missing_images(["i:1", "i:2"]) == ["i:2"]
    assert docker.commands == []


def test_command_runs_if_the_api_cannot_be_used() -> None:
    docker = FakeDocker(container=CommandResult(1, json.dumps([inspect_entry("b")]), ""))
    command = DockerCommand("demo", Path("/nonexistent"), docker, engine=FakeEngine(EngineUnavailable("x")))
    assert {*command.inspect(["demo-b-1"])} == {"b"}
    assert command.missing_images(["i:1"]) == []
    assert docker.commands == ["container inspect demo-b-1", "image inspect --format {{.Id}} i:1"]


def test_api_that_does_not_answer_is_a_timeout() -> None:
    command = DockerCommand("demo", Path("/nonexistent"), FakeDocker(), engine=FakeEngine(TimeoutError()))
    with pytest.raises(DockerTimeout, match="`docker container inspect` did not end within 180 s"):
        command.inspect(["demo-a-1"])


def test_compose_runs_without_the_docker_command() -> None:
    commands: list[list[str]] = []

    def run(command: list[str], *_arguments: object) -> CommandResult:
        commands.append(command)
        return CommandResult(0, "v2.40.1\n", "")

    docker = DockerCommand("demo", Path("/nonexistent"), run, compose_program="/plugins/docker-compose")
    assert docker.compose_version() == "2.40.1"
    docker.run("stop", "a")
    assert commands == [["/plugins/docker-compose", "version", "--short"], ["docker", "stop", "a"]]
