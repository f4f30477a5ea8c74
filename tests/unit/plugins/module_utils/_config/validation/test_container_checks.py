# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test commands in a container, with a fake `docker` and the real shell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from fake_docker_run import FakeDockerRun

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.container_checks import (
    docker_error,
    run_in_container,
)

IMAGE = "envoyproxy/envoy:v1.40.0"


COMMANDS = [["sh", "-c", f"echo 'it is {n}'; exit {n}"] for n in range(9)]


@pytest.mark.parametrize(("shell", "containers"), [(True, 1), (False, 10)])
def test_commands_share_a_container_with_a_shell(shell: bool, containers: int, tmp_path: Path) -> None:
    docker = FakeDockerRun(shell)
    # The fake image has no sh; bash stands for a program that it has.
    commands = COMMANDS if shell else [["bash", *command[1:]] for command in COMMANDS]
    results = run_in_container(IMAGE, commands, tmp_path, [], True, docker)
    assert [(result.exit_code, result.stdout.strip()) for result in results] == [
        (n, f"it is {n}") for n in range(9)
    ]
    assert len(docker.commands) == containers


def test_container_can_only_read_the_folder(tmp_path: Path) -> None:
    docker = FakeDockerRun()
    run_in_container(IMAGE, [["true"]], tmp_path, ["edge/run"], False, docker)
    line = " ".join(docker.commands[0])
    for option in (
        "--rm",
        "--network none",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--read-only",
        "--user 101:101",
        f"--volume {tmp_path}:/etc/envoy:ro,z",
        "--workdir /etc/envoy",
        "--tmpfs /etc/envoy/edge/run:mode=1777",
        "--pull never",
    ):
        assert option in line


LOCALLY = "Unable to find image 'envoyproxy/envoy:v1.40.0' locally\n"


@pytest.mark.parametrize(
    ("stderr", "remedy", "kind"),
    [
        (
            "docker: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "group 'docker'",
            ConfigRefused,
        ),
        ("docker: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "Start it", RequirementMissing),
        (LOCALLY + "docker: Error response from daemon: manifest for x not found: manifest unknown", "tag", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: pull access denied for x, repository does not exist", "login", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: toomanyrequests: You have reached your pull rate limit", "mirror", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: Get \"https://r/v2/\": dial tcp: no such host", "network", ConfigRefused),
        (LOCALLY + "docker: no matching manifest for linux/arm64/v8 in the manifest list", "architecture", ConfigRefused),
        ("docker: Error response from daemon: No such image: x.", "does not have the image yet", RequirementMissing),
        ("docker: invalid reference format.\nSee 'docker run --help'.", "not the name of an image", ConfigRefused),
        ("standard_init_linux.go:228: exec user process caused: exec format error", "another architecture", ConfigRefused),
        ("docker: Error response from daemon: a new one.\nSee 'docker run --help'.", "a new one", ConfigRefused),
    ],
)  # fmt: skip
def test_docker_error_names_the_remedy(
    stderr: str, remedy: str, kind: type[ConfigRefused], tmp_path: Path
) -> None:
    with pytest.raises(kind, match=remedy) as caught:
        run_in_container(IMAGE, COMMANDS, tmp_path, [], True, FakeDockerRun(stderr=stderr))
    assert caught.value.__class__ is kind
    assert caught.value.message.count("\n") == 0
    assert docker_error(IMAGE, stderr).__class__ is kind


def test_missing_docker_is_refused(tmp_path: Path) -> None:
    def no_docker(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        raise FileNotFoundError(2, "No such file", "docker")

    with pytest.raises(
        RequirementMissing, match=r"^docker: this host does not have the command. Install Docker"
    ):
        run_in_container(IMAGE, COMMANDS, tmp_path, [], True, no_docker)


def test_container_is_removed_after_a_timeout(tmp_path: Path) -> None:
    commands = []

    def slow(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        commands.append(list(command))
        return CommandResult(124, "", "did not end within 300 s", timed_out=True)

    (result,) = run_in_container(IMAGE, [["envoy"]], tmp_path, [], True, slow)
    assert result.timed_out
    name = commands[0][commands[0].index("--name") + 1]
    assert commands[1] == ["docker", "rm", "--force", name]
