# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network filters, the HTTP filters and the access log that every configuration repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    any_message,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import (
    alt_svc_header,
    codec_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    HTTP_CONNECTION_MANAGER,
    overlay,
)

# The keys of one line of the access log, which is JSON. The command operators are those of Envoy's page "Access logging".
# Each key costs about 0.4 % of the instructions of a request, so the protocol, the numbers of bytes and x-forwarded-for are not
# logged: docs/architecture.md has the cost of each part of a generated configuration.
ACCESS_LOG_FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "duration_ms": "%DURATION%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "user_agent": "%REQ(USER-AGENT)%",
}


def http_connection_manager(
    stat_prefix: str,
    virtual_hosts: Sequence[Mapping[str, Any]],
    http_filters: Sequence[Mapping[str, Any]] = (),
    overrides: Mapping[str, Any] | None = None,
    access_log: bool = True,
    protocol: str = "",
    alt_svc_port: int | None = None,
) -> Message:
    """Return the network filter for HTTP.

    Args:
        stat_prefix: The prefix of its stats (`http.<stat_prefix>.`), and the name of its route configuration.
        virtual_hosts: Messages of config.route.v3.VirtualHost.
        http_filters: HTTP filters that run before the router.
        overrides: Fields of HttpConnectionManager that override the generated ones.
        access_log: Whether to log each request on standard output.
        protocol: The only version of HTTP to accept, of http_protocols.HTTP_PROTOCOLS. Empty: HTTP/1.1 and HTTP/2.
        alt_svc_port: The port with HTTP/3 that each response announces.
    """
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": any_message("envoy.extensions.filters.http.router.v3.Router"),
    }
    routes: Message = {"name": stat_prefix, "virtual_hosts": [dict(host) for host in virtual_hosts]}
    if alt_svc_port is not None:
        routes["response_headers_to_add"] = [alt_svc_header(alt_svc_port)]
    manager = any_message(
        HTTP_CONNECTION_MANAGER,
        stat_prefix=stat_prefix,
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        **codec_fields(protocol),
        route_config=routes,
        http_filters=[*(dict(http_filter) for http_filter in http_filters), router],
    )
    if access_log:
        manager["access_log"] = [stdout_access_log()]
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": overlay(manager, overrides),
    }


def stdout_access_log() -> Message:
    """Return the access log that writes one JSON object per line to standard output."""
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": any_message(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": dict(ACCESS_LOG_FIELDS)},
        ),
    }


def tcp_proxy(stat_prefix: str, cluster: str) -> Message:
    """Return the network filter that forwards each connection to `cluster`."""
    return {
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": any_message(
            "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", stat_prefix=stat_prefix, cluster=cluster
        ),
    }


def udp_proxy(stat_prefix: str, cluster: str) -> Message:
    """Return the listener filter that forwards datagrams to `cluster` and its responses back."""
    route = any_message("envoy.extensions.filters.udp.udp_proxy.v3.Route", cluster=cluster)
    return {
        "name": "envoy.filters.udp_listener.udp_proxy",
        "typed_config": any_message(
            "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig",
            stat_prefix=stat_prefix,
            matcher={"on_no_match": {"action": {"name": "route", "typed_config": route}}},
        ),
    }
