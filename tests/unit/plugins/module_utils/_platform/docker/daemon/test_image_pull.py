# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pull of images, with its progress."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fake_docker import FakeDocker

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.image_pull import pull
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)


def docker_command(runner: FakeDocker) -> DockerCommand:
    return DockerCommand("demo", Path("/nonexistent"), runner)


def test_pull_error_names_the_image() -> None:
    docker = FakeDocker(pull=CommandResult(1, "", "Error response from daemon: manifest unknown"))
    (error,) = pull(docker_command(docker), ["i:1"])
    assert str(error).startswith("i:1: ")
    assert "Docker prints: Error response from daemon: manifest unknown" in str(error)


def test_pull_shows_the_bytes_of_all_images() -> None:
    texts: list[str] = []
    docker = docker_command(FakeDocker())

    def terminal(command: list[str], timeout: float, receive: Callable[[str], None]) -> CommandResult:
        layer = "a" * 12 if command[-1] == "i:1" else "b" * 12
        receive(f"1: Pulling\r\n\x1b[1A\x1b[2K\r{layer}: Downloading [==>   ]  500kB/2")
        receive(f"MB\r\x1b[1B{layer}: Download complete \r")
        return CommandResult(0, "", "")

    docker.terminal_runner = terminal
    assert pull(docker, ["i:1"], texts.append) == []
    assert texts[0] == "pulling 1 image: i:1"
    assert texts[-1] == "pulling 1 image (2.0 MB of 2.0 MB): i:1"
    pull(docker, ["i:1", "j:2"], texts.append)
    assert texts[-1].startswith(("pulling 2 images (4.0 MB", "pulling 1 image (4.0 MB"))


def test_pull_without_a_terminal_prints_no_bytes() -> None:
    fake = FakeDocker()
    docker = docker_command(fake)

    def terminal(*arguments: object) -> CommandResult:
        raise OSError("out of pty devices")

    docker.terminal_runner = terminal
    assert pull(docker, ["i:1"], lambda text: None) == []
    assert fake.commands == ["pull --quiet i:1"]


def test_failed_pull_on_a_terminal_names_the_image() -> None:
    docker = docker_command(FakeDocker())
    docker.terminal_runner = lambda *arguments: CommandResult(1, "", "Error: manifest unknown")
    [error] = pull(docker, ["i:1"], lambda text: None)
    assert str(error).startswith("i:1: ")
