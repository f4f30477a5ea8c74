# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits until containers serve, and tells how they ended when they do not."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._platform import host_ports, probe_request
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    LAST_LINES,
    PlatformUnavailable,
    failure,
    last_words,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_command import (
    AT_ONCE,
    Docker,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.docker_output import Details
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload, network_owner

STEADY = 1  # seconds that a workload without a probe has to keep running
FIRST = 0.1  # seconds until a container is asked from inside again


class Readiness:
    """Asks each container itself, at once, instead of waiting for the next of its health checks."""

    def __init__(self, docker: Docker, workloads: Mapping[str, Workload], bind: str) -> None:
        self._docker = docker
        self._workloads = workloads
        self._bind = bind
        self._restarts: dict[str, int] = {}
        self._due: dict[str, tuple[float, float]] = {}
        self._said: dict[str, str] = {}

    def wait(self, timeout: float, known: Mapping[str, Details] | None = None) -> None:
        """Return when every workload serves. Raises PlatformFailed for those that end, or do not serve in time.

        `known` is what the containers are like, where that was just asked.
        """
        deadline = time.monotonic() + timeout
        pending = list(self._workloads)
        pause = 0.02
        while True:
            details = known or self._docker.details(map(self._docker.container_name, self._workloads))
            known = None
            if ended := [how for name in pending if (how := self._ending(name, details.get(name)))]:
                raise failure(ended)
            left = max(1.0, deadline - time.monotonic())
            answers = map_to_pairs(partial(self._why_not, details, left), pending, AT_ONCE)
            reasons = {name: why for name, why in answers if why}
            pending = list(reasons)
            if not pending:
                return
            if time.monotonic() >= deadline:
                raise failure(
                    [
                        self._told(
                            details[name], f"{name} does not serve after {timeout:g} s ({reasons[name]})"
                        )
                        for name in pending
                    ]
                )
            time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(pause * 1.5, 0.25)

    def _ending(self, name: str, details: Details | None) -> str:
        """Return how a container ended, empty where it has not."""
        if details is None:
            return f"{name} has no container; somebody removed it: run again"
        first = self._restarts.setdefault(name, details.restarts)
        if details.status in ("running", "created") and details.restarts == first:
            return ""
        if details.status == "paused":
            return f"{name} was paused by somebody: run again"
        if details.error:
            return f"{name} cannot be started: {details.error}"
        again = " and is started again and again" if details.restarts > first else ""
        return self._told(details, f"{name} ended with exit code {details.exit_code}{again}")

    def _why_not(self, all_details: Mapping[str, Details], timeout: float, name: str) -> str:
        details, workload = all_details[name], self._workloads[name]
        wanted = workload.probe
        if details.status != "running":
            return f"it is {details.status}"
        if details.health == "healthy":
            return ""
        if wanted.kind == "none":
            return "" if _age(details.started) >= STEADY else "it has only just started"
        owner = all_details.get(network_owner(workload, self._workloads.values()).name, details)
        host = self._host(owner, wanted.port)
        # Where the container's network is this host's to see, most questions need no process in the container.
        listens = host_ports.listens(details.pid, wanted.port) if host else None
        if listens is False:
            return f"nothing listens on its port {wanted.port}"
        if listens and wanted.kind == "tcp":
            return ""
        why = probe_request.answer(replace(wanted, host=host), min(timeout, 3)) if host else ""
        if host and not why:
            return ""
        if wanted.command:
            return self._asked_inside(name, details.id, wanted.command, timeout)
        return why or self._asked_outside(workload, timeout)

    def _asked_inside(self, name: str, container: str, command: Sequence[str], timeout: float) -> str:
        """Ask where a listener on the container's own loopback can be asked; that takes a process, so not too often."""
        now = time.monotonic()
        due, pause = self._due.get(name, (now, FIRST))
        if now < due:
            return self._said[name]
        self._due[name] = (now + pause, min(pause * 2, 1.0))
        ran = self._docker.ask("exec", container, *command, timeout=min(timeout, 10) + 5)
        self._said[name] = "" if ran.exit_code == 0 else f"its probe says: {ran.last_line}"
        return self._said[name]

    def _asked_outside(self, workload: Workload, timeout: float) -> str:
        wanted = workload.probe
        published = next((one.published for one in workload.ports if one.number == wanted.port), None)
        if not published:
            return ""
        return probe_request.answer(replace(wanted, host=self._bind, port=published), min(timeout, 3))

    def _host(self, owner: Details, port: int) -> str:
        """Return the container's address, where this host itself is its gateway and so leads nowhere else."""
        for address, gateway in owner.addresses if sys.platform.startswith("linux") else ():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
                try:
                    route.connect((address, port))
                except OSError:
                    continue
                if route.getsockname()[0] == gateway:
                    return address
        return ""

    def _told(self, details: Details, what: str) -> str:
        try:
            lines = self._docker.logs(details.id, LAST_LINES)
        except PlatformUnavailable:
            lines = []
        return last_words(what, lines, f"docker logs {self._docker.container_name(details.service)}")


def _age(started: str) -> float:
    """Return for how many seconds a container runs, from Docker's time of its start."""
    moment = datetime.fromisoformat(started[:19]).replace(tzinfo=UTC)
    return (datetime.now(UTC) - moment).total_seconds()
