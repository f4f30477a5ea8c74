# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of a demo file: which keys it may have, of what type, with which defaults.

Options are said in the words of Ansible's argument specs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

Kind = Literal["str", "int", "bool", "dict", "list"]


class Option(TypedDict):
    """One key. `between` are the lowest and the highest number that it may be."""

    type: Kind
    required: NotRequired[bool]
    default: NotRequired[Any]
    choices: NotRequired[list[str]]
    elements: NotRequired[Kind]
    between: NotRequired[tuple[int, int]]


@dataclass(frozen=True)
class Shape:
    """One mapping of a demo file.

    `options` says its keys. A key of `nested` holds one mapping of that shape, a key of `entries` a mapping from
    names, which the author chooses, to mappings of that shape.
    """

    options: Mapping[str, Option]
    nested: Mapping[str, Shape] = field(default_factory=dict)
    entries: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether defaults alone do not make one."""
        return any(option.get("required") for option in self.options.values())


# Fields of an Envoy message, as Envoy documents them: checked by Envoy, not here.
ENVOY_MESSAGE: Option = {"type": "dict", "default": {}}
# A port of this demo: one that needs no root. And a port of something that runs elsewhere.
PORT: Option = {"type": "int", "between": (1024, 65535)}
REMOTE_PORT: Option = {"type": "int", "between": (1, 65535)}


TLS = Shape(
    {
        # listener: further names that its certificate is for
        "names": {"type": "list", "elements": "str", "default": []},
        # listener: ask for a client's certificate; cluster: present one
        "client_certificate": {"type": "bool", "default": False},
        # cluster: the name to ask for and to find in the answer
        "server_name": {"type": "str"},
        # listener: extensions.transport_sockets.tls.v3.DownstreamTlsContext; cluster: UpstreamTlsContext
        "context": ENVOY_MESSAGE,
    }
)

# What is done with a connection.
CHAIN: Mapping[str, Option] = {
    "tls": {"type": "dict"},
    # HTTP: routes of one virtual host for all domains, or whole virtual hosts (config.route.v3)
    "routes": {"type": "list", "elements": "dict"},
    "virtual_hosts": {"type": "list", "elements": "dict"},
    "http_filters": {"type": "list", "elements": "dict", "default": []},
    "http_connection_manager": ENVOY_MESSAGE,
    # anything else: network filters (config.listener.v3.Filter)
    "filters": {"type": "list", "elements": "dict"},
}

FILTER_CHAIN = Shape(
    {
        # config.listener.v3.FilterChainMatch; {} takes what no other takes
        "match": ENVOY_MESSAGE,
        **CHAIN,
    },
    nested={"tls": TLS},
)

LISTENER = Shape(
    {
        "port": {**PORT, "required": True},
        "publish": PORT,
        **CHAIN,
        # several of these in place of one, each for the connections that it matches
        "filter_chains": {"type": "dict"},
        # datagrams: listener filters for UDP (config.listener.v3.ListenerFilter)
        "udp_filters": {"type": "list", "elements": "dict"},
        # config.listener.v3.Listener
        "listener": ENVOY_MESSAGE,
    },
    nested={"tls": TLS},
    entries={"filter_chains": FILTER_CHAIN},
)

CLUSTER = Shape(
    {
        "to": {"type": "str"},
        "address": {"type": "str"},
        "port": REMOTE_PORT,
        # several of the demo's own, by locality and priority: config.endpoint.v3.LocalityLbEndpoints with `to` in
        # place of lb_endpoints
        "localities": {"type": "list", "elements": "dict"},
        # in the bootstrap: there before, and while, other configuration is fetched from it (api_config_source)
        "static": {"type": "bool", "default": False},
        "tls": {"type": "dict"},
        # config.cluster.v3.Cluster
        "cluster": ENVOY_MESSAGE,
    },
    nested={"tls": TLS},
)

ADMIN = Shape({"publish": PORT})

STATSD = Shape(
    {
        "address": {"type": "str", "required": True},
        "port": {**REMOTE_PORT, "default": 9125},
        "style": {"type": "str", "choices": ["dog_statsd", "statsd"], "default": "statsd"},
        "transport": {"type": "str", "choices": ["udp", "tcp"], "default": "udp"},
        "prefix": {"type": "str", "default": "envoy"},
    }
)

PROXY = Shape(
    {
        "listeners": {"type": "dict", "default": {}},
        "clusters": {"type": "dict", "default": {}},
        "concurrency": {"type": "int", "default": 1, "between": (1, 128)},
        "log_level": {
            "type": "str",
            "choices": ["trace", "debug", "info", "warning", "error", "critical", "off"],
            "default": "warning",
        },
        "access_log": {"type": "bool", "default": True},
        "drain_seconds": {"type": "int", "default": 5, "between": (0, 3600)},
        # the read-only admin listener's port on the host
        "admin": {"type": "dict"},
        # where stats go, when it is not the demo's own statsd_exporter
        "statsd": {"type": "dict"},
        # config.metrics.v3.StatsConfig
        "stats_config": ENVOY_MESSAGE,
        # config.bootstrap.v3.Bootstrap
        "bootstrap": ENVOY_MESSAGE,
    },
    nested={"admin": ADMIN, "statsd": STATSD},
    entries={"listeners": LISTENER, "clusters": CLUSTER},
)

APP = Shape(
    {
        "service": {"type": "str", "default": ""},
        "version": {"type": "str", "default": ""},
        "calls": {"type": "list", "elements": "str", "default": []},
        "environment": {"type": "dict", "default": {}},
    }
)

SERVER_PORT = Shape(
    {
        "port": {**PORT, "required": True},
        "protocol": {"type": "str", "choices": ["http", "tcp", "udp"], "default": "http"},
        "publish": PORT,
        # the path of a page of Prometheus metrics there
        "metrics": {"type": "str"},
        # or what comes before /api/v1/query where it answers Prometheus' queries
        "promql": {"type": "str"},
    }
)

SERVER = Shape(
    {
        "image": {"type": "str", "required": True},
        # `${port}`, `${address}`, `${files}`, `${data}` and the names of `ports` stand for what they are where it runs
        "command": {"type": "list", "elements": "str", "required": True},
        # what the program is called on a plain machine, where that is not the first word of the command
        "program": {"type": "str"},
        "environment": {"type": "dict", "default": {}},
        "files": {"type": "dict", "default": {}},
        # the path of a page at the service's own port that answers below 400 once the program serves
        "ready": {"type": "str"},
        # the path of a page of Prometheus metrics at the service's own port
        "metrics": {"type": "str"},
        # or what comes before /api/v1/query where it answers Prometheus' queries
        "promql": {"type": "str"},
        # ports besides the service's own
        "ports": {"type": "dict", "default": {}},
        "memory_mb": {"type": "int", "default": 256, "between": (16, 4096)},
    },
    entries={"ports": SERVER_PORT},
)

SERVICE = Shape(
    {
        "app": {"type": "dict"},
        "server": {"type": "dict"},
        "port": {**PORT, "default": 8080},
        "protocol": {"type": "str", "choices": ["http", "tcp", "udp"], "default": "http"},
        "publish": PORT,
        # 0 is a service that is away
        "replicas": {"type": "int", "default": 1, "between": (0, 10)},
        "sidecar": {"type": "dict"},
    },
    nested={"app": APP, "server": SERVER, "sidecar": PROXY},
)

STATSD_EXPORTER = Shape(
    {
        "style": {"type": "str", "choices": ["dog_statsd", "statsd"], "default": "dog_statsd"},
        "shares_network_with": {"type": "str"},
        "publish": PORT,
        # the port on the host on which statsd is received from what is no part of this demo
        "statsd_port": PORT,
        "prefix": {"type": "str", "default": "envoy"},
        "mapping": {"type": "dict"},
        "arguments": {"type": "list", "elements": "str", "default": []},
    }
)

CHANGE = Shape(
    {
        "summary": {"type": "str", "required": True},
        # merged over the topology: the same keys as the demo's own
        "set": {"type": "dict", "default": {}},
        # traffic that flows while the change is made
        "during": {"type": "list", "elements": "dict", "default": []},
        "traffic": {"type": "list", "elements": "dict"},
        "expectations": {"type": "list", "elements": "dict"},
    }
)

DEMO = Shape(
    {
        "summary": {"type": "str", "required": True},
        "notes": {"type": "list", "elements": "str", "default": []},
        # the first port of the demo's own block
        "ports": {"type": "int", "required": True, "between": (1024, 65436)},
        # why it does not run on a platform, by platform
        "unsupported_on": {"type": "dict", "default": {}},
        "services": {"type": "dict", "default": {}},
        "proxies": {"type": "dict", "default": {}},
        "statsd_exporter": {"type": "dict"},
        "traffic": {"type": "list", "elements": "dict", "default": []},
        "expectations": {"type": "list", "elements": "dict", "default": []},
        "changes": {"type": "dict", "default": {}},
    },
    nested={"statsd_exporter": STATSD_EXPORTER},
    entries={"services": SERVICE, "proxies": PROXY, "changes": CHANGE},
)
