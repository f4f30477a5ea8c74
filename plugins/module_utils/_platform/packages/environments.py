# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environments with the Python packages of servers, on the host that runs them as processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
    create_environment,
    is_usable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import PlatformRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def existing_program(workload: Workload) -> str:
    """Return the program that must exist before a deployment, which creates the Python of an environment with packages."""
    return workload.packages.base if workload.packages else workload.command[0]


def missing_environments(workloads: Iterable[Workload]) -> tuple[str, ...]:
    """Return the paths of the environments that do not exist, or that another Python has replaced."""
    targets = dict.fromkeys(one.packages.target for one in workloads if one.packages)
    return tuple(target for target in targets if not is_usable(Path(target).expanduser()))


def create_environments(
    workloads: Iterable[Workload], targets: Iterable[str], progress: Progress = no_progress
) -> None:
    """Create environments. `progress` receives the name of each one. Raises PlatformRefused."""
    wanted = {*targets}
    for workload in workloads:
        packages = workload.packages
        if packages is None or packages.target not in wanted:
            continue
        wanted.remove(packages.target)
        target = Path(packages.target).expanduser()
        if target.exists():  # its packages are those of another Python
            shutil.rmtree(target, ignore_errors=True)
        progress(f"installing the packages of {workload.group}")
        try:
            create_environment(target, packages.requirements, packages.base)
        except PackagesFailed as error:
            raise PlatformRefused(
                f"services.{workload.group}.server.packages: the packages cannot be installed: {str(error).rstrip('.')}"
            ) from None
