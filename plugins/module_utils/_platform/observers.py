# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observers of the platforms by name, apart from `registry`: a host that only verifies needs no deployer.

A module of a platform is imported when it is used. Ansible finds the modules to send to a host by the import statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import Observer


def observer_class(platform: str) -> type[Observer] | None:
    """Return the class that observes deployed demos on `platform`; None for a platform without one."""
    return OBSERVERS[platform]() if platform in OBSERVERS else None


def _observe_local() -> type[Observer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.observer import LocalObserver

    return LocalObserver


def _observe_docker() -> type[Observer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.observer import (
        DockerObserver,
    )

    return DockerObserver


def _observe_kubernetes() -> type[Observer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.observer import (
        KubernetesObserver,
    )

    return KubernetesObserver


OBSERVERS: dict[str, Callable[[], type[Observer]]] = {
    "local": _observe_local,
    "docker": _observe_docker,
    "kubernetes": _observe_kubernetes,
    "openshift": _observe_kubernetes,
}
