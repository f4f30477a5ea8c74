# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a proxy, as the plan describes them to the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class UpstreamPods:
    """The pods that an Envoy cluster discovers by DNS: their label selector, and how many there will be."""

    selector: str
    hosts: int


@dataclass(frozen=True)
class ProxyPods:
    """The pods whose Envoys are one proxy, and how to reach their admin interface.

    Attributes:
        selector: The label selector of the pods.
        container: The name of Envoy's container.
        port: The port of the admin interface, on the loopback of the pod.
        members: The pods that each of the proxy's clusters has to discover, by the name of the cluster.
    """

    selector: str
    container: str = "envoy"
    port: int = 9901
    members: Mapping[str, UpstreamPods] = field(default_factory=dict)


def proxy_pods_of(admin: Mapping[str, Any]) -> ProxyPods:
    """Return the pods of one entry of the plan's `admins` that has the key `pods`."""
    members = {
        str(cluster): UpstreamPods(str(upstream["selector"]), int(upstream["hosts"]))
        for cluster, upstream in (admin.get("members") or {}).items()
    }
    return ProxyPods(**admin["pods"], members=members)
