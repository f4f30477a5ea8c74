# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of the path of stats over statsd."""

from __future__ import annotations

from panels import (
    ENVOY,
    ENVOY_LEGEND,
    EXPORTER,
    WINDOW,
    DashboardData,
    Row,
    Variable,
    lines,
    number,
    per_second,
    quantile,
    rate,
    total,
)
from variables import DEMO, JOB

# The address of an endpoint and the name of a cluster differ between sidecars, so both sides are sums.
REQUESTS = "envoy_cluster_upstream_rq_total"
CLUSTERS_OF_BOTH = 'envoy_cluster_name!="admin"'


def faults(metric: str, legend: str) -> tuple[str, str]:
    """Return the query for a counter of faults, which does not exist before its first fault."""
    zero = f"0 * {per_second('statsd_exporter_lines_total', EXPORTER)}"
    return f"{per_second(f'statsd_exporter_{metric}_total', EXPORTER)} or {zero}", legend


STATSD = DashboardData(
    "statsd",
    "Envoy: statsd path",
    "The stats that Envoys send over statsd: what the exporter receives, loses, and reports",
    (
        JOB,
        Variable("exporter", "Exporter", "label_values(statsd_exporter_build_info, job)", several=False),
        DEMO,
    ),
    (
        Row(
            "Now",
            (
                number(
                    "Lines",
                    "ops",
                    "Lines that the exporter received",
                    per_second("statsd_exporter_lines_total", EXPORTER),
                ),
                number(
                    "Lost packets",
                    "ops",
                    "UDP packets that the queue of the exporter dropped",
                    per_second("statsd_exporter_udp_packet_drops_total", EXPORTER),
                    (0.001, 1),
                ),
                number(
                    "Mappings",
                    "short",
                    "Rules of the mapping. 0: the exporter has no mapping",
                    total("statsd_exporter_loaded_mappings", EXPORTER),
                ),
                number(
                    "Difference",
                    "reqps",
                    "Requests per second that Envoys counted and the exporter did not",
                    f'sum(rate({REQUESTS}{{job="$job", demo=~"$demo", {CLUSTERS_OF_BOTH}}}[{WINDOW}])) - '
                    f"sum(rate({REQUESTS}{{{EXPORTER}, {CLUSTERS_OF_BOTH}}}[{WINDOW}]))",
                ),
            ),
        ),
        Row(
            "Reception",
            (
                lines(
                    "Packets",
                    "pps",
                    "UDP packets, and packets that were dropped",
                    (per_second("statsd_exporter_udp_packets_total", EXPORTER), "received"),
                    (per_second("statsd_exporter_udp_packet_drops_total", EXPORTER), "dropped"),
                ),
                lines(
                    "TCP connections",
                    "cps",
                    "Connections of statsd sinks over TCP",
                    (per_second("statsd_exporter_tcp_connections_total", EXPORTER), "opened"),
                    (per_second("statsd_exporter_tcp_connection_errors_total", EXPORTER), "failed"),
                ),
                lines(
                    "Events by type",
                    "ops",
                    "Counters, gauges and observations (timers, histograms)",
                    (per_second("statsd_exporter_events_total", EXPORTER, "type"), "{{type}}"),
                ),
                lines(
                    "Faults",
                    "ops",
                    "Lines that are no statsd, tags that are not valid, events without a rule, and conflicts of types",
                    faults("sample_errors", "lines"),
                    faults("tag_errors", "tags"),
                    faults("events_unmapped", "without a rule"),
                    faults("events_conflict", "conflicts"),
                ),
                lines(
                    "Flushes that Envoy dropped",
                    "ops",
                    "Flushes of stats that took longer than the interval",
                    (
                        per_second("envoy_server_dropped_stat_flushes", 'job="$job", demo=~"$demo"', ENVOY),
                        ENVOY_LEGEND,
                    ),
                ),
            ),
        ),
        Row(
            "Result",
            (
                lines(
                    "Series",
                    "short",
                    "Series of the exporter by type",
                    (total("statsd_exporter_metrics_total", EXPORTER, "type"), "{{type}}"),
                ),
                lines(
                    "Requests by source",
                    "reqps",
                    "The same requests, as Envoys and as the exporter count them",
                    (
                        f'sum(rate({REQUESTS}{{job="$job", demo=~"$demo", {CLUSTERS_OF_BOTH}}}[{WINDOW}]))',
                        "Envoy",
                    ),
                    (f"sum(rate({REQUESTS}{{{EXPORTER}, {CLUSTERS_OF_BOTH}}}[{WINDOW}]))", "statsd_exporter"),
                ),
                lines(
                    "Requests by cluster",
                    "reqps",
                    "Requests of all Envoys, from the exporter",
                    (
                        per_second(REQUESTS, f"{EXPORTER}, {CLUSTERS_OF_BOTH}", "envoy_cluster_name"),
                        "{{envoy_cluster_name}}",
                    ),
                ),
                lines(
                    "Latency by cluster",
                    "s",
                    "99th percentile, from the timers of the exporter. Its buckets are in seconds",
                    (
                        quantile(
                            0.99,
                            "envoy_cluster_upstream_rq_time",
                            f"{EXPORTER}, {CLUSTERS_OF_BOTH}",
                            "envoy_cluster_name",
                        ),
                        "{{envoy_cluster_name}} p99",
                    ),
                ),
                lines(
                    "Memory of the exporter",
                    "bytes",
                    "Resident memory",
                    (f"process_resident_memory_bytes{{{EXPORTER}}}", "{{instance}}"),
                ),
                lines(
                    "CPU of the exporter",
                    "percentunit",
                    "Used processors",
                    (rate("process_cpu_seconds_total", EXPORTER), "{{instance}}"),
                ),
            ),
        ),
    ),
)
