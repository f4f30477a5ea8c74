# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that the clusters of a proxy find through DNS: pods, and standby hosts."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.kubernetes.manifests.object_names import (
    selector,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.standby import (
    StandbyLayout,
)


def cluster_members(layout: Layout, proxy: Proxy) -> dict[str, dict[str, Any]]:
    """Return the pods, and their number, that each cluster of `proxy` must find through DNS.

    A cluster with its own discovery, with targets on the loopback of the proxy or without any replicas is left out.
    """
    found = {}
    for name, spec in proxy.spec["clusters"].items():
        own = {"type", "cluster_type", "load_assignment"} & spec["cluster"].keys()
        groups = list(dict.fromkeys(one.partition("/")[0] for one in topology.cluster_targets(spec)))
        hosts = sum(layout.replicas(group) for group in groups)
        if hosts and not own and proxy.group not in groups:
            found[name] = {"selector": selector(layout.demo["name"], *groups), "hosts": hosts}
    return found


def clusters_with_standby(layout: StandbyLayout, proxy: Proxy) -> list[str]:
    """Return the clusters of `proxy` with a standby host, which expectations do not count."""
    if proxy.spec["config"]:
        return []
    return [
        name
        for name, spec in proxy.spec["clusters"].items()
        if layout.standby_address(spec, proxy, f"{proxy.key}.clusters.{name}") is not None
    ]
