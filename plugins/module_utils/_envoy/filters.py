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
ACCESS_LOG_FIELDS = {
    "start_time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "user_agent": "%REQ(USER-AGENT)%",
}
# The header of requests that the access log always contains. A verification sends it where it reads the log but not the user agent.
LOGGED_HEADER = "x-meshlab-envoy-logged"
# The user agents of requests that the access log always contains, by their first characters: traffic of this collection, and people.
LOGGED_USER_AGENTS = ("meshlab.envoy", "curl/", "Wget/", "Mozilla/")
SLOW_MS = 1_000
# The key of Envoy's runtime with the percentage of other requests that are logged. An override takes effect without a restart.
PERCENT_KEY = "access_log.percent"
ALL_REQUESTS = 100


def http_connection_manager(
    stat_prefix: str,
    virtual_hosts: Sequence[Mapping[str, Any]],
    http_filters: Sequence[Mapping[str, Any]] = (),
    overrides: Mapping[str, Any] | None = None,
    access_log: Message | None = None,
    protocol: str = "",
    alt_svc_port: int | None = None,
) -> Message:
    """Return the network filter for HTTP.

    Args:
        stat_prefix: The prefix of its stats (`http.<stat_prefix>.`), and the name of its route configuration.
        virtual_hosts: Messages of config.route.v3.VirtualHost.
        http_filters: HTTP filters that run before the router.
        overrides: Fields of HttpConnectionManager that override the generated ones.
        access_log: The access log. None writes none.
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
    if access_log is not None:
        manager["access_log"] = [access_log]
    return {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": overlay(manager, overrides),
    }


def stdout_access_log(percent: int = ALL_REQUESTS) -> Message:
    """Return the access log that writes one JSON object per line to standard output.

    Args:
        percent: The percentage of requests to log. Below ALL_REQUESTS, requests that fail or are slow are always logged, and
            those that have LOGGED_HEADER or one of LOGGED_USER_AGENTS.
    """
    log: Message = {
        "name": "envoy.access_loggers.stdout",
        "typed_config": any_message(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            log_format={"json_format": dict(ACCESS_LOG_FIELDS)},
        ),
    }
    if percent < ALL_REQUESTS:
        log["filter"] = {"or_filter": {"filters": [*_always_logged(), _sampled(percent)]}}
    return log


def _always_logged() -> list[Message]:
    """Return the filters of requests that are always logged. The cheap ones and those that hold most often come first."""

    def at_least(value: int, key: str) -> Message:
        return {"comparison": {"op": "GE", "value": {"default_value": value, "runtime_key": key}}}

    def header(name: str, **match: Any) -> Message:
        return {"header_filter": {"header": {"name": name, **match}}}

    is_grpc = header("content-type", string_match={"prefix": "application/grpc"})
    fails = {"grpc_status_filter": {"statuses": ["OK"], "exclude": True}}
    return [
        *(header("user-agent", string_match={"prefix": prefix}) for prefix in LOGGED_USER_AGENTS),
        {"status_code_filter": at_least(400, "access_log.status")},
        {"response_flag_filter": {}},
        {"duration_filter": at_least(SLOW_MS, "access_log.slow_ms")},
        {"and_filter": {"filters": [is_grpc, fails]}},
        header(LOGGED_HEADER, present_match=True),
    ]


def _sampled(percent: int) -> Message:
    """Return the filter of a percentage of requests.

    It is random: with `use_remote_address`, each proxy sets another x-request-id, because Envoy takes no client for an internal one
    by default.
    """
    share = {"numerator": percent, "denominator": "HUNDRED"}
    return {
        "runtime_filter": {
            "runtime_key": PERCENT_KEY,
            "percent_sampled": share,
            "use_independent_randomness": True,
        }
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
