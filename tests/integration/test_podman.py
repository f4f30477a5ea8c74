# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demos on platform docker with Podman's Docker-compatible socket, as root and without root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from live import Home
from podman_service import podman_service, unprivileged_user

DEMO = "front_proxy"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(
        os.geteuid() != 0 or "MESHLAB_LAB_REGISTRY" not in os.environ,
        reason="needs root and the lab's registry",
    ),
]


@pytest.fixture
def home() -> Iterator[Home]:
    one = Home("docker")
    yield one
    one.close()


def deploy_verify_and_remove(home: Home, docker_host: str) -> None:
    home.environment["DOCKER_HOST"] = docker_host
    demo = home.demo(DEMO)
    assert "of 16 expectations hold" in home.play("site", demo=demo).words
    try:
        again = home.play("site", demo=demo)
        assert (again.recap["changed"], again.recap["failed"]) == (0, 0)
    finally:
        home.play("teardown", demo=demo)
    listed = subprocess.run(
        ["docker", "ps", "--all", "--quiet"],
        env={**os.environ, "DOCKER_HOST": docker_host},
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""


def test_demo_runs_with_podman_as_root(home: Home) -> None:
    with podman_service() as docker_host:
        deploy_verify_and_remove(home, docker_host)


@pytest.mark.slow
def test_demo_joins_an_existing_network_of_podman(home: Home) -> None:
    with podman_service() as docker_host:
        environment = {**os.environ, "DOCKER_HOST": docker_host}
        subprocess.run(
            ["docker", "network", "create", "meshlab-shared"],
            env=environment,
            check=True,
            capture_output=True,
        )
        home.variables |= {"deployment_network": "meshlab-shared"}
        deploy_verify_and_remove(home, docker_host)


@pytest.mark.slow
def test_demo_runs_with_podman_without_root(home: Home, tmp_path: Path) -> None:
    with unprivileged_user() as user, podman_service(user) as docker_host:
        inventory = tmp_path / "hosts.yml"
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_become": True,
            "ansible_become_user": user,
            "ansible_become_method": "su",
            "deployment_platform": "docker",
        }
        inventory.write_text(yaml.safe_dump({"envoy_hosts": {"hosts": {"localhost": host}}}))
        home.inventory = str(inventory)
        home.variables |= {"deployment_folder": f"/home/{user}/demo"}
        deploy_verify_and_remove(home, docker_host)
