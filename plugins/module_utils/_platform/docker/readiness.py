# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Readiness of containers, and the reason why a container ended."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports, probe_request
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    LAST_LINES,
    PlatformUnavailable,
    with_last_lines,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.network_namespace import (
    call_in_network_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    PROCESSES_AT_ONCE,
    DockerCommand,
    DockerTimeout,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import (
    InspectedContainer,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.draining import HotRestart
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.holder import (
    holder_names,
    service_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.readiness_loop import (
    READY,
    Status,
    StatusUnknown,
    failed,
    wait_until_ready,
    waiting,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

LOOPBACK = "127.0.0.1"
SECONDS_WITHOUT_PROBE = 1  # a workload without a probe is ready when it runs for so long
FIRST_EXEC_PAUSE, LONGEST_EXEC_PAUSE = 0.1, 1.0  # seconds between two `docker exec` of the same probe
LONGEST_EXEC = 60.0  # seconds for one `docker exec`, which takes many seconds on a busy machine


class DockerReadiness:
    """The readiness source of containers. It runs the probes itself, since Docker runs a health check once a second at most."""

    def __init__(
        self,
        docker: DockerCommand,
        workloads: Mapping[str, Workload],
        bind: str,
        listening_suffices: bool = False,
        admins: Sequence[Mapping[str, Any]] = (),
        progress: Progress = no_progress,
    ) -> None:
        """Make a source.

        Args:
            docker: The docker command of the project.
            workloads: The workloads by name.
            bind: The address that published ports are bound to.
            listening_suffices: Whether a port on the loopback of a container needs no further probe when a program listens on it.
                The probe is a process in the container.
            admins: The plan's `admins`, which report whether an Envoy or its previous generation answers.
            progress: Receives what `wait` waits for.
        """
        self._docker = docker
        self._listening_suffices = listening_suffices
        self._workloads = workloads
        self._bind = bind
        self._admins = admins
        self._progress = progress
        self._services = {name: service_name(workload) for name, workload in workloads.items()}
        self._holders = holder_names(workloads.values())
        self._inspected: Mapping[str, InspectedContainer] | None = None
        self._containers: Mapping[str, InspectedContainer] = {}
        self._first_restarts: dict[str, int] = {}
        # For each workload the time of the next `docker exec`, the pause after it, and its last answer.
        self._next_execs: dict[str, tuple[float, float]] = {}
        self._exec_problems: dict[str, str] = {}

    def wait(
        self,
        timeout: float,
        inspected: Mapping[str, InspectedContainer] | None = None,
        names: Iterable[str] | None = None,
    ) -> None:
        """Return when every workload is ready. Raises PlatformFailed, see `wait_until_ready`.

        Args:
            timeout: Seconds until the deadline.
            inspected: The containers by service, where they were inspected a moment ago; spares the first `docker inspect`.
            names: The workloads to wait for. None: all.
        """
        self._inspected = inspected
        wait_until_ready(self, self._workloads if names is None else names, timeout, progress=self._progress)

    def statuses(self, pending: Sequence[str], seconds_left: float) -> Mapping[str, Status]:
        """Return the containers that ended, where there are any; otherwise the status of all, by their probes."""
        # Only what is pending: a demo of many containers would be inspected completely until the last one is ready.
        services = dict.fromkeys(
            [*(self._holders[one] for one in pending), *(self._services[one] for one in pending)]
        )
        try:
            containers = self._inspected or self._docker.inspect(map(self._docker.container_name, services))
        except DockerTimeout as error:
            raise StatusUnknown(str(error)) from None
        self._inspected, self._containers = None, containers
        ended = {}
        for name in pending:
            container = containers.get(self._services[name])
            first = self._first_restarts.setdefault(name, container.restarts) if container else 0
            if status := ended_status(container, first):
                ended[name] = status
        if ended:
            return ended
        return map_to_dict(partial(self._probe_status, max(1.0, seconds_left)), pending, PROCESSES_AT_ONCE)

    def report(self, workload: str, status: Status, problem: str) -> str:  # noqa: ARG002
        """Return the problem with the last lines of the container's log."""
        container = self._containers.get(self._services[workload])
        if container is None or container.error or container.status == "paused":
            return f"{workload} {problem}"
        try:
            lines = self._docker.logs(container.id, LAST_LINES)
        except PlatformUnavailable:
            lines = []
        log = f"docker logs {self._docker.container_name(container.service)}"
        return with_last_lines(f"{workload} {problem}", lines, log)

    def _probe_status(self, timeout: float, name: str) -> Status:
        container, workload = self._containers[self._services[name]], self._workloads[name]
        if container.status != "running":
            return waiting(f"it is {container.status}")
        status = self._own_status(container, workload, timeout)
        if status.state == "ready" and workload.generation and workload.replacement == "hot_restart":
            # The previous generation answers the probe, too.
            takeover = HotRestart.of(name, self._admins)
            problem = takeover.problem(workload.generation, timeout) if takeover else ""
            return waiting(problem) if problem else READY
        return status

    def _own_status(self, container: InspectedContainer, workload: Workload, timeout: float) -> Status:
        if container.health == "healthy":
            return READY
        if workload.probe.kind == "none":
            if _seconds_since(container.started) >= SECONDS_WITHOUT_PROBE:
                return READY
            return waiting(f"it runs for less than {SECONDS_WITHOUT_PROBE} s")
        problem = self._probe_problem(container, workload, timeout)
        return waiting(problem) if problem else READY

    def _probe_problem(self, container: InspectedContainer, workload: Workload, timeout: float) -> str:
        probe = workload.probe
        if probe.unix_socket:
            if probe.command:
                return self._exec_problem(workload.name, container.id, probe.command, timeout)
            return probe_request.problem(probe, min(timeout, 3), self._docker.folder)
        holder = self._containers.get(self._holders[workload.name], container)
        host = _reachable_address(holder, probe.port)
        # Where this host sees the container's network, most attempts need no process in the container.
        listens = host_ports.listens(container.pid, probe.port) if host else None
        if listens is False:
            return f"nothing listens on its port {probe.port}"
        if listens and (probe.kind == "tcp" or (probe.private and self._listening_suffices)):
            return ""
        if listens and probe.private:
            inside = call_in_network_of(
                container.pid, lambda: probe_request.problem(replace(probe, host=LOOPBACK), min(timeout, 3))
            )
            if inside == "":
                return ""
        problem = probe_request.problem(replace(probe, host=host), min(timeout, 3)) if host else ""
        if host and not problem:
            return ""
        if probe.command:
            return self._exec_problem(workload.name, container.id, probe.command, timeout)
        return problem or self._published_problem(workload, timeout)

    def _exec_problem(self, name: str, container: str, command: Sequence[str], timeout: float) -> str:
        """Run the probe in the container, which reaches a listener on the loopback too. At most once a second: it starts a process."""
        now = time.monotonic()
        due, pause = self._next_execs.get(name, (now, FIRST_EXEC_PAUSE))
        if now < due:
            return self._exec_problems[name]
        self._next_execs[name] = (now + pause, min(pause * 2, LONGEST_EXEC_PAUSE))
        longest = min(timeout, LONGEST_EXEC)
        result = self._docker.result("exec", container, *command, timeout=longest)
        if result.timed_out:
            self._exec_problems[name] = f"its probe did not end within {longest:g} s"
        else:
            self._exec_problems[name] = (
                "" if result.exit_code == 0 else f"its probe prints: {result.last_line}"
            )
        return self._exec_problems[name]

    def _published_problem(self, workload: Workload, timeout: float) -> str:
        probe = workload.probe
        published = next((port.published for port in workload.ports if port.number == probe.port), None)
        if not published:
            return ""
        return probe_request.problem(replace(probe, host=self._bind, port=published), min(timeout, 3))


def ended_status(container: InspectedContainer | None, first_restarts: int) -> Status | None:
    """Return `failed` for a container that ended, was restarted, paused or removed; None for a container that runs.

    Args:
        container: The inspected container; None where there is none.
        first_restarts: Its restart count at the first attempt of this wait.
    """
    if container is None:
        return failed("has no container: it was removed meanwhile. Run again")
    if container.status in ("running", "created") and container.restarts == first_restarts:
        return None
    if container.status == "paused":
        return failed("was paused by another `docker pause`. Run again")
    if container.error:
        return failed(f"cannot be started: {container.error}")
    again = " and is restarted repeatedly" if container.restarts > first_restarts else ""
    return failed(f"ended with exit code {container.exit_code}{again}")


def _reachable_address(holder: InspectedContainer, port: int) -> str:
    """Return the container's address where this host is its gateway, so that the address cannot belong to another network."""
    for address, gateway in holder.addresses if sys.platform.startswith("linux") else ():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            try:
                route.connect((address, port))
            except OSError:
                continue
            if route.getsockname()[0] == gateway:
                return address
    return ""


def _seconds_since(started: str) -> float:
    """Return for how many seconds a container runs, from the `StartedAt` of docker inspect, which is UTC."""
    moment = datetime.fromisoformat(started[:19]).replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - moment).total_seconds()
