# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of images with packages, with a docker command that records its calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages import image_build
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.image_build import (
    build_images,
    missing_builds,
    wheel_platforms,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Packages, Workload

IMAGE = "localhost:5000/meshlab/packages:1"


class Docker:
    """Answers docker commands by their first two words, and records them."""

    def __init__(self, **answers: CommandResult) -> None:
        self.answers = answers
        self.commands: list[str] = []

    def __call__(self, command: Sequence[str], _timeout: float, _stdin: str) -> CommandResult:
        self.commands.append(" ".join(command[1:]))
        default = {"run": '["3.11", "x86_64", "glibc", "2.36"]'}.get(command[1], "")
        if command[1] == "build":
            context = Path(command[-1])
            self.dockerfile = (context / "Dockerfile").read_text(encoding="utf-8")
            self.mode = (context / "packages" / "six.py").stat().st_mode & 0o777
        return self.answers.get(command[1], CommandResult(0, default, ""))


MISSING = CommandResult(1, "", "No such image")


def workloads(is_pushed: bool = True) -> list[Workload]:
    packages = Packages("six==1\n", "python:3", IMAGE, is_pushed)
    return [Workload(f"web-{number}", ("python3",), group="web", packages=packages) for number in (1, 2)]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Return the arguments with which packages would have been installed."""
    found: list[Any] = []

    def install(target: Path, *arguments: Any) -> None:
        found.append(arguments)
        target.mkdir()
        (target / "six.py").touch(mode=0o600)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(image_build, "install_for_image", install)
    return found


def test_missing_image_is_built_once_and_pushed(installed: list[Any], tmp_path: Path) -> None:
    docker = Docker(image=MISSING)
    command = DockerCommand("shop", tmp_path, docker)
    assert missing_builds(command, workloads()) == (IMAGE,)
    docker.commands.clear()
    build_images(command, workloads(), [IMAGE])
    verbs = [one.split()[0] for one in docker.commands]
    assert verbs == ["image", "image", "pull", "run", "build", "push"]
    assert docker.dockerfile == "FROM python:3\nCOPY packages /opt/packages\nENV PYTHONPATH=/opt/packages\n"
    assert docker.mode == 0o644
    assert installed[0][:2] == ("six==1\n", "3.11")
    assert "--network none" in docker.commands[4]
    assert list((tmp_path / "meshlab.envoy").iterdir()) == []


def test_image_without_a_push_is_not_complete(tmp_path: Path) -> None:
    present = DockerCommand("shop", tmp_path, Docker(image=CommandResult(0, "[]", "")))
    assert missing_builds(present, workloads()) == (IMAGE,)
    assert missing_builds(present, workloads(is_pushed=False)) == ()
    other = Docker(image=CommandResult(0, '["localhost:5000/meshlab/packages@sha256:1"]', ""))
    assert missing_builds(DockerCommand("shop", tmp_path, other), workloads()) == ()


def test_failures_name_the_service_and_the_image(
    installed: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Docker(image=MISSING, push=CommandResult(1, "", "denied: no write access"))
    with pytest.raises(
        PlatformRefused,
        match=r"services.web.server.packages: the image localhost.* docker push failed: denied",
    ):
        build_images(DockerCommand("shop", tmp_path, refused), workloads(), [IMAGE])
    assert installed

    def fail(*_arguments: Any) -> None:
        raise PackagesFailed("no matching distribution.")

    monkeypatch.setattr(image_build, "install_for_image", fail)
    docker = Docker(image=MISSING)
    with pytest.raises(PlatformRefused, match=r"cannot be built from python:3: no matching distribution\Z"):
        build_images(DockerCommand("shop", tmp_path, docker), workloads(), [IMAGE])
    assert list((tmp_path / "meshlab.envoy").iterdir()) == []


def test_wheels_fit_the_c_library_of_the_image() -> None:
    found = wheel_platforms("aarch64", "glibc", "2.28")
    assert found[0] == "manylinux_2_28_aarch64"
    assert "manylinux2014_aarch64" in found
    assert "manylinux_2_29_aarch64" not in found
    assert wheel_platforms("x86_64", "", "")[-1] == "musllinux_1_1_x86_64"
