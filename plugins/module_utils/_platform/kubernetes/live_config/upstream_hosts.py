# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check that an Envoy has discovered exactly the pods that are ready."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import Deadline, attempts
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import select_ready
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.selector_lists import (
    list_by_selector,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.proxy_pods import (
    ProxyPods,
    UpstreamPods,
)


def wait_until_discovered(
    cluster: Cluster, upstreams: Mapping[str, UpstreamPods], monitor: XdsMonitor, timeout: float
) -> str:
    """Wait until the hosts of an Envoy's clusters are the pods that are ready.

    Args:
        cluster: The Kubernetes cluster.
        upstreams: The pods to discover, by the name of the Envoy cluster.
        monitor: The Envoy.
        timeout: Seconds from the last progress, which is a cluster that has its hosts, to the deadline.

    Returns:
        Which Envoy clusters still differ at the deadline; empty if none does.

    Raises:
        AdminUnreachable: The admin interface or the API server does not respond.
    """
    problem = ""
    deadline = Deadline(timeout)
    for _left in attempts(deadline):
        hosts = monitor.cluster_hosts()
        ready = ready_addresses(cluster, upstreams)
        differences = [
            host_difference(name, upstream, hosts.get(name, set()), ready[name])
            for name, upstream in upstreams.items()
        ]
        problem = "; ".join(filter(None, differences))
        if not problem:
            return ""
        deadline.note(sum(not one for one in differences))
    return f"{problem} after {timeout:g} s without progress. Name resolution returns other pods than those that are ready"


def wait_for_first_hosts(clusters: Collection[str], monitor: XdsMonitor, deadline: float) -> str:
    """Wait until each of an Envoy's `clusters` has a host; return which has none at the deadline, or an empty text.

    Pods are ready before name resolution returns them.

    Args:
        clusters: The names of the clusters, which have ready pods.
        monitor: The Envoy.
        deadline: The time of `time.monotonic` at which the wait ends.

    Raises:
        AdminUnreachable: The admin interface does not respond.
    """
    missing: list[str] = []
    for _left in attempts(deadline - time.monotonic()):
        hosts = monitor.cluster_hosts()
        missing = [name for name in clusters if not hosts.get(name)]
        if not missing:
            return ""
    return f"cluster {', '.join(missing)} has no host: name resolution returns none of its ready pods"


def wait_for_pods_of(cluster: Cluster, proxy: ProxyPods, timeout: float) -> str:
    """Wait until the Envoys of a proxy without watched files have discovered their upstream pods.

    Args:
        cluster: The Kubernetes cluster.
        proxy: The pods of the proxy.
        timeout: Seconds until the deadline.

    Returns:
        Which Envoy clusters still differ at the deadline; empty if none does.

    Raises:
        AdminUnreachable: The admin interface or the API server does not respond.
    """
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.live_config.pod_monitors import (
        PodMonitors,
    )

    monitors = PodMonitors(cluster, proxy, None, lambda _pod: None)
    try:
        return monitors.problem(
            monitors.update(),
            lambda _pod, monitor: wait_until_discovered(cluster, proxy.members, monitor, timeout),
        )
    finally:
        monitors.close()


def ready_addresses(cluster: Cluster, upstreams: Mapping[str, UpstreamPods]) -> dict[str, set[str]]:
    """Return the IP addresses of the pods that are ready, by the key of `upstreams`.

    Raises:
        AdminUnreachable: The pods cannot be listed.
    """
    try:
        pods = list_by_selector(cluster, "Pod", [one.selector for one in upstreams.values()])
    except ClusterError as error:
        raise AdminUnreachable(error.message) from None
    return {
        name: {str(pod["status"].get("podIP")) for pod in select_ready(pods[one.selector]).ready}
        for name, one in upstreams.items()
    }


def host_difference(name: str, upstream: UpstreamPods, hosts: set[str], ready: set[str]) -> str:
    """Return how the hosts of an Envoy cluster differ from the pods that are ready; empty if they are equal.

    Args:
        name: The name of the Envoy cluster.
        upstream: The pods to discover.
        hosts: The IP addresses of the Envoy cluster's hosts.
        ready: The IP addresses of the pods that are ready.
    """
    if hosts == ready and len(hosts) == upstream.hosts:
        return ""
    previous = f", and {len(hosts - ready)} previous ones" if hosts - ready else ""
    return f"cluster {name} has {len(hosts & ready)} of {upstream.hosts} hosts{previous}"
