# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observer of containers, with prepared results of docker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_docker import FakeDocker, inspect_entry, replace_docker

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandResult
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker import readiness
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.observer import DockerObserver
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import (
    MAX_LOG_LINES,
    DeployedDemo,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import failed
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Probe, Workload

TCP = Probe("tcp", 80)


def observer_with(docker: FakeDocker, probe: Probe = TCP) -> DockerObserver:
    workload = Workload(name="a", image="i:1", command=("x",), probe=probe)
    found = DockerObserver(DeployedDemo("demo", Path("/nonexistent"), (workload,)))
    replace_docker(found._docker, docker)
    return found


def inspected(**state: object) -> CommandResult:
    return CommandResult(0, json.dumps([inspect_entry("a", **state)]), "")


def test_healthy_container_takes_one_command() -> None:
    docker = FakeDocker(container=inspected(Health={"Status": "healthy"}))
    assert observer_with(docker).wait_until_settled(60) == {}
    assert len(docker.commands) == 1


@pytest.mark.parametrize("listens", [True, None])
def test_private_port_is_probed_only_if_its_network_is_hidden(
    monkeypatch: pytest.MonkeyPatch, listens: bool | None
) -> None:
    monkeypatch.setattr(readiness, "_reachable_address", lambda _owner, _port: "127.0.0.1")
    monkeypatch.setattr(readiness.host_ports, "listens", lambda _pid, _port: listens)
    docker = FakeDocker(container=inspected(), exec=CommandResult(0, "", ""))
    probe = Probe("http", 1, "/", command=("probe",), private=True)
    assert observer_with(docker, probe).wait_until_settled(60) == {}
    assert [command.split()[0] for command in docker.commands] == ["container"] + (
        [] if listens else ["exec"]
    )


def test_ended_container_is_not_waited_for() -> None:
    docker = FakeDocker(container=inspected(Status="exited", ExitCode=3))
    assert observer_with(docker).wait_until_settled(60) == {"a": failed("ended with exit code 3")}


def test_without_a_daemon_nothing_is_observed() -> None:
    refused = CommandResult(1, "", "Cannot connect to the Docker daemon at unix:///x")
    observed = observer_with(FakeDocker(container=refused, logs=refused))
    assert observed.wait_until_settled(60) == {}
    assert observed.recent_log_lines(("a",), 5.0, 1.0) == {"a": []}


def test_recent_lines_of_both_streams_are_read() -> None:
    docker = FakeDocker(logs=CommandResult(0, "one\ntwo\n", "[warning] three\n"))
    assert observer_with(docker).recent_log_lines(("a",), 5.25, 1.0) == {
        "a": ["one", "two", "[warning] three"]
    }
    [command] = docker.commands
    assert command == f"logs --tail {MAX_LOG_LINES} --since 5.250 demo-a-1"
