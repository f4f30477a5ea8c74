# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The endpoints of a plan: the admin interfaces, the stats endpoints, and the addresses that users open."""

from __future__ import annotations

from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import (
    ADMIN,
    APP,
    EXPORTER,
    EXPORTER_HTTP,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import scheme
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import (
    AdminEndpoint,
    PublishedAddress,
    StatsEndpoint,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform


def admin_endpoints(platform: Platform) -> list[AdminEndpoint]:
    """Return the admin interface of each proxy."""
    return [
        cast(
            AdminEndpoint,
            {
                "proxy": proxy.name,
                **platform.admin_endpoint(proxy),
                "log_level": proxy.spec["log_level"],
                "workload": proxy.workload,
                "host": proxy.host,
            },
        )
        for proxy in [*platform.proxies(), *platform.injected_proxies()]
        if topology.has_admin(proxy.spec)
    ]


def stats_endpoints(platform: Platform) -> list[StatsEndpoint]:
    """Return the endpoints that serve stats: each proxy's admin, the exporter's page and the pages of servers."""
    found: list[dict[str, Any]] = [
        {
            "name": proxy.name,
            "proxy": proxy.name,
            **platform.stats_endpoint(proxy),
            "format": "envoy",
            "host": proxy.host,
        }
        for proxy in [*platform.proxies(), *platform.injected_proxies()]
        if topology.has_admin(proxy.spec)
    ]
    if platform.demo[EXPORTER] is not None:
        exporter = platform.instance(EXPORTER)
        location = platform.page_endpoint(exporter, "statsd-exporter", EXPORTER_HTTP, "/metrics")
        found.append(
            {"name": EXPORTER, "proxy": None, **location, "format": "prometheus", "host": exporter.host}
        )
    for group in platform.demo["services"]:
        for port, (form, path) in topology.stats_pages(platform.demo, group).items():
            for instance in platform.instances(group):
                location = platform.page_endpoint(instance, "app", port, path)
                name = f"{instance.name}/{port}"
                found.append({"name": name, "proxy": None, **location, "format": form, "host": instance.host})
    return cast("list[StatsEndpoint]", found)


def published_addresses(platform: Platform) -> list[PublishedAddress]:
    """Return the addresses that users can open, the edge proxies first."""
    demo = platform.demo
    found: list[PublishedAddress] = []
    for group in [*demo["proxies"], *demo["services"]]:
        if not platform.replicas(group):
            continue
        published = {name: one for name, one in topology.listeners(demo, group).items() if one["publish"]}
        for name, listener in published.items():
            found.append(_address(group, name, scheme(listener), "", "listener", platform))
        service = demo["services"].get(group)
        if service and service["publish"]:
            found.append(_address(group, APP, service["protocol"], "", "app", platform))
        for name, port in topology.server_ports(demo, group).items():
            if port["publish"]:
                what = "Prometheus metrics" if port["metrics"] else "port of the server"
                found.append(_address(group, name, port["protocol"], port["metrics"] or "", what, platform))
        admin = platform.ports.get((group, ADMIN))
        # A mesh does not open the admin of its proxies.
        is_open = published and not platform.injected_proxies()
        if admin and (admin.publish if admin.bound_to else is_open):
            found.append(_address(group, ADMIN, "http", "/stats", _admin_kind(admin), platform))
    if demo[EXPORTER] is not None:
        address = _address(EXPORTER, EXPORTER_HTTP, "http", "/metrics", "Prometheus metrics", platform)
        found.append({**address, "name": EXPORTER})
    return found


def _admin_kind(admin: topology.ListeningPort) -> str:
    return "admin" if admin.bound_to else "read-only admin"


def _address(
    group: str, port: str, url_scheme: str, path: str, what: str, platform: Platform
) -> PublishedAddress:
    url, description = platform.public_address(group, port, url_scheme, path, what)
    return {"name": f"{group}/{port}", "url": url, "what": description}
