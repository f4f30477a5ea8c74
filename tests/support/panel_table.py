# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The expected values of all queries of the dashboards: `dashboard/panel`, then one entry for each query."""

from __future__ import annotations

from panel_expectations import Computed, Expectation, OnPage, Quantile, Reading, Total, share, summary

RQ = "http.{listener}.downstream_rq_"
CX = "http.{listener}.downstream_cx_"
UP = "cluster.{cluster}.upstream_"
CLUSTER = "cluster.{cluster}."
ADDRESS = "listener.{address}."
FAILED = share(f"{RQ}5xx", f"{RQ}completed")
NO_CERTIFICATE = 4294967295


def numbers(*templates: str) -> tuple[Total, ...]:
    """Return sums, one for each query."""
    return tuple(map(Total, templates))


def each(prefix: str, *names: str) -> tuple[Total, ...]:
    """Return sums of stats with the same prefix."""
    return numbers(*(prefix + name for name in names))


def breaker(kind: str) -> Computed:
    """Return whether a circuit breaker is open at any Envoy."""
    return summary(f"{CLUSTER}circuit_breakers.default.{kind}_open", max)


def first_certificate(reading: Reading, labels: dict[str, str]) -> float:
    """Return the days until the first certificate expires."""
    days = [
        one.stats["server.days_until_first_cert_expiring"]
        for one in reading.envoys
        if one.is_selected(labels)
    ]
    return min(number for number in days if number != NO_CERTIFICATE)


def certificate_of_listener(reading: Reading, labels: dict[str, str]) -> float:
    """Return the days until the certificate of a listener expires."""
    address = labels["envoy_listener_address"]
    pattern = f"listener.{address}.ssl.certificate."
    [expires] = [
        value
        for one in reading.envoys
        if one.is_selected(labels)
        for name, value in one.stats.items()
        if name.startswith(pattern) and name.endswith("expiration_unix_time_seconds")
    ]
    return (expires - reading.time) / 86400


def mean_time(reading: Reading, labels: dict[str, str]) -> float:
    """Return the mean of the samples of a cluster's histogram of request times, from the middle of each bucket."""
    found = [
        one.histograms[name]
        for one in reading.envoys
        if one.is_selected(labels)
        for name in one.names(f"{UP}rq_time", labels)
    ]
    samples = [
        ((lower + upper) / 2 if lower else 0, number)
        for one in found
        for lower, upper, number in one["buckets"]
    ]
    return sum(middle * number for middle, number in samples) / sum(number for _middle, number in samples)


def lost(reading: Reading, labels: dict[str, str]) -> float:
    """Return the requests that the Envoys counted and the exporter did not."""
    return reading.total(f"{UP}rq_total", labels) - reading.on_page("envoy_cluster_upstream_rq_total", labels)


def count_of_envoys(reading: Reading, labels: dict[str, str]) -> float:
    """Return the number of Envoys."""
    return len(reading.envoys)


def ratio_of_healthy(reading: Reading, labels: dict[str, str]) -> float:
    """Return the share of healthy hosts."""
    healthy = reading.total(f"{CLUSTER}membership_healthy", labels)
    return healthy / reading.total(f"{CLUSTER}membership_total", labels)


