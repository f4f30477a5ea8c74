# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Demos on hosts behind a real SSH server: as a user without root, and with Docker."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import TASKS_OF_UNCHANGED_RUN, containers, processes_of
from ssh_host import remote_home, ssh_server

DEMO = "front_proxy"
PASSED = "16 of 16 expectations hold"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can create the unprivileged user")


@pytest.fixture(scope="module")
def sshd() -> Iterator[dict[str, str]]:
    with ssh_server() as variables:
        yield variables


def test_unprivileged_user_runs_platform_local(sshd: dict[str, str]) -> None:
    user = pwd.getpwnam(sshd["MESHLAB_SSHD_UNPRIVILEGED_USER"])
    home = remote_home("local", "unprivileged", sshd)
    demo = home.demo(DEMO)
    state = Path(user.pw_dir, ".local", "state", "meshlab.envoy", home.name(DEMO))
    user_home = Path(user.pw_dir)
    before = sorted(user_home.glob(".[cl]*/**/meshlab.envoy/*"))
    try:
        home.play("site", "--check", "--diff", demo=demo)
        assert sorted(user_home.glob(".[cl]*/**/meshlab.envoy/*")) == before

        assert PASSED in home.play("site", demo=demo).words
        assert (state.stat().st_uid, state.stat().st_mode & 0o777) == (user.pw_uid, 0o700)
        owners = {Path("/proc", line.split()[1].rstrip(":")).stat().st_uid for line in processes_of(state)}
        assert owners == {user.pw_uid}
        changed = [path for path in (home.folder / ".local").rglob("*") if not path.is_dir()]
        assert {path.parent for path in changed} == {home.reports / home.name(DEMO)}, (
            "the controller was changed"
        )

        again = home.play("site", demo=demo)
        assert again.recap["changed"] == 0, again.output
        assert len(again.tasks) == TASKS_OF_UNCHANGED_RUN, again.tasks
    finally:
        home.play("teardown", demo=demo)
        home.close()
    assert not state.exists()
    assert processes_of(state) == []


@pytest.mark.docker
def test_remote_docker_host_runs_platform_docker(sshd: dict[str, str]) -> None:
    home = remote_home("docker", "lab", sshd)
    demo = home.demo(DEMO)
    state = home.folder / "remote"
    home.variables["deployment_folder"] = str(state)
    try:
        assert PASSED in home.play("site", demo=demo).words
        assert state.is_dir()
        again = home.play("site", demo=demo)
        assert again.recap["changed"] == 0, again.output
        assert len(again.tasks) == TASKS_OF_UNCHANGED_RUN, again.tasks
    finally:
        home.play("teardown", demo=demo)
        home.close()
    assert containers(home.name(DEMO)) == []
    assert not state.exists()


@pytest.mark.docker
def test_user_without_docker_group_is_refused(sshd: dict[str, str]) -> None:
    home = remote_home("docker", "unprivileged", sshd)
    user = pwd.getpwnam(sshd["MESHLAB_SSHD_UNPRIVILEGED_USER"])
    try:
        error = home.play("site", ok=False, demo=home.demo(DEMO)).error
        sentence = "This user may not use the Docker daemon. Add the user to the group 'docker' and log in again, or use become"
        assert sentence in error
        assert error.endswith("Nothing was changed.")
        assert not Path(user.pw_dir, ".local", "state", "meshlab.envoy", home.name(DEMO)).exists()
    finally:
        home.close()
