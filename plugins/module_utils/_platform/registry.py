# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platforms by name: one line for the planner's view of each, and one line for its deployer.

A module of a platform is imported when it is used: the imports of a cluster's client take 0.1 s. The imports of deployers are
statements, because Ansible finds the modules to send to a host by these statements. The planner runs on the controller only,
so its imports are made from names and its modules are not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import Deployer
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

# The class in `<name>/layout.py` of each platform.
PLANNERS = {
    "local": "LocalPlatform",
    "docker": "DockerPlatform",
    "kubernetes": "KubernetesPlatform",
    "openshift": "OpenShiftPlatform",
}


def platform_class(name: str) -> type[Platform]:
    """Return the planner's view of the platform `name`. Raises KeyError for a name that is not in PLANNERS."""
    module = import_module(f"{__package__}.{name}.layout")
    return cast("type[Platform]", getattr(module, PLANNERS[name]))


def platform_classes() -> dict[str, type[Platform]]:
    """Return the planner's view of all platforms, by name."""
    return {name: platform_class(name) for name in PLANNERS}


def deployer_class(platform: str) -> type[Deployer]:
    """Return the class that deploys on `platform`. Raises KeyError for a name that is not in DEPLOYERS."""
    return DEPLOYERS[platform]()


def _local() -> type[Deployer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.deploy import LocalDeployer

    return LocalDeployer


def _docker() -> type[Deployer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.deploy import DockerDeployer

    return DockerDeployer


def _kubernetes() -> type[Deployer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.deploy import (
        KubernetesDeployer,
    )

    return KubernetesDeployer


def _openshift() -> type[Deployer]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.openshift.deploy import (
        OpenShiftDeployer,
    )

    return OpenShiftDeployer


DEPLOYERS: dict[str, Callable[[], type[Deployer]]] = {
    "local": _local,
    "docker": _docker,
    "kubernetes": _kubernetes,
    "openshift": _openshift,
}
