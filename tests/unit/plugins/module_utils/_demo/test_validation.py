# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Tests of the rules between the keys of a demo."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import EDGE, changed, error_of

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("services.db.app", {}, "services.db: has both 'app' (the demo app) and 'server' (another program). Keep one of them."),
        ("proxies.web", {}, "proxies.web: the service 'web' has the same name. Choose another name."),
        ("proxies.ca", {}, "proxies.ca: the name 'ca' is reserved. Choose another name."),
        ("services.admin", {"sidecar": {}}, "services.admin: the name 'admin' is reserved"),
        (f"{EDGE}.listeners.admin", {"port": 9000, "routes": []}, f"{EDGE}.listeners.admin: the name 'admin' is reserved"),
        ("services.web.sidecar.listeners.app", {"port": 9001}, "services.web.sidecar.listeners.app: the name 'app' is reserved"),
        (f"{EDGE}.clusters.statsd", {"to": "web"}, f"{EDGE}.clusters.statsd: the name 'statsd' is reserved"),
        (
            f"{EDGE}.listeners.http.filters", [],
            f"{EDGE}.listeners.http: has 'routes' and 'filters'. Use exactly one of: 'routes', 'virtual_hosts' (HTTP), 'filters'",
        ),
        (
            f"{EDGE}.listeners.http.virtual_hosts", [],
            f"{EDGE}.listeners.http: has 'routes' and 'virtual_hosts'. Use exactly one of",
        ),
        (f"{EDGE}.listeners.http.routes", None, f"{EDGE}.listeners.http: has no routes or filters. Use exactly one of"),
        (
            f"{EDGE}.listeners.tcp", {"port": 8081, "filters": [], "http_filters": [{}]},
            f"{EDGE}.listeners.tcp.http_filters: applies to HTTP only, but 'filters' processes another protocol. Remove the key.",
        ),
        (f"{EDGE}.clusters.web.to", None, f"{EDGE}.clusters.web: expected exactly one target. Use 'to' (a service or proxy)"),
        (f"{EDGE}.clusters.web.address", "db", f"{EDGE}.clusters.web: has 'to' and 'address'. Keep one of them"),
        (f"{EDGE}.clusters.web.port", 8080, f"{EDGE}.clusters.web.port: the planner computes the port of 'web'. Remove the key."),
        (f"{EDGE}.clusters.other", {"address": "db"}, f"{EDGE}.clusters.other: 'address' needs a 'port'. Add it."),
        (
            f"{EDGE}.statsd.address", "statsd.example.com",
            (
                f"{EDGE}.statsd.address: Envoy's UDP sink needs an IP address, got the name 'statsd.example.com'."
                " Use an IP address, or 'transport: tcp', which resolves names."
            ),
        ),
        (
            f"{EDGE}.statsd", {"address": "h", "transport": "tcp", "style": "dog_statsd"},
            f"{EDGE}.statsd: dog_statsd needs UDP. Use 'style: statsd', or 'transport: udp' and an IP address.",
        ),
        (
            "statsd_exporter.shares_network_with",
            "wbe",
            "statsd_exporter.shares_network_with: unknown service or proxy 'wbe'. Did you mean 'web'?",
        ),
        (
            f"{EDGE}.bootstrap", {"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9901}}}},
            (
                f"{EDGE}.bootstrap.admin.address: the collection sets the address of the admin interface, which only the user of the"
                " deployment can reach. Remove the key. For the read-only pages of the admin on a port of the host, set"
                f" '{EDGE}.admin.publish'."
            ),
        ),
        (f"{EDGE}.bootstrap", {"admin": None}, f"{EDGE}.bootstrap.admin: the collection sets the address"),
        (
            f"{EDGE}.clusters.web.cluster", {"cluster_type": {"name": "x"}, "dnsLookupFamily": "V6_ONLY"},
            (
                f"{EDGE}.clusters.web.cluster.dns_lookup_family: Envoy ignores this field next to 'cluster_type'."
                " Move it to 'cluster_type.typed_config', or remove 'cluster_type'."
            ),
        ),
        (
            f"{EDGE}.clusters.web.cluster", {"type": "STATIC", "respect_dns_ttl": True},
            (
                f"{EDGE}.clusters.web.cluster.respect_dns_ttl: has no effect with 'type: STATIC', which resolves no names."
                " Remove it, or use 'type: STRICT_DNS'."
            ),
        ),
        ("services.web.replicas", 0, "statsd_exporter.shares_network_with: service 'web' has no replicas."),
        ("services.db.server.files", {"../x": ""}, "services.db.server.files.../x: the path leaves the directory of the files."),
        ("services.db.server.files", {"/etc/passwd": ""}, "services.db.server.files./etc/passwd: the path leaves the directory"),
    ],
)  # fmt: skip
def test_contradicting_keys_are_refused(path: str, value: Any, message: str) -> None:
    assert error_of(changed(path, value)).startswith(f"shop.yml: {message}")


def test_statsd_host_name_is_accepted_with_tcp() -> None:
    data = changed(f"{EDGE}.statsd", {"address": "statsd.example.com", "transport": "tcp"})
    assert read_demo("shop", data)["proxies"]["edge"]["statsd"]["port"] == 9125


@pytest.mark.parametrize("discovery_type", ["STRICT_DNS", "LOGICAL_DNS"])
def test_dns_fields_are_accepted_with_dns_types(discovery_type: str) -> None:
    data = changed(f"{EDGE}.clusters.web.cluster", {"type": discovery_type, "dns_lookup_family": "V4_ONLY"})
    assert read_demo("shop", data)["proxies"]["edge"]["clusters"]["web"]["cluster"]["type"] == discovery_type


def test_other_fields_of_the_admin_are_accepted() -> None:
    data = changed(f"{EDGE}.bootstrap", {"admin": {"profile_path": "/tmp/envoy.prof"}})
    assert read_demo("shop", data)
