# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The input and the result of a deployment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import AdminEndpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    sorted_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


@dataclass(frozen=True)
class DeployRequest:
    """One deployment or teardown.

    Attributes:
        name: The name of the demo.
        platform: The name of the platform, as in `registry.DEPLOYERS`.
        folder: The state folder on this host.
        files: The files, directories, certificates and checks of the state folder.
        workloads: The workloads.
        admins: The plan's `admins`: where the admin interface of each proxy is.
        manifests: The objects of a cluster.
        cluster: The options of the Kubernetes client.
        bind: The address that published ports are bound to.
        supervisord: The supervisord executable.
        timeout: Seconds until all workloads are ready.
        confirm_timeout: Seconds for a running proxy to confirm each step of its new files.
        drain_timeout: Seconds to wait for the connections that existed before the change.
        check_mode: Whether to change nothing and predict the result.
        during: The plan's `during`: requests to send while the workloads are deployed.
        change: The plan's `change`: the name of the change, and the number of its step.
        announce: Prints a warning before anything changes. None: the warnings are in the result only.
        progress: Receives what the deployment does or waits for.
    """

    name: str
    platform: str
    folder: Path
    files: DesiredFiles = field(default_factory=DesiredFiles)
    workloads: tuple[Workload, ...] = ()
    admins: tuple[AdminEndpoint, ...] = ()
    manifests: tuple[Mapping[str, Any], ...] = ()
    cluster: Mapping[str, Any] = field(default_factory=dict)
    bind: str = "127.0.0.1"
    supervisord: str = "supervisord"
    timeout: float = 60
    confirm_timeout: float = 60
    drain_timeout: float = 10
    check_mode: bool = False
    during: tuple[Mapping[str, Any], ...] = ()
    change: str = ""
    announce: Callable[[str], None] | None = None
    progress: Progress = no_progress


@dataclass
class DeployResult:
    """What was changed, or in check mode would be changed. It is filled phase by phase, so that it is right after an error too."""

    changed: bool = False
    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    replaced: dict[str, str] = field(default_factory=dict)
    rolled_back: bool = False
    objects: tuple[str, ...] = ()
    files: list[str] = field(default_factory=list)
    diff: list[Mapping[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)  # seconds since 1970, by phase
    confirmed: dict[str, float] = field(default_factory=dict)  # seconds since 1970, by proxy
    traffic: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, applied: AppliedChanges) -> None:
        """Add the changes of one phase."""
        self.started = sorted_names((*self.started, *applied.started))
        self.restarted = sorted_names((*self.restarted, *applied.restarted))
        self.removed = sorted_names((*self.removed, *applied.removed))
        self.replaced |= applied.replaced
        self.objects = sorted_names((*self.objects, *applied.objects))
        self.diff += applied.diff
        self.changed = self.changed or applied.changed

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the seconds of a phase, and when it began."""
        start = time.monotonic()
        self.began.setdefault(name, round(time.time(), 3))
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 3)
