# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of a fleet: Envoys on several hosts."""

from __future__ import annotations

from panels import (
    ENVOY,
    ENVOY_LEGEND,
    ENVOYS,
    LISTENERS,
    WINDOW,
    DashboardData,
    Row,
    lines,
    number,
    per_second,
    table,
    total,
)
from variables import ENVOY_VARIABLES, failed_share

# Envoy reports the largest number of 32 bits if it has no certificate.
DAYS = f"envoy_server_days_until_first_cert_expiring{{{ENVOYS}}} < 4294967295"
CERTIFICATES = f"envoy_listener_ssl_certificate_expiration_unix_time_seconds{{{ENVOYS}}}"
EXPIRES_IN_DAYS = f"(min by ({ENVOY}, envoy_listener_address) ({CERTIFICATES}) - time()) / 86400"
# The kinds of configuration that Envoy receives, and the beginnings of the names of their counters.
UPDATES = {
    "listeners": "listener_manager_lds",
    "clusters": "cluster_manager_cds",
    "routes": "http_rds",
    "secrets": "sds",
}


def updates(result: str, *kinds: str) -> tuple[tuple[str, str], ...]:
    """Return the queries for the updates with a result: `success` or `rejected`."""
    return tuple(
        (
            f"sum by ({ENVOY}) (increase(envoy_{UPDATES[kind]}_update_{result}{{{ENVOYS}}}[{WINDOW}]))",
            f"{ENVOY_LEGEND} {kind}",
        )
        for kind in kinds
    )


FLEET = DashboardData(
    "fleet",
    "Envoy: fleet",
    "All Envoys by host: availability, versions, load, memory, configuration and certificates",
    ENVOY_VARIABLES,
    (
        Row(
            "Now",
            (
                number("Available", "short", "Envoys that Prometheus reads", total("up", ENVOYS)),
                number(
                    "Unreachable",
                    "short",
                    "Targets that do not answer",
                    f"count(up{{{ENVOYS}}}) - sum(up{{{ENVOYS}}})",
                    (1, 1),
                ),
                number(
                    "Versions",
                    "short",
                    "Number of different builds",
                    f'count(count_values("build", envoy_server_version{{{ENVOYS}}}))',
                    (2, 3),
                ),
                number("First certificate", "d", "Days until the first certificate expires", f"min({DAYS})"),
            ),
        ),
        Row(
            "Envoys",
            (
                table(
                    "Envoys",
                    "Each Envoy now",
                    (per_second("envoy_http_downstream_rq_total", LISTENERS, ENVOY), "requests", "reqps"),
                    (failed_share(LISTENERS, ENVOY), "5xx", "percentunit"),
                    (total("envoy_server_total_connections", ENVOYS, ENVOY), "connections", "short"),
                    (total("envoy_server_memory_physical_size", ENVOYS, ENVOY), "memory", "bytes"),
                    (total("envoy_server_uptime", ENVOYS, ENVOY), "uptime", "s"),
                    (f"min by ({ENVOY}) ({DAYS})", "certificate", "d"),
                ),
            ),
        ),
        Row(
            "Load",
            (
                lines(
                    "Requests by host",
                    "reqps",
                    "Requests of clients and of other services",
                    (per_second("envoy_http_downstream_rq_total", LISTENERS, "host"), "{{host}}"),
                ),
                lines(
                    "Requests",
                    "reqps",
                    "Requests of each Envoy",
                    (per_second("envoy_http_downstream_rq_total", LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "5xx",
                    "percentunit",
                    "Share of responses with status 5xx",
                    (failed_share(LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Connections",
                    "short",
                    "Connections of clients",
                    (total("envoy_server_total_connections", ENVOYS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Memory",
                    "bytes",
                    "Physical memory that the allocator uses",
                    (total("envoy_server_memory_physical_size", ENVOYS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Watchdog",
                    "ops",
                    "Threads that did not answer for 200 ms",
                    (
                        per_second("envoy_server_worker_watchdog_miss", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} workers",
                    ),
                    (
                        per_second("envoy_server_main_thread_watchdog_miss", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} main thread",
                    ),
                ),
            ),
        ),
        Row(
            "State",
            (
                lines(
                    "State",
                    "short",
                    "0: live, 1: draining, 2: before initialization, 3: initialization",
                    (total("envoy_server_state", ENVOYS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Uptime",
                    "s",
                    "Time since the start; a fall is a restart",
                    (total("envoy_server_uptime", ENVOYS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Hot restarts",
                    "short",
                    "Number of hot restarts",
                    (total("envoy_server_hot_restart_epoch", ENVOYS, ENVOY), ENVOY_LEGEND),
                ),
            ),
        ),
        Row(
            "Configuration",
            (
                lines(
                    "Accepted updates",
                    "short",
                    "Updates of listeners and of clusters",
                    *updates("success", "listeners", "clusters"),
                ),
                lines(
                    "Rejected updates",
                    "short",
                    "Updates of listeners, clusters, routes and secrets that Envoy rejected",
                    *updates("rejected", *UPDATES),
                ),
                lines(
                    "Listeners and clusters",
                    "short",
                    "Active listeners and clusters",
                    (
                        total("envoy_listener_manager_total_listeners_active", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} listeners",
                    ),
                    (
                        total("envoy_cluster_manager_active_clusters", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} clusters",
                    ),
                ),
                lines(
                    "Not ready",
                    "short",
                    "Listeners that warm up or drain, and clusters that warm up",
                    (
                        total("envoy_listener_manager_total_listeners_warming", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} warming listeners",
                    ),
                    (
                        total("envoy_listener_manager_total_listeners_draining", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} draining listeners",
                    ),
                    (
                        total("envoy_cluster_manager_warming_clusters", ENVOYS, ENVOY),
                        f"{ENVOY_LEGEND} warming clusters",
                    ),
                ),
                lines(
                    "Certificates by Envoy",
                    "d",
                    "Days until the first certificate expires",
                    (f"min by ({ENVOY}) ({DAYS})", ENVOY_LEGEND),
                ),
                lines(
                    "Certificates by listener",
                    "d",
                    "Days until the certificate of a listener expires",
                    (
                        EXPIRES_IN_DAYS,
                        f"{ENVOY_LEGEND} {{{{envoy_listener_address}}}}",
                    ),
                ),
            ),
        ),
    ),
)
