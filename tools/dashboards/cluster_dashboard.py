# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of clusters: hosts, requests, connections and the limits of their circuit breakers."""

from __future__ import annotations

from panels import (
    CLUSTER,
    CLUSTERS,
    DashboardData,
    Panel,
    Row,
    Variable,
    lines,
    number,
    per_second,
    quantile,
    rate,
    share,
    total,
)
from variables import ENVOY_VARIABLES

NAME = "envoy_cluster_name"
LEGEND = "{{envoy_cluster_name}}"
FAILED = rate("envoy_cluster_upstream_rq_xx", f'{CLUSTER}, envoy_response_code_class="5"')
COMPLETED = rate("envoy_cluster_upstream_rq_completed", CLUSTER)
HEALTHY_SHARE = (
    f"{total('envoy_cluster_membership_healthy', CLUSTER, NAME)} / "
    f"{total('envoy_cluster_membership_total', CLUSTER, NAME)}"
)


def counters(title: str, unit: str, description: str, *named: tuple[str, str]) -> Panel:
    """Return a panel with the rates of several counters of clusters."""
    queries = (
        (per_second(f"envoy_cluster_{metric}", CLUSTER, NAME), f"{LEGEND} {legend}")
        for metric, legend in named
    )
    return lines(title, unit, description, *queries)


def gauges(title: str, unit: str, description: str, *named: tuple[str, str]) -> Panel:
    """Return a panel with several gauges of clusters."""
    queries = (
        (total(f"envoy_cluster_{metric}", CLUSTER, NAME), f"{LEGEND} {legend}") for metric, legend in named
    )
    return lines(title, unit, description, *queries)


def open_breaker(kind: str) -> tuple[str, str]:
    """Return the query for a circuit breaker: 1 if it is open at any Envoy."""
    return (
        f"max by ({NAME}) (envoy_cluster_circuit_breakers_default_{kind}_open{{{CLUSTER}}})",
        f"{LEGEND} {kind}",
    )


CLUSTER_DASHBOARD = DashboardData(
    "clusters",
    "Envoy: clusters",
    "Hosts, requests, connections and limits of clusters",
    (
        *ENVOY_VARIABLES,
        Variable("cluster", "Cluster", f"label_values(envoy_cluster_membership_total{{{CLUSTERS}}}, {NAME})"),
    ),
    (
        Row(
            "Now",
            (
                number(
                    "Healthy hosts",
                    "short",
                    "Hosts that get requests",
                    total("envoy_cluster_membership_healthy", CLUSTER),
                ),
                number(
                    "Hosts",
                    "short",
                    "Hosts of all clusters",
                    total("envoy_cluster_membership_total", CLUSTER),
                ),
                number(
                    "Ejected hosts",
                    "short",
                    "Hosts that outlier detection has ejected",
                    total("envoy_cluster_outlier_detection_ejections_active", CLUSTER),
                    (1, 2),
                ),
                number(
                    "5xx",
                    "percentunit",
                    "Share of responses with status 5xx",
                    share(FAILED, COMPLETED),
                    (0.001, 0.01),
                ),
            ),
        ),
        Row(
            "Hosts",
            (
                lines(
                    "Share of healthy hosts",
                    "percentunit",
                    "Below 50%, Envoy sends requests to all hosts (panic mode)",
                    (
                        HEALTHY_SHARE,
                        LEGEND,
                    ),
                ),
                gauges(
                    "Membership",
                    "short",
                    "Hosts by their state",
                    ("membership_healthy", "healthy"),
                    ("membership_degraded", "degraded"),
                    ("membership_excluded", "excluded"),
                ),
                counters(
                    "Health checks",
                    "ops",
                    "Active health checks and their failures",
                    ("health_check_attempt", "checks"),
                    ("health_check_failure", "failures"),
                ),
                counters(
                    "Ejections",
                    "ops",
                    "Hosts that outlier detection ejected, and ejections above its limit",
                    ("outlier_detection_ejections_enforced_total", "ejected"),
                    ("outlier_detection_ejections_overflow", "overflow"),
                ),
                counters(
                    "Requests in panic mode",
                    "reqps",
                    "Requests to any host, because too few hosts are healthy",
                    ("lb_healthy_panic", "panic"),
                ),
                counters(
                    "Changes of membership",
                    "ops",
                    "Updates that changed the hosts",
                    ("membership_change", "changes"),
                ),
            ),
        ),
        Row(
            "Requests",
            (
                counters("Requests", "reqps", "Requests that Envoys forwarded", ("upstream_rq_total", "")),
                lines(
                    "Responses by class",
                    "reqps",
                    "Responses by the first digit of their status",
                    (
                        per_second(
                            "envoy_cluster_upstream_rq_xx", CLUSTER, f"{NAME}, envoy_response_code_class"
                        ),
                        f"{LEGEND} {{{{envoy_response_code_class}}}}xx",
                    ),
                ),
                lines(
                    "Latency",
                    "ms",
                    "Quantiles of the time from the forwarded request to the end of the response",
                    *(
                        (
                            quantile(q, "envoy_cluster_upstream_rq_time", CLUSTER, NAME),
                            f"{LEGEND} p{q * 100:g}",
                        )
                        for q in (0.5, 0.99)
                    ),
                ),
                counters(
                    "Retries",
                    "reqps",
                    "Repeated requests, successes, and retries that a circuit breaker refused",
                    ("upstream_rq_retry", "retries"),
                    ("upstream_rq_retry_success", "successes"),
                    ("upstream_rq_retry_overflow", "overflow"),
                ),
                counters(
                    "Timeouts and resets",
                    "reqps",
                    "Forwarded requests without a complete response",
                    ("upstream_rq_timeout", "timeout"),
                    ("upstream_rq_rx_reset", "reset by the host"),
                    ("upstream_rq_tx_reset", "reset by Envoy"),
                    ("upstream_rq_pending_failure_eject", "connection failed"),
                ),
                gauges(
                    "Active and pending requests",
                    "short",
                    "Forwarded requests, and those that wait for a connection",
                    ("upstream_rq_active", "active"),
                    ("upstream_rq_pending_active", "pending"),
                ),
            ),
        ),
        Row(
            "Connections and limits",
            (
                gauges("Open connections", "short", "Connections to hosts", ("upstream_cx_active", "")),
                counters(
                    "New connections",
                    "cps",
                    "Connections that Envoys opened, and those that failed",
                    ("upstream_cx_total", "opened"),
                    ("upstream_cx_connect_fail", "failed"),
                    ("upstream_cx_connect_timeout", "timeout"),
                ),
                lines(
                    "Time to connect",
                    "ms",
                    "99th percentile of the time to open a connection",
                    (quantile(0.99, "envoy_cluster_upstream_cx_connect_ms", CLUSTER, NAME), LEGEND),
                ),
                counters(
                    "Bytes",
                    "Bps",
                    "Bytes to and from hosts",
                    ("upstream_cx_tx_bytes_total", "sent"),
                    ("upstream_cx_rx_bytes_total", "received"),
                ),
                lines(
                    "Open circuit breakers",
                    "short",
                    "1 if a limit is reached at any Envoy",
                    *map(open_breaker, ("cx", "rq", "rq_pending", "rq_retry")),
                ),
                counters(
                    "Requests above a limit",
                    "reqps",
                    "Requests and connections that a circuit breaker refused",
                    ("upstream_rq_pending_overflow", "pending requests"),
                    ("upstream_cx_overflow", "connections"),
                ),
            ),
        ),
    ),
)
