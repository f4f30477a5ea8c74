# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema of a demo file: its keys, with type, default and limits, in the format of Ansible's argument specs.

More than 300 lines, because it is one table, which readers search as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

# `file` is text, `{content: text}` or `{source: path}`; read_demo returns an AuthorFile.
# `config` is the path or the text of an Envoy configuration, or a list of files; read_demo returns an AuthorConfig.
# `packages` is a list of Python requirements, or a file; read_demo returns the text of a requirements file.
OptionType = Literal["str", "int", "bool", "dict", "list", "file", "config", "packages"]


class _OptionType(TypedDict):
    type: OptionType


class Option(_OptionType, total=False):
    """One key.

    `between` holds the lowest and the highest number that is valid. `host` states that the text is a host name or an IP address, and
    `unix_socket` that it can also be the address of a Unix socket.
    `values` is the type of the values of a mapping whose keys the author chooses.
    """

    required: bool
    default: Any
    choices: list[str]
    elements: OptionType
    between: tuple[int, int]
    host: bool
    unix_socket: bool
    values: OptionType


@dataclass(frozen=True)
class Schema:
    """One mapping of a demo file.

    `options` holds its keys. A key of `nested` holds one mapping of that schema. A key of `entries` holds a mapping from
    names, which the author chooses, to mappings of that schema. The names in a key of `envoy_names` follow Envoy's rules.
    A key of `items` holds a list of mappings of that schema.
    """

    options: Mapping[str, Option]
    nested: Mapping[str, Schema] = field(default_factory=dict)
    entries: Mapping[str, Schema] = field(default_factory=dict)
    envoy_names: frozenset[str] = frozenset()
    items: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether the mapping has a key without a default."""
        return any(option.get("required") for option in self.options.values())


# Fields of an Envoy message, as Envoy documents them. Envoy validates them.
ENVOY_MESSAGE: Option = {"type": "dict", "default": {}}
# A port below 1024 depends on the platform: the preflight of `local` checks the permission to bind it.
PORT: Option = {"type": "int", "between": (1, 65535)}


TLS = Schema(
    {
        # listener: further names of its certificate
        "names": {"type": "list", "elements": "str", "default": []},
        # listener: require a client certificate; cluster: present one
        "client_certificate": {"type": "bool", "default": False},
        # cluster: the server name to request (SNI) and to verify
        "server_name": {"type": "str"},
        # the author's own certificate and private key, in place of those that the deployment creates
        "certificate_chain": {"type": "file"},
        "private_key": {"type": "file"},
        # the authorities that the certificate of the other side must be from: a file, or `system`
        "ca": {"type": "file"},
        # the one name that the certificate of the other side must have: dns, uri, ip_address or email
        "subject_alt_name": {"type": "dict", "values": "str"},
        # listener: extensions.transport_sockets.tls.v3.DownstreamTlsContext; cluster: UpstreamTlsContext
        "context": ENVOY_MESSAGE,
    }
)

# How connections are processed.
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

FILTER_CHAIN = Schema(
    {
        # config.listener.v3.FilterChainMatch; {} matches what no other chain matches
        "match": ENVOY_MESSAGE,
        **CHAIN,
    },
    nested={"tls": TLS},
)

LISTENER = Schema(
    {
        # required, unless the listener is on a Unix socket
        "port": PORT,
        "publish": PORT,
        # the name of a Unix socket in the directory of the instance
        "unix_socket": {"type": "str"},
        # the only version of HTTP to accept; http3 receives QUIC, with TLS
        "protocol": {"type": "str", "choices": ["http1", "http2", "http3"]},
        # the name of an HTTP/3 listener of the same proxy, which responses announce (Alt-Svc)
        "alt_svc": {"type": "str"},
        **CHAIN,
        # several filter chains in place of one, each for the connections that it matches
        "filter_chains": {"type": "dict"},
        # datagrams: listener filters for UDP (config.listener.v3.ListenerFilter)
        "udp_filters": {"type": "list", "elements": "dict"},
        # config.listener.v3.Listener
        "listener": ENVOY_MESSAGE,
    },
    nested={"tls": TLS},
    entries={"filter_chains": FILTER_CHAIN},
    envoy_names=frozenset({"filter_chains"}),
)

CLUSTER = Schema(
    {
        "to": {"type": "str"},
        "address": {"type": "str", "host": True, "unix_socket": True},
        "port": PORT,
        # several targets in the demo, by locality and priority: config.endpoint.v3.LocalityLbEndpoints with `to` in
        # place of lb_endpoints
        "localities": {"type": "list", "elements": "dict"},
        # whether the cluster is in the bootstrap, so that Envoy can fetch configuration from it (api_config_source)
        "static": {"type": "bool", "default": False},
        # the version of HTTP to send; http3 uses QUIC, with TLS
        "protocol": {"type": "str", "choices": ["http1", "http2", "http3"]},
        "tls": {"type": "dict"},
        # config.cluster.v3.Cluster
        "cluster": ENVOY_MESSAGE,
    },
    nested={"tls": TLS},
)

ADMIN = Schema({"publish": PORT})

STATSD = Schema(
    {
        "address": {"type": "str", "required": True, "host": True},
        "port": {**PORT, "default": 9125},
        "style": {"type": "str", "choices": ["dog_statsd", "statsd"], "default": "statsd"},
        "transport": {"type": "str", "choices": ["udp", "tcp"], "default": "udp"},
        "prefix": {"type": "str", "default": "envoy"},
    }
)

# An Envoy of the author's choice: an image by tag or digest, an executable on the host, and the version that both must have.
ENVOY = Schema({"image": {"type": "str"}, "executable": {"type": "str"}, "version": {"type": "str"}})

PROXY = Schema(
    {
        # the whole configuration, in place of `listeners`, `clusters` and so on
        "config": {"type": "config"},
        # ports on the host for listeners of `config`, by name; null publishes no port
        "publish": {"type": "dict", "default": {}},
        # another Envoy than that of the demo
        "envoy": {"type": "dict"},
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
        # where stats are sent, in place of the statsd_exporter of the demo
        "statsd": {"type": "dict"},
        # placeholders in all texts of a proxy: `${files}`, `${data}` and addresses such as `${web/app}`
        "environment": {"type": "dict", "default": {}, "values": "str"},
        "files": {"type": "dict", "default": {}, "values": "file"},
        # volumes by path in the container: {} is an empty directory
        "mounts": {"type": "dict", "default": {}},
        # config.metrics.v3.StatsConfig
        "stats_config": ENVOY_MESSAGE,
        # config.bootstrap.v3.Bootstrap
        "bootstrap": ENVOY_MESSAGE,
        # whether the configuration has secrets that the planner does not recognize
        "sensitive": {"type": "bool", "default": False},
    },
    nested={"admin": ADMIN, "statsd": STATSD, "envoy": ENVOY},
    entries={"listeners": LISTENER, "clusters": CLUSTER},
    envoy_names=frozenset({"listeners", "clusters"}),
)

APP = Schema(
    {
        "service": {"type": "str", "default": ""},
        "version": {"type": "str", "default": ""},
        # targets by name, as /hop/NAME of the app calls them
        "calls": {"type": "dict", "values": "str", "default": {}},
        "environment": {"type": "dict", "default": {}, "values": "str"},
    }
)

SERVER_PORT = Schema(
    {
        "port": {**PORT, "required": True},
        "protocol": {"type": "str", "choices": ["http", "tcp", "udp"], "default": "http"},
        "publish": PORT,
        # the path of a page of Prometheus metrics at this port
        "metrics": {"type": "str"},
        # or the path before /api/v1/query of a Prometheus query API
        "promql": {"type": "str"},
    }
)

SERVER = Schema(
    {
        "image": {"type": "str", "required": True},
        # placeholders: `${port}`, `${address}`, `${files}`, `${data}`, the names of `ports` and addresses such as `${web/app}`
        "command": {"type": "list", "elements": "str", "required": True},
        # the executable on a host without containers, if it is not the first word of the command
        "program": {"type": "str"},
        # Python packages of the program, pinned and with hashes
        "packages": {"type": "packages"},
        "environment": {"type": "dict", "default": {}, "values": "str"},
        "files": {"type": "dict", "default": {}, "values": "file"},
        # the path of a page at the service's own port whose status is below 400 as soon as the server is ready
        "ready": {"type": "str"},
        # the path of a page of Prometheus metrics at the service's own port
        "metrics": {"type": "str"},
        # or the path before /api/v1/query of a Prometheus query API
        "promql": {"type": "str"},
        # further ports; the service's own port is not one of them
        "ports": {"type": "dict", "default": {}},
        "memory_mb": {"type": "int", "default": 256, "between": (16, 4096)},
    },
    entries={"ports": SERVER_PORT},
)

SERVICE = Schema(
    {
        "app": {"type": "dict"},
        "server": {"type": "dict"},
        "port": {**PORT, "default": 8080},
        # the name of a Unix socket that the application listens on, in place of the port
        "unix_socket": {"type": "str"},
        "protocol": {"type": "str", "choices": ["http", "tcp", "udp"], "default": "http"},
        "publish": PORT,
        # 0 removes the instances of the service
        "replicas": {"type": "int", "default": 1, "between": (0, 10)},
        "sidecar": {"type": "dict"},
    },
    nested={"app": APP, "server": SERVER, "sidecar": PROXY},
)

STATSD_EXPORTER = Schema(
    {
        "style": {"type": "str", "choices": ["dog_statsd", "statsd"], "default": "dog_statsd"},
        "shares_network_with": {"type": "str"},
        "publish": PORT,
        # the port on the host that receives statsd from programs outside the demo
        "statsd_port": PORT,
        "prefix": {"type": "str", "default": "envoy"},
        "mapping": {"type": "dict"},
        "arguments": {"type": "list", "elements": "str", "default": []},
    }
)

STEP = Schema(
    {
        "summary": {"type": "str", "required": True},
        # merged over the topology, after the change and its previous steps
        "set": {"type": "dict", "default": {}},
        # requests that are sent while the step is made; those of the change by default
        "during": {"type": "list", "elements": "dict"},
        # requests and expectations after the step
        "traffic": {"type": "list", "elements": "dict", "default": []},
        "expectations": {"type": "list", "elements": "dict", "default": []},
    }
)

CHANGE = Schema(
    {
        "summary": {"type": "str", "required": True},
        # merged over the topology, with the keys of the demo itself
        "set": {"type": "dict", "default": {}},
        # requests that are sent while the change is made
        "during": {"type": "list", "elements": "dict", "default": []},
        "traffic": {"type": "list", "elements": "dict"},
        "expectations": {"type": "list", "elements": "dict"},
        # parts of the change, which are made one after another
        "steps": {"type": "list", "elements": "dict", "default": []},
        # whether the demo returns to its previous state if the change fails; by default, only with steps
        "rollback": {"type": "bool"},
    },
    items={"steps": STEP},
)

DEMO = Schema(
    {
        "summary": {"type": "str", "required": True},
        # under which the demo is listed, such as security
        "theme": {"type": "str", "default": ""},
        "notes": {"type": "list", "elements": "str", "default": []},
        # the first port of the demo's block of 100 ports. By default, the deployment finds free ports.
        "ports": {"type": "int", "between": (1024, 65436)},
        # the reason why the demo does not run on a platform, by platform
        "unsupported_on": {"type": "dict", "default": {}},
        # another Envoy than that of the deployment, for all proxies
        "envoy": {"type": "dict"},
        "services": {"type": "dict", "default": {}},
        "proxies": {"type": "dict", "default": {}},
        "statsd_exporter": {"type": "dict"},
        "traffic": {"type": "list", "elements": "dict", "default": []},
        "expectations": {"type": "list", "elements": "dict", "default": []},
        "changes": {"type": "dict", "default": {}},
    },
    nested={"statsd_exporter": STATSD_EXPORTER, "envoy": ENVOY},
    entries={"services": SERVICE, "proxies": PROXY, "changes": CHANGE},
)
