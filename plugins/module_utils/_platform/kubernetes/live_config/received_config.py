# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check that the proxy of a service mesh in each pod has received the configuration of the demo."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    REQUEST_TIMEOUT,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
    pod_name,
    select_ready,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_admin import (
    PodAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
    UpstreamPods,
    proxy_pods_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.upstream_hosts import (
    host_difference,
    ready_addresses,
)

ROUTE_DUMP = "/config_dump?resource=dynamic_route_configs"


@dataclass(frozen=True)
class ReceivedConfig:
    """What each pod of a proxy must have received.

    Attributes:
        pods: The pods of the proxy.
        routes: The names of the routes.
        listeners: The number of route configurations that must have these routes.
        members: The pods of each cluster, by the start of the cluster's name.
    """

    pods: ProxyPods
    routes: frozenset[str] = frozenset()
    listeners: int = 0
    members: Mapping[str, UpstreamPods] = field(default_factory=dict)

    def wait(self, cluster: Cluster, timeout: float) -> str:
        """Wait until each ready pod has received everything; return what is missing at the deadline.

        Raises:
            AdminUnreachable: The admin interface or the API server does not respond.
        """
        if not self.routes and not self.members:
            return ""
        try:
            pods = select_ready(cluster.list("Pod", self.pods.selector)).ready
        except ClusterError as error:
            raise AdminUnreachable(error.message) from None
        problems = map_to_dict(
            lambda pod: self._wait_for_pod(cluster, pod, timeout), [pod_name(pod) for pod in pods]
        )
        return "; ".join(f"pod {pod}: {problem}" for pod, problem in problems.items() if problem)

    def _wait_for_pod(self, cluster: Cluster, pod: str, timeout: float) -> str:
        problem = ""
        with closing(PodAdmin(cluster, pod, self.pods.port)) as admin:
            for _left in attempts(timeout):
                problem = self.missing(cluster, XdsMonitor(admin))
                if not problem:
                    return ""
        return f"{problem} after {timeout:g} s. See the log of istiod, and `istioctl proxy-status`"

    def missing(self, cluster: Cluster, monitor: XdsMonitor) -> str:
        """Return what one proxy has not received; empty if it has everything."""
        dump = monitor.admin.json(ROUTE_DUMP, REQUEST_TIMEOUT)
        found = sum(self.routes <= set(names) for names in route_names(dump)) if self.routes else 0
        if found < self.listeners:
            return f"{found} of {self.listeners} listeners have the planned routes"
        hosts = monitor.cluster_hosts()
        ready = ready_addresses(cluster, self.members)
        differences = [
            host_difference(name, upstream, hosts_of(hosts, name), ready[name])
            for name, upstream in self.members.items()
        ]
        return "; ".join(filter(None, differences))


def route_names(dump: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """Yield the names of the routes of each route configuration in a dump (admin.v3.RoutesConfigDump.DynamicRouteConfig)."""
    for config in dump.get("configs") or ():
        hosts = (config.get("route_config") or {}).get("virtual_hosts") or ()
        yield [str(route.get("name", "")) for host in hosts for route in host.get("routes") or ()]


def hosts_of(hosts: Mapping[str, Collection[str]], start: str) -> set[str]:
    """Return the hosts of the clusters whose names begin with `start`."""
    return {host for name, found in hosts.items() if name.startswith(start) for host in found}


def received_configs(admins: Sequence[Mapping[str, Any]]) -> dict[str, ReceivedConfig]:
    """Return, by proxy, what the plan's `admins` expect of the proxies of a mesh."""
    return {
        str(admin["proxy"]): ReceivedConfig(
            proxy_pods_of({"pods": admin["pods"]}),
            frozenset(map(str, admin["received"].get("routes") or ())),
            int(admin["received"].get("listeners") or 0),
            {
                str(name): UpstreamPods(str(one["selector"]), int(one["hosts"]))
                for name, one in (admin["received"].get("members") or {}).items()
            },
        )
        for admin in admins
        if admin.get("received")
    }
