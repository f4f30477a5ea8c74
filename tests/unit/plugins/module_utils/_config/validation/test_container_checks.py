# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks in an image, with a `docker` of which only the answers are made up; its shell is the real one."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.checks import run_checks
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.container_checks import (
    complaint,
    run_all,
)

IMAGE = "envoyproxy/envoy:v1.40.0"


class Docker:
    """Runs what is to run in a container on this machine, without one."""

    def __init__(self, shell: bool = True, err: str = "", code: int = 125) -> None:
        self.shell, self.err, self.code = shell, err, code
        self.runs: list[list[str]] = []

    def __call__(
        self, command: Sequence[str], folder: Path | None = None, timeout: float = 60
    ) -> CommandResult:
        self.runs.append(list(command))
        if self.err:
            return CommandResult(self.code, "", self.err)
        rest = list(command[command.index("--entrypoint") + 1 :])
        program, inside = rest[0], rest[2:]
        if program == "sh" and not self.shell:
            return CommandResult(127, "", 'docker: exec: "sh": executable file not found in $PATH: unknown.')
        done = subprocess.run([program, *inside], capture_output=True, text=True, check=False)
        return CommandResult(done.returncode, done.stdout, done.stderr)


COMMANDS = [["sh", "-c", f"echo 'it is {n}'; exit {n}"] for n in range(9)]


@pytest.mark.parametrize(("shell", "containers"), [(True, 1), (False, 10)])
def test_all_commands_run_in_one_container_or_in_one_each_where_the_image_has_no_shell(
    shell: bool, containers: int, tmp_path: Path
) -> None:
    docker = Docker(shell)
    # Without a shell in the image its commands are others; here they still have one.
    commands = COMMANDS if shell else [["bash", *one[1:]] for one in COMMANDS]
    ends = run_all(IMAGE, commands, tmp_path, [], True, docker)
    assert [(end.exit_code, end.stdout.strip()) for end in ends] == [(n, f"it is {n}") for n in range(9)]
    assert len(docker.runs) == containers


def test_the_container_can_do_nothing_but_look(tmp_path: Path) -> None:
    docker = Docker()
    run_all(IMAGE, [["true"]], tmp_path, ["edge/run"], False, docker)
    line = " ".join(docker.runs[0])
    for option in (
        "--rm",
        "--network none",
        "--cap-drop ALL",
        "--security-opt no-new-privileges",
        "--read-only",
        "--user 101:101",
        f"--volume {tmp_path}:/etc/envoy:ro",
        "--workdir /etc/envoy",
        "--tmpfs /etc/envoy/edge/run:mode=1777",
        "--pull never",
    ):
        assert option in line


def test_each_check_gets_its_own_end(tmp_path: Path) -> None:
    checks = [
        Check("good", ("sh", "-c", "true"), IMAGE),
        Check("bad", ("sh", "-c", "echo no; exit 1"), IMAGE, validated_files=("bad/a",)),
    ]
    with pytest.raises(ConfigRefused) as caught:
        run_checks(checks, tmp_path, {"bad/a": "x"}, [], True, Docker())
    assert [(one.check, one.message) for one in caught.value.findings] == [("bad", "no.")]


def test_the_version_is_asked_once_in_the_same_container(tmp_path: Path) -> None:
    program = tmp_path / "envoy"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "version: 0a1b/1.39.0/Clean/RELEASE/BoringSSL"; exit 0\n'
    )
    program.chmod(0o755)
    docker = Docker()
    checks = [Check(name, (str(program), name), IMAGE, version="1.40.0") for name in "abc"]
    with pytest.raises(
        ConfigRefused, match=r"in envoyproxy/envoy:v1\.40\.0 is Envoy 1\.39\.0, and 1\.40\.0 is wanted"
    ):
        run_checks(checks, tmp_path, {}, [], True, docker)
    assert len(docker.runs) == 1
    assert docker.runs[0][-1].count("--version") == 1


LOCALLY = "Unable to find image 'envoyproxy/envoy:v1.40.0' locally\n"


@pytest.mark.parametrize(
    ("err", "words", "kind"),
    [
        (
            "docker: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "group 'docker'",
            ConfigRefused,
        ),
        ("docker: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", "start it", RequirementMissing),
        (LOCALLY + "docker: Error response from daemon: manifest for x not found: manifest unknown", "tag", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: pull access denied for x, repository does not exist", "login", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: toomanyrequests: You have reached your pull rate limit", "mirror", ConfigRefused),
        (LOCALLY + "docker: Error response from daemon: Get \"https://r/v2/\": dial tcp: no such host", "network", ConfigRefused),
        (LOCALLY + "docker: no matching manifest for linux/arm64/v8 in the manifest list", "architecture", ConfigRefused),
        ("docker: Error response from daemon: No such image: x.", "not on this host yet", RequirementMissing),
        ("docker: invalid reference format.\nSee 'docker run --help'.", "not an image's name", ConfigRefused),
        ("standard_init_linux.go:228: exec user process caused: exec format error", "another architecture", ConfigRefused),
        ("docker: Error response from daemon: a new one.\nSee 'docker run --help'.", "a new one", ConfigRefused),
    ],
)  # fmt: skip
def test_what_docker_complains_of_becomes_one_sentence_that_says_what_to_do(
    err: str, words: str, kind: type[ConfigRefused], tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words) as caught:
        run_all(IMAGE, COMMANDS, tmp_path, [], True, Docker(err=err))
    assert caught.value.__class__ is kind
    assert caught.value.message.count("\n") == 0
    assert complaint(IMAGE, err).__class__ is kind


def test_a_host_without_docker_is_told_so(tmp_path: Path) -> None:
    def none(command: Sequence[str], folder: Path | None = None, timeout: float = 60) -> CommandResult:
        raise FileNotFoundError(2, "No such file", "docker")

    with pytest.raises(RequirementMissing, match="install Docker, or use the local platform"):
        run_all(IMAGE, COMMANDS, tmp_path, [], True, none)


def test_a_program_that_is_not_in_the_image_is_told(tmp_path: Path) -> None:
    checks = [Check(name, ("/no/envoy", "--mode", "validate"), IMAGE) for name in "ab"]
    with pytest.raises(ConfigRefused, match="/no/envoy is not in envoyproxy"):
        run_checks(checks, tmp_path, {}, [], True, Docker())
