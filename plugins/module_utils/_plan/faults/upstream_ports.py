# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of the demo that the clusters of a proxy lead to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.http.stated_protocols import (
    explicit_options,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import (
    cluster_key,
    cluster_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import (
    HTTP2,
    OPTION_FIELDS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.outside_hosts import (
    HOST,
    is_loopback,
)

DemoPort = tuple[str, str]  # group, and the name of the port


def first_proxies(platform: Platform) -> list[Proxy]:
    """Return one instance of each proxy whose configuration the planner generates."""
    return [one for one in platform.proxies() if one.replica == 1 and one.spec["config"] is None]


def cluster_spec(proxy: Proxy, name: str) -> Mapping[str, Any] | None:
    """Return the cluster of the demo that has a name in a proxy. None: the planner generates it, or it does not exist."""
    found: Mapping[str, Any] | None = proxy.spec["clusters"].get(cluster_key(proxy.spec["clusters"], name))
    return found


def cluster_names(proxy: Proxy) -> list[str]:
    """Return the names that the clusters of the demo have in a proxy."""
    return [cluster_name(key, one) for key, one in proxy.spec["clusters"].items()]


def upstream_ports(proxy: Proxy, name: str, platform: Platform) -> list[DemoPort]:
    """Return the ports of the demo that a cluster of a proxy leads to. A program outside the demo is not one."""
    spec = cluster_spec(proxy, name)
    if spec is None:
        return [(proxy.group, topology.APP)] if proxy.kind == "sidecar" and name == proxy.group else []
    if spec["address"]:
        return _ports_at(str(spec["address"]), spec["port"], proxy, platform)
    where = f"{proxy.key}.clusters.{cluster_key(proxy.spec['clusters'], name)}"
    return [
        (proxy.group, topology.APP)
        if platform.is_own_app(target, proxy)
        else topology.resolve_target(platform.demo, target, where)
        for target in topology.cluster_targets(spec)
    ]


def _ports_at(address: str, port: int | None, proxy: Proxy, platform: Platform) -> list[DemoPort]:
    """Return the port of the demo at an address that a cluster states: in the network of the proxy, or published on the host."""
    if not port or not (is_loopback(address) or address == HOST):
        return []
    found = []
    for group, name in platform.ports:
        for instance in platform.instances(group):
            network = platform.network_label(instance)
            is_own = is_loopback(address) and network == platform.network_label(proxy)
            is_published = address == HOST and platform.published_port(group, name, instance.replica) == port
            if is_published or (is_own and platform.port(group, name, instance.replica) == port):
                found.append((group, name))
    return found


def requires_http2(spec: Mapping[str, Any] | None) -> bool:
    """Return whether a cluster speaks HTTP/2 only, such as one of a gRPC server."""
    if spec is None:
        return False
    return spec["protocol"] == HTTP2 or OPTION_FIELDS[HTTP2] in explicit_options(spec)
