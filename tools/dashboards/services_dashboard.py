# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboard of services: what the Envoy of each service receives and forwards."""

from __future__ import annotations

from panels import (
    CLUSTERS,
    ENVOY,
    ENVOY_LEGEND,
    LISTENERS,
    DashboardData,
    Row,
    lines,
    mean,
    per_second,
    quantile,
    table,
    total,
)
from variables import CODE, ENVOY_VARIABLES, failed_share

SERVICES = DashboardData(
    "services",
    "Envoy: services",
    "Requests, errors and latency of each service at its own Envoy",
    ENVOY_VARIABLES,
    (
        Row(
            "Services",
            (
                table(
                    "Services",
                    "Each Envoy now",
                    (per_second("envoy_http_downstream_rq_total", LISTENERS, ENVOY), "requests", "reqps"),
                    (failed_share(LISTENERS, ENVOY), "5xx", "percentunit"),
                    (quantile(0.99, "envoy_http_downstream_rq_time", LISTENERS, ENVOY), "p99", "ms"),
                    (total("envoy_http_downstream_rq_active", LISTENERS, ENVOY), "active", "short"),
                ),
            ),
        ),
        Row(
            "Received requests",
            (
                lines(
                    "Requests",
                    "reqps",
                    "Requests that each Envoy received",
                    (per_second("envoy_http_downstream_rq_total", LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "5xx",
                    "percentunit",
                    "Share of responses with status 5xx",
                    (failed_share(LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "4xx",
                    "reqps",
                    "Responses with status 4xx",
                    (
                        per_second("envoy_http_downstream_rq_xx", f'{LISTENERS}, {CODE}="4"', ENVOY),
                        ENVOY_LEGEND,
                    ),
                ),
                lines(
                    "p50",
                    "ms",
                    "Median of the time from the request to the end of the response",
                    (quantile(0.5, "envoy_http_downstream_rq_time", LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "p99",
                    "ms",
                    "99th percentile of the time from the request to the end of the response",
                    (quantile(0.99, "envoy_http_downstream_rq_time", LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
                lines(
                    "Active requests",
                    "short",
                    "Requests without the end of their response",
                    (total("envoy_http_downstream_rq_active", LISTENERS, ENVOY), ENVOY_LEGEND),
                ),
            ),
        ),
        Row(
            "Forwarded requests",
            (
                lines(
                    "Forwarded requests",
                    "reqps",
                    "Requests to each cluster",
                    (
                        per_second("envoy_cluster_upstream_rq_total", CLUSTERS, "proxy, envoy_cluster_name"),
                        "{{proxy}} to {{envoy_cluster_name}}",
                    ),
                ),
                lines(
                    "Mean latency of clusters",
                    "ms",
                    "Mean time from a forwarded request to the end of its response",
                    (
                        mean("envoy_cluster_upstream_rq_time", CLUSTERS, "proxy, envoy_cluster_name"),
                        "{{proxy}} to {{envoy_cluster_name}}",
                    ),
                ),
                lines(
                    "Retries",
                    "reqps",
                    "Repeated requests",
                    (per_second("envoy_cluster_upstream_rq_retry", CLUSTERS, "proxy"), "{{proxy}}"),
                ),
                lines(
                    "Timeouts",
                    "reqps",
                    "Forwarded requests that a timeout ended",
                    (per_second("envoy_cluster_upstream_rq_timeout", CLUSTERS, "proxy"), "{{proxy}}"),
                ),
            ),
        ),
    ),
)
