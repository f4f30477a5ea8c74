# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of containers, with prepared results of docker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fake_docker import FakeDocker, inspect_entry

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformFailed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import readiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    DockerCommand,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    parse_inspected,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.readiness import (
    DockerReadiness,
    ended_status,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe, Workload

NO_PROBE = Probe()


def wait(docker: FakeDocker, probe: Probe = NO_PROBE, timeout: float = 0) -> None:
    """Wait for a workload `a` until the deadline."""
    workload = Workload(name="a", image="i:1", command=("x",), probe=probe)
    command = DockerCommand("demo", Path("/nonexistent"), docker)
    DockerReadiness(command, {"a": workload}, "127.0.0.1").wait(timeout)


def docker_with(**state: Any) -> FakeDocker:
    entry = inspect_entry("a", **state)
    entry["NetworkSettings"]["Networks"] = {}
    return FakeDocker(
        container=CommandResult(0, json.dumps([entry]), ""), logs=CommandResult(0, "no such key\n", "")
    )


def failure_of(docker: FakeDocker, probe: Probe = NO_PROBE) -> str:
    with pytest.raises(PlatformFailed) as error:
        wait(docker, probe)
    return str(error.value)


def test_healthy_container_is_ready() -> None:
    wait(docker_with(Health={"Status": "healthy"}), Probe("tcp", 80))


def test_container_without_probe_is_ready_after_a_second() -> None:
    wait(docker_with())
    started = datetime.now(timezone.utc) + timedelta(seconds=5)  # noqa: UP017
    failure = failure_of(docker_with(StartedAt=started.isoformat()))
    assert failure.startswith("a is not ready after 0 s without progress: it runs for less than 1 s.")


def test_created_container_is_not_ready() -> None:
    assert failure_of(docker_with(Status="created")).startswith(
        "a is not ready after 0 s without progress: it is created."
    )


def test_failed_probe_command_shows_its_output() -> None:
    docker = docker_with()
    docker.results["exec"] = CommandResult(1, "not yet\n", "")
    failure = failure_of(docker, Probe("http", 80, command=("probe",)))
    assert failure == (
        "a is not ready after 0 s without progress: its probe prints: not yet. Last lines of its log (docker logs demo-a-1):\n  no such key"
    )


def test_probe_command_that_does_not_end_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, `docker exec` of a python takes many seconds."""
    answers = [CommandResult(124, "", "did not end", timed_out=True), CommandResult(0, "", "")]
    allowed: list[float] = []

    class BusyDocker(FakeDocker):
        def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
            if command[1] != "exec":
                return super().__call__(command, timeout, stdin)
            allowed.append(timeout)
            return answers.pop(0)

    monkeypatch.setattr(readiness, "FIRST_EXEC_PAUSE", 0.0)
    docker = BusyDocker(**docker_with().results)
    wait(docker, Probe("http", 80, command=("probe",)), timeout=300)
    assert (answers, allowed) == ([], [60, 60])


def test_status_of_a_busy_daemon_is_read_again() -> None:
    """`docker inspect` of many containers that start takes more than a minute on a busy machine."""
    late = CommandResult(124, "", "did not end", timed_out=True)
    docker = docker_with(Health={"Status": "healthy"})
    answers = [late, docker.results["container"]]

    class BusyDocker(FakeDocker):
        def __call__(self, command: Sequence[str], timeout: float, stdin: str = "") -> CommandResult:
            return answers.pop(0) if command[1] == "container" else super().__call__(command, timeout, stdin)

    wait(BusyDocker(**docker.results), Probe("tcp", 80), timeout=30)
    assert answers == []
    failure = failure_of(FakeDocker(container=late))
    assert failure.startswith(
        "a: the status is unknown after 0 s without progress: `docker container` did not end"
    )


def test_probe_command_that_never_ends_is_named() -> None:
    docker = docker_with()
    docker.results["exec"] = CommandResult(124, "", "did not end", timed_out=True)
    failure = failure_of(docker, Probe("http", 80, command=("probe",)))
    assert failure.startswith("a is not ready after 0 s without progress: its probe did not end within 1 s.")


def test_successful_probe_command_is_ready() -> None:
    wait(docker_with(), Probe("http", 80, command=("probe",)))


def test_ended_container_fails_with_its_log() -> None:
    assert failure_of(docker_with(Status="exited", ExitCode=3)) == (
        "a ended with exit code 3. Last lines of its log (docker logs demo-a-1):\n  no such key"
    )


def test_removed_container_fails() -> None:
    docker = FakeDocker(container=CommandResult(1, "[]", "No such container"))
    assert failure_of(docker) == "a has no container: it was removed meanwhile. Run again"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"Status": "paused"}, "was paused by another `docker pause`. Run again"),
        ({"Status": "exited", "Error": "no such file"}, "cannot be started: no such file"),
        ({"Status": "exited", "ExitCode": 137}, "ended with exit code 137"),
    ],
)
def test_container_that_does_not_run_has_a_reason(state: dict[str, Any], reason: str) -> None:
    status = ended_status(parse_inspected(inspect_entry("a", **state)), 0)
    assert status is not None
    assert (status.state, status.reason) == ("failed", reason)


def test_restart_during_the_wait_is_a_failure() -> None:
    entry = inspect_entry("a", ExitCode=1)
    entry["RestartCount"] = 2
    assert ended_status(parse_inspected(entry), 2) is None
    status = ended_status(parse_inspected(entry), 1)
    assert status is not None
    assert status.reason == "ended with exit code 1 and is restarted repeatedly"


@pytest.mark.parametrize(("answer", "commands"), [("", 0), ("refused", 1), (None, 1)])
def test_private_port_is_probed_in_the_network_of_its_container(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, commands: int
) -> None:
    monkeypatch.setattr(readiness, "_reachable_address", lambda *_arguments: "172.18.0.2")
    monkeypatch.setattr(readiness.host_ports, "listens", lambda *_arguments: True)
    monkeypatch.setattr(readiness.probe_request, "problem", lambda *_arguments: "refused")
    monkeypatch.setattr(readiness, "call_in_network_of", lambda _pid, _call: answer)
    docker = docker_with(Pid=12)
    docker.results["exec"] = CommandResult(0, "", "")
    wait(docker, Probe("http", 80, command=("probe",), private=True))
    assert sum(one.startswith("exec ") for one in docker.commands) == commands


def test_ready_workloads_are_not_inspected_again() -> None:
    docker = FakeDocker(container=CommandResult(0, json.dumps([inspect_entry("a"), inspect_entry("b")]), ""))
    workloads = {name: Workload(name=name, image="i:1", command=("x",)) for name in "ab"}
    DockerReadiness(DockerCommand("demo", Path("/nonexistent"), docker), workloads, "127.0.0.1").statuses(
        ["b"], 1
    )
    assert docker.commands == ["container inspect demo-b-network-1 demo-b-1"]