EXPECTED: dict[str, tuple[Expectation, ...]] = {
    "edge/Requests": numbers(f"{RQ}total"),
    "edge/5xx": (FAILED,),
    "edge/p99": (Quantile(0.99, f"{RQ}time"),),
    "edge/Connections": numbers(f"{CX}active"),
    "edge/Requests by listener": numbers(f"{RQ}total"),
    "edge/Responses by class": numbers(f"{RQ}{{class}}xx"),
    "edge/5xx by listener": (FAILED,),
    "edge/Latency": tuple(Quantile(number, f"{RQ}time") for number in (0.5, 0.9, 0.99)),
    "edge/Active requests": numbers(f"{RQ}active"),
    "edge/Requests by protocol": each(RQ, "http1_total", "http2_total", "http3_total"),
    "edge/Requests without a complete response": each(
        RQ, "timeout", "rx_reset", "tx_reset", "overload_close"
    ),
    "edge/Requests without a destination": each("http.{listener}.", "no_route", "no_cluster"),
    "edge/Open connections": numbers(f"{CX}active"),
    "edge/New connections": numbers(f"{CX}total"),
    "edge/Bytes": each(CX, "rx_bytes_total", "tx_bytes_total"),
    "edge/TLS handshakes": numbers(f"{ADDRESS}ssl.handshake"),
    "edge/TLS errors": each(
        f"{ADDRESS}ssl.", "connection_error", "fail_verify_error", "fail_verify_no_cert", "fail_verify_san"
    ),
    "edge/Refused connections": each(
        ADDRESS, "downstream_cx_overflow", "downstream_global_cx_overflow", "no_filter_chain_match"
    ),
    "services/Services": (Total(f"{RQ}total"), FAILED, Quantile(0.99, f"{RQ}time"), Total(f"{RQ}active")),
    "services/Requests": numbers(f"{RQ}total"),
    "services/5xx": (FAILED,),
    "services/4xx": numbers(f"{RQ}4xx"),
    "services/p50": (Quantile(0.5, f"{RQ}time"),),
    "services/p99": (Quantile(0.99, f"{RQ}time"),),
    "services/Active requests": numbers(f"{RQ}active"),
    "services/Forwarded requests": numbers(f"{UP}rq_total"),
    "services/Mean latency of clusters": (Computed(mean_time),),
    "services/Retries": numbers(f"{UP}rq_retry"),
    "services/Timeouts": numbers(f"{UP}rq_timeout"),
    "clusters/Healthy hosts": numbers(f"{CLUSTER}membership_healthy"),
    "clusters/Hosts": numbers(f"{CLUSTER}membership_total"),
    "clusters/Ejected hosts": numbers(f"{CLUSTER}outlier_detection.ejections_active"),
    "clusters/5xx": (share(f"{UP}rq_5xx", f"{UP}rq_completed"),),
    "clusters/Share of healthy hosts": (Computed(ratio_of_healthy),),
    "clusters/Membership": each(CLUSTER, "membership_healthy", "membership_degraded", "membership_excluded"),
    "clusters/Health checks": each(CLUSTER, "health_check.attempt", "health_check.failure"),
    "clusters/Ejections": each(
        f"{CLUSTER}outlier_detection.", "ejections_enforced_total", "ejections_overflow"
    ),
    "clusters/Requests in panic mode": numbers(f"{CLUSTER}lb_healthy_panic"),
    "clusters/Changes of membership": numbers(f"{CLUSTER}membership_change"),
    "clusters/Requests": numbers(f"{UP}rq_total"),
    "clusters/Responses by class": numbers(f"{UP}rq_{{class}}xx"),
    "clusters/Latency": tuple(Quantile(number, f"{UP}rq_time") for number in (0.5, 0.99)),
    "clusters/Retries": each(UP, "rq_retry", "rq_retry_success", "rq_retry_overflow"),
    "clusters/Timeouts and resets": each(
        UP, "rq_timeout", "rq_rx_reset", "rq_tx_reset", "rq_pending_failure_eject"
    ),
    "clusters/Active and pending requests": each(UP, "rq_active", "rq_pending_active"),
    "clusters/Open connections": each(UP, "cx_active"),
    "clusters/New connections": each(UP, "cx_total", "cx_connect_fail", "cx_connect_timeout"),
    "clusters/Time to connect": (Quantile(0.99, f"{UP}cx_connect_ms"),),
    "clusters/Bytes": each(UP, "cx_tx_bytes_total", "cx_rx_bytes_total"),
    "clusters/Open circuit breakers": tuple(map(breaker, ("cx", "rq", "rq_pending", "rq_retry"))),
    "clusters/Requests above a limit": each(UP, "rq_pending_overflow", "cx_overflow"),
    "statsd/Lines": (OnPage("statsd_exporter_lines_total"),),
    "statsd/Lost packets": (OnPage("statsd_exporter_udp_packet_drops_total"),),
    "statsd/Mappings": (OnPage("statsd_exporter_loaded_mappings"),),
    "statsd/Difference": (Computed(lost),),
    "statsd/Packets": (
        OnPage("statsd_exporter_udp_packets_total"),
        OnPage("statsd_exporter_udp_packet_drops_total"),
    ),
    "statsd/TCP connections": (
        OnPage("statsd_exporter_tcp_connections_total"),
        OnPage("statsd_exporter_tcp_connection_errors_total"),
    ),
    "statsd/Events by type": (OnPage("statsd_exporter_events_total"),),
    "statsd/Faults": tuple(
        OnPage(f"statsd_exporter_{name}_total")
        for name in ("sample_errors", "tag_errors", "events_unmapped", "events_conflict")
    ),
    "statsd/Flushes that Envoy dropped": numbers("server.dropped_stat_flushes"),
    "statsd/Series": (OnPage("statsd_exporter_metrics_total"),),
    "statsd/Requests by source": (Total(f"{UP}rq_total"), OnPage("envoy_cluster_upstream_rq_total")),
    "statsd/Requests by cluster": (OnPage("envoy_cluster_upstream_rq_total"),),
    "statsd/Latency by cluster": (Quantile(0.99, "envoy_cluster_upstream_rq_time", on_page=True),),
    "statsd/Memory of the exporter": (OnPage("process_resident_memory_bytes"),),
    "statsd/CPU of the exporter": (OnPage("process_cpu_seconds_total"),),
    "fleet/Unreachable": (Computed(lambda reading, labels: 0),),
    "fleet/Versions": (Computed(lambda reading, labels: 1),),
    "fleet/First certificate": (Computed(first_certificate),),
    "fleet/Envoys": (
        Total(f"{RQ}total"),
        FAILED,
        Total("server.total_connections"),
        Total("server.memory_physical_size"),
        Total("server.uptime"),
        Computed(first_certificate),
    ),
    "fleet/Available": (Computed(count_of_envoys),),
    "fleet/Requests by host": numbers(f"{RQ}total"),
    "fleet/Requests": numbers(f"{RQ}total"),
    "fleet/5xx": (FAILED,),
    "fleet/Connections": numbers("server.total_connections"),
    "fleet/Memory": numbers("server.memory_physical_size"),
    "fleet/Watchdog": numbers("server.worker_0.watchdog_miss", "server.main_thread.watchdog_miss"),
    "fleet/State": numbers("server.state"),
    "fleet/Uptime": numbers("server.uptime"),
    "fleet/Hot restarts": numbers("server.hot_restart_epoch"),
    "fleet/Accepted updates": numbers(
        "listener_manager.lds.update_success", "cluster_manager.cds.update_success"
    ),
    "fleet/Rejected updates": numbers(
        "listener_manager.lds.update_rejected",
        "cluster_manager.cds.update_rejected",
        "http.{listener}.rds.{listener}.update_rejected",
        "sds.tls_certificate.update_rejected",
    ),
    "fleet/Listeners and clusters": numbers(
        "listener_manager.total_listeners_active", "cluster_manager.active_clusters"
    ),
    "fleet/Not ready": numbers(
        "listener_manager.total_listeners_warming",
        "listener_manager.total_listeners_draining",
        "cluster_manager.warming_clusters",
    ),
    "fleet/Certificates by Envoy": (Computed(first_certificate),),
    "fleet/Certificates by listener": (Computed(certificate_of_listener),),
}
# Gauges that change while the test reads them, and the share by which they can.
CHANGING = {
    "fleet/Memory/A": 0.5,
    "fleet/Envoys/C": 2.0,
    "fleet/Envoys/D": 0.5,
    "fleet/Connections/A": 2.0,
    "statsd/Memory of the exporter/A": 0.5,
    "services/Mean latency of clusters/A": 0.2,
}
