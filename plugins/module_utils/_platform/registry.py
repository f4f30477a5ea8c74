# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The platforms by name.

Each is imported when it is used: the imports of a cluster's client cost 0.1 s. They are written as statements, and not made from
the name, because Ansible finds the modules to send to a host by these statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import Deployer


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
