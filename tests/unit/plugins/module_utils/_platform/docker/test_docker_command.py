# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The docker command: errors of the command and of its daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_docker import FakeDocker

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
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


def test_pull_error_names_the_image() -> None:
    docker = FakeDocker(pull=CommandResult(1, "", "Error response from daemon: manifest unknown"))
    (error,) = docker_command(docker).pull(["i:1"])
    assert str(error).startswith("i:1: ")
    assert "Docker prints: Error response from daemon: manifest unknown" in str(error)


def test_pull_shows_the_bytes_of_all_images() -> None:
    texts: list[str] = []
    docker = docker_command(FakeDocker())

    def pull(command: list[str], timeout: float, receive: Callable[[str], None]) -> CommandResult:
        layer = "a" * 12 if command[-1] == "i:1" else "b" * 12
        receive(f"1: Pulling\r\n\x1b[1A\x1b[2K\r{layer}: Downloading [==>   ]  500kB/2")
        receive(f"MB\r\x1b[1B{layer}: Download complete \r")
        return CommandResult(0, "", "")

    docker.terminal_runner = pull
    assert docker.pull(["i:1"], texts.append) == []
    assert texts[0] == "pulling 1 image: i:1"
    assert texts[-1] == "pulling 1 image (2.0 MB of 2.0 MB): i:1"
    docker.pull(["i:1", "j:2"], texts.append)
    assert texts[-1].startswith(("pulling 2 images (4.0 MB", "pulling 1 image (4.0 MB"))


def test_pull_without_a_terminal_prints_no_bytes() -> None:
    fake = FakeDocker()
    docker = docker_command(fake)

    def pull(*arguments: object) -> CommandResult:
        raise OSError("out of pty devices")

    docker.terminal_runner = pull
    assert docker.pull(["i:1"], lambda text: None) == []
    assert fake.commands == ["pull --quiet i:1"]


def test_failed_pull_on_a_terminal_names_the_image() -> None:
    docker = docker_command(FakeDocker())
    docker.terminal_runner = lambda *arguments: CommandResult(1, "", "Error: manifest unknown")
    [error] = docker.pull(["i:1"], lambda text: None)
    assert str(error).startswith("i:1: ")
