# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of the edge: requests and connections of clients."""

from __future__ import annotations

from panels import (
    ENVOYS,
    LISTENER,
    LISTENERS,
    DashboardData,
    Row,
    Variable,
    lines,
    number,
    per_second,
    quantile,
    total,
)
from variables import CODE, ENVOY_VARIABLES, failed_share

PREFIX = "envoy_http_conn_manager_prefix"
BY_LISTENER = "{{envoy_http_conn_manager_prefix}}"
EDGE = DashboardData(
    "edge",
    "Envoy: edge",
    "Requests and connections of clients, by listener",
    (
        *ENVOY_VARIABLES,
        Variable(
            "listener", "Listener", f"label_values(envoy_http_downstream_rq_total{{{LISTENERS}}}, {PREFIX})"
        ),
    ),
    (
        Row(
            "Now",
            (
                number(
                    "Requests",
                    "reqps",
                    "Requests per second",
                    per_second("envoy_http_downstream_rq_total", LISTENER),
                ),
                number(
                    "5xx",
                    "percentunit",
                    "Share of responses with status 5xx",
                    failed_share(LISTENER),
                    (0.001, 0.01),
                ),
                number(
                    "p99",
                    "ms",
                    "99th percentile of the time from the request to the end of the response",
                    quantile(0.99, "envoy_http_downstream_rq_time", LISTENER),
                ),
                number(
                    "Connections",
                    "short",
                    "Open connections of clients",
                    total("envoy_http_downstream_cx_active", LISTENER),
                ),
            ),
        ),
        Row(
            "Requests",
            (
                lines(
                    "Requests by listener",
                    "reqps",
                    "Requests that clients sent",
                    (per_second("envoy_http_downstream_rq_total", LISTENER, PREFIX), BY_LISTENER),
                ),
                lines(
                    "Responses by class",
                    "reqps",
                    "Responses by the first digit of their status",
                    (
                        per_second("envoy_http_downstream_rq_xx", LISTENER, CODE),
                        "{{envoy_response_code_class}}xx",
                    ),
                ),
                lines(
                    "5xx by listener",
                    "percentunit",
                    "Share of responses with status 5xx",
                    (failed_share(LISTENER, PREFIX), BY_LISTENER),
                ),
                lines(
                    "Latency",
                    "ms",
                    "Quantiles of the time from the request to the end of the response",
                    *(
                        (quantile(q, "envoy_http_downstream_rq_time", LISTENER), f"p{q * 100:g}")
                        for q in (0.5, 0.9, 0.99)
                    ),
                ),
                lines(
                    "Active requests",
                    "short",
                    "Requests without the end of their response",
                    (total("envoy_http_downstream_rq_active", LISTENER, PREFIX), BY_LISTENER),
                ),
                lines(
                    "Requests by protocol",
                    "reqps",
                    "Requests by the version of HTTP",
                    *(
                        (per_second(f"envoy_http_downstream_rq_http{n}_total", LISTENER), f"HTTP/{n}")
                        for n in (1, 2, 3)
                    ),
                ),
                lines(
                    "Requests without a complete response",
                    "reqps",
                    "Requests that a timeout, a reset or the overload manager ended",
                    (per_second("envoy_http_downstream_rq_timeout", LISTENER), "timeout"),
                    (per_second("envoy_http_downstream_rq_rx_reset", LISTENER), "reset by the client"),
                    (per_second("envoy_http_downstream_rq_tx_reset", LISTENER), "reset by Envoy"),
                    (per_second("envoy_http_downstream_rq_overload_close", LISTENER), "overload"),
                ),
                lines(
                    "Requests without a destination",
                    "reqps",
                    "Requests that no route matched, or whose cluster does not exist",
                    (per_second("envoy_http_no_route", LISTENER), "no route"),
                    (per_second("envoy_http_no_cluster", LISTENER), "no cluster"),
                ),
            ),
        ),
        Row(
            "Connections",
            (
                lines(
                    "Open connections",
                    "short",
                    "Connections of clients",
                    (total("envoy_http_downstream_cx_active", LISTENER, PREFIX), BY_LISTENER),
                ),
                lines(
                    "New connections",
                    "cps",
                    "Connections that clients opened",
                    (per_second("envoy_http_downstream_cx_total", LISTENER, PREFIX), BY_LISTENER),
                ),
                lines(
                    "Bytes",
                    "Bps",
                    "Bytes of requests and of responses",
                    (per_second("envoy_http_downstream_cx_rx_bytes_total", LISTENER), "received"),
                    (per_second("envoy_http_downstream_cx_tx_bytes_total", LISTENER), "sent"),
                ),
                lines(
                    "TLS handshakes",
                    "ops",
                    "Handshakes with clients, by the address of the listener",
                    (
                        per_second("envoy_listener_ssl_handshake", ENVOYS, "envoy_listener_address"),
                        "{{envoy_listener_address}}",
                    ),
                ),
                lines(
                    "TLS errors",
                    "ops",
                    "Failed handshakes, and certificates of clients that were refused",
                    (per_second("envoy_listener_ssl_connection_error", ENVOYS), "connection error"),
                    (per_second("envoy_listener_ssl_fail_verify_error", ENVOYS), "certificate not valid"),
                    (per_second("envoy_listener_ssl_fail_verify_no_cert", ENVOYS), "no certificate"),
                    (per_second("envoy_listener_ssl_fail_verify_san", ENVOYS), "wrong name"),
                ),
                lines(
                    "Refused connections",
                    "cps",
                    "Connections above a limit, and those that no filter chain matched",
                    (per_second("envoy_listener_downstream_cx_overflow", ENVOYS), "limit of the listener"),
                    (
                        per_second("envoy_listener_downstream_global_cx_overflow", ENVOYS),
                        "limit of the Envoy",
                    ),
                    (per_second("envoy_listener_no_filter_chain_match", ENVOYS), "no filter chain"),
                ),
            ),
        ),
    ),
)
