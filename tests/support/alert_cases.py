# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A case for each alert of playbooks/files/rules: samples, a minute at which it is silent, and a minute at which it fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# The labels of a target, of a listener and of a cluster.
TARGET = {"job": "envoy", "demo": "shop", "proxy": "web", "instance": "10.0.0.1:9901"}
PLACE = {key: TARGET[key] for key in ("job", "demo", "proxy")}
LISTENER = {"envoy_http_conn_manager_prefix": "http"}
CLUSTER = {"envoy_cluster_name": "stock"}
EXPORTER = {"job": "statsd", "demo": "shop", "instance": "10.0.0.2:9102"}
# Envoy's own listener of stats, which no alert is about.
ADMIN = {"envoy_http_conn_manager_prefix": "read_only_admin"}


@dataclass(frozen=True)
class AlertCase:
    """Samples by series, once a minute, in the notation of promtool; when the alert is silent and fires, and its texts."""

    samples: dict[str, str]
    silent: int
    fires: int
    labels: dict[str, str]
    severity: str
    summary: str


def series(metric: str, *labels: dict[str, str], **more: str) -> str:
    """Return the text of a series."""
    merged: dict[str, str] = {}
    for one in (*labels, more):
        merged |= one
    return f"{metric}{{{', '.join(f'{key}={value!r}' for key, value in merged.items())}}}".replace("'", '"')


def failing(per_thousand: float, minutes: int) -> dict[str, str]:
    """Return the samples of a listener with 1000 requests a minute, of which some fail."""
    return {
        series("envoy_http_downstream_rq_completed", TARGET, LISTENER): f"0+1000x{minutes}",
        series("envoy_http_downstream_rq_xx", TARGET, LISTENER, envoy_response_code_class="5"): (
            f"0+{per_thousand}x{minutes}"
        ),
    }


def target_case(metric: str, values: str, silent: int, fires: int, severity: str, text: str) -> AlertCase:
    """Return a case with one series of a target."""
    summary = f"web 10.0.0.1:9901: {text}"
    return AlertCase({series(metric, TARGET): values}, silent, fires, TARGET, severity, summary)


def cluster_case(
    samples: dict[str, str], silent: int, fires: int, severity: str, text: str, *labels: str
) -> AlertCase:
    """Return a case with series of a cluster. `labels` are labels that the alert has in addition."""
    named = {series(f"envoy_cluster_{name}", TARGET, CLUSTER): values for name, values in samples.items()}
    expected = {**PLACE, **CLUSTER, **{label: TARGET[label] for label in labels}}
    return AlertCase(named, silent, fires, expected, severity, f"web stock: {text}")


def rejected(metric: str, kind: str) -> AlertCase:
    """Return a case with a rejected update."""
    return target_case(metric, "0x5 1x10", 4, 8, "ticket", f"rejected an update of {kind}")


def exporter_case(metric: str, values: str, silent: int, fires: int, text: str) -> AlertCase:
    """Return a case with one series of an exporter."""
    return AlertCase(
        {series(metric, EXPORTER): values}, silent, fires, EXPORTER, "ticket", f"10.0.0.2:9102: {text}"
    )


def budget(per_thousand: int, silent: int, fires: int, severity: str, text: str) -> AlertCase:
    """Return a case with a share of failed requests."""
    summary = f"web http: {text} of the requests fail"
    return AlertCase(failing(per_thousand, fires), silent, fires, {**PLACE, **LISTENER}, severity, summary)


CASES: dict[str, AlertCase] = {
    # The factors of 0.1% are 14.4, 6, 3 and 1: each share is above one of them and below the one before.
    "EnvoyErrorBudgetBurnFast": budget(15, 2, 30, "page", "1.5%"),
    "EnvoyErrorBudgetBurnSteady": budget(7, 14, 60, "page", "0.7%"),
    "EnvoyErrorBudgetBurnSlow": budget(4, 55, 120, "ticket", "0.4%"),
    "EnvoyErrorBudgetBurnCreeping": budget(2, 175, 300, "ticket", "0.2%"),
    "EnvoySlowRequests": AlertCase(
        {
            series("envoy_http_downstream_rq_time_bucket", TARGET, LISTENER, le="1000"): "0+90x30",
            series("envoy_http_downstream_rq_time_count", TARGET, LISTENER): "0+100x30",
        },
        8,
        20,
        {**PLACE, **LISTENER},
        "ticket",
        "web http: 10% take more than 1 s",
    ),
    "EnvoyUnreachable": AlertCase(
        {series("up", TARGET): "1x10 0x20", series("envoy_server_live", TARGET): "1x10 stale"},
        11,
        15,
        TARGET,
        "page",
        "web 10.0.0.1:9901: Prometheus cannot read the Envoy",
    ),
    "EnvoyNotLive": target_case("envoy_server_live", "1x5 0x20", 10, 15, "page", "not live"),
    "EnvoyRestarts": target_case(
        "envoy_server_uptime", "0+60x4 0+60x4 0+60x4 0+60x4", 14, 17, "page", "3 restarts in 15 min"
    ),
    "EnvoyWatchdog": AlertCase(
        {
            series("envoy_server_worker_watchdog_mega_miss", TARGET, envoy_worker_id="0"): "0x5 1x10",
            series("envoy_server_main_thread_watchdog_mega_miss", TARGET): "0x15",
        },
        4,
        8,
        TARGET,
        "ticket",
        "web 10.0.0.1:9901: a thread did not answer for 1 s",
    ),
    "EnvoyRefusesConnections": AlertCase(
        {
            series(
                "envoy_listener_downstream_cx_overflow", TARGET, envoy_listener_address="0.0.0.0_80"
            ): "0x5 1+1x20",
            series(
                "envoy_listener_downstream_global_cx_overflow", TARGET, envoy_listener_address="0.0.0.0_80"
            ): "0x25",
        },
        9,
        15,
        TARGET,
        "page",
        "web 10.0.0.1:9901: refuses connections of clients",
    ),
    "EnvoyVersionsDiffer": AlertCase(
        {
            series("envoy_server_version", TARGET): "10x400",
            series("envoy_server_version", {**TARGET, "instance": "10.0.0.3:9901"}): "10x10 11x390",
        },
        360,
        380,
        {"job": "envoy", "demo": "shop"},
        "ticket",
        "shop envoy: Envoys of several versions for 6 h",
    ),
    "EnvoyNoHealthyHosts": cluster_case(
        {"membership_healthy": "2x5 0x10", "membership_total": "2x15"},
        6,
        9,
        "page",
        "no host is healthy",
        "instance",
    ),
    "EnvoyFewHealthyHosts": cluster_case(
        {"membership_healthy": "3x5 1x10", "membership_total": "4x15"},
        9,
        13,
        "page",
        "25% of the hosts are healthy",
        "instance",
    ),
    "EnvoyEjectedHosts": cluster_case(
        {"outlier_detection_ejections_active": "0x5 2x10"},
        7,
        10,
        "ticket",
        "outlier detection has ejected 2 hosts",
        "instance",
    ),
    "EnvoyPanicMode": cluster_case({"lb_healthy_panic": "0x5 1+1x20"}, 9, 15, "page", "panic mode"),
    "EnvoyCircuitBreakerOpen": cluster_case(
        {
            "circuit_breakers_default_cx_open": "0x15",
            "circuit_breakers_default_rq_open": "0x15",
            "circuit_breakers_default_rq_pending_open": "0x5 1x10",
            "circuit_breakers_default_rq_retry_open": "0x15",
        },
        7,
        10,
        "ticket",
        "a circuit breaker is open",
        "instance",
    ),
    "EnvoyConnectFailures": cluster_case(
        {"upstream_cx_connect_fail": "0+1x20", "upstream_cx_total": "0+10x20"},
        5,
        15,
        "page",
        "10% of the connections fail",
    ),
    "EnvoyRetries": cluster_case(
        {"upstream_rq_retry": "0+30x20", "upstream_rq_total": "0+100x20"},
        10,
        15,
        "ticket",
        "30% of the requests are retries",
    ),
    "EnvoyRejectedListeners": rejected("envoy_listener_manager_lds_update_rejected", "listeners"),
    "EnvoyRejectedClusters": rejected("envoy_cluster_manager_cds_update_rejected", "clusters"),
    "EnvoyRejectedRoutes": rejected("envoy_http_rds_update_rejected", "routes"),
    "EnvoyRejectedSecrets": rejected("envoy_sds_update_rejected", "secrets"),
    "EnvoyListenerFailed": target_case(
        "envoy_listener_manager_listener_create_failure",
        "0x5 1x10",
        4,
        8,
        "page",
        "a listener was not created",
    ),
    "EnvoyWarmsUp": target_case(
        "envoy_listener_manager_total_listeners_warming",
        "0x5 1x10",
        10,
        13,
        "ticket",
        "a listener or cluster is not ready",
    ),
    "EnvoyControlPlaneDisconnected": target_case(
        "envoy_control_plane_connected_state",
        "1x5 0x10",
        10,
        13,
        "page",
        "no connection to the control plane",
    ),
    "EnvoyCertificateExpires": target_case(
        "envoy_server_days_until_first_cert_expiring",
        "30x5 29x100",
        65,
        70,
        "ticket",
        "a certificate expires in 29 days",
    ),
    "EnvoyCertificateExpiresSoon": target_case(
        "envoy_server_days_until_first_cert_expiring",
        "7x5 6x20",
        10,
        13,
        "page",
        "a certificate expires in 6 days",
    ),
    "StatsdExporterLosesPackets": exporter_case(
        "statsd_exporter_udp_packet_drops_total", "0x5 1+1x20", 7, 10, "loses statsd packets"
    ),
    "StatsdExporterFaults": exporter_case(
        "statsd_exporter_sample_errors_total", "0x5 1+1x20", 9, 13, "rejects statsd lines"
    ),
    "StatsdExporterWithoutMapping": exporter_case(
        "statsd_exporter_loaded_mappings", "3x5 0x20", 10, 13, "has no mapping"
    ),
    "EnvoyDropsStatFlushes": target_case(
        "envoy_server_dropped_stat_flushes", "0x5 1+1x30", 15, 20, "ticket", "drops flushes of stats"
    ),
}
# The samples of an hour in which no alert fires: traffic, a restart, an update, no certificate, failures of the admin's listener.
HEALTHY: dict[str, str] = {
    **failing(0, 60),
    series("envoy_http_downstream_rq_completed", TARGET, ADMIN): "0+60x60",
    series("envoy_http_downstream_rq_xx", TARGET, ADMIN, envoy_response_code_class="5"): "0+60x60",
    series("envoy_http_downstream_rq_time_bucket", TARGET, LISTENER, le="1000"): "0+100x60",
    series("envoy_http_downstream_rq_time_count", TARGET, LISTENER): "0+100x60",
    # The buckets of statsd_exporter are in seconds, so it has none with 1000.
    series("envoy_http_downstream_rq_time_bucket", EXPORTER, LISTENER, le="1"): "0+100x60",
    series("envoy_http_downstream_rq_time_count", EXPORTER, LISTENER): "0+100x60",
    series("up", TARGET): "1x60",
    # A target that is no Envoy.
    series("up", {**TARGET, "job": "node"}): "0x60",
    series("envoy_server_live", TARGET): "1x60",
    series("envoy_server_uptime", TARGET): "0+60x30 0+60x30",
    series("envoy_server_days_until_first_cert_expiring", TARGET): "4294967295x60",
    series("envoy_server_version", TARGET): "10x60",
    series("envoy_server_version", {**TARGET, "instance": "10.0.0.3:9901"}): "10x60",
    series("envoy_listener_manager_lds_update_rejected", TARGET): "1x60",
    series("envoy_listener_manager_total_listeners_warming", TARGET): "0x30 1x2 0x28",
    series("envoy_cluster_membership_healthy", TARGET, CLUSTER): "2x60",
    series("envoy_cluster_membership_total", TARGET, CLUSTER): "2x60",
    # A cluster without hosts has no share of healthy hosts.
    series("envoy_cluster_membership_healthy", TARGET, {"envoy_cluster_name": "none"}): "0x60",
    series("envoy_cluster_membership_total", TARGET, {"envoy_cluster_name": "none"}): "0x60",
    series("envoy_cluster_upstream_cx_connect_fail", TARGET, CLUSTER): "0x60",
    series("envoy_cluster_upstream_cx_total", TARGET, CLUSTER): "0+10x60",
    series("envoy_cluster_upstream_rq_retry", TARGET, CLUSTER): "0+1x60",
    series("envoy_cluster_upstream_rq_total", TARGET, CLUSTER): "0+100x60",
    series("statsd_exporter_loaded_mappings", EXPORTER): "3x60",
    series("statsd_exporter_sample_errors_total", EXPORTER): "1x60",
    series("statsd_exporter_events_conflict_total", EXPORTER): "1x60",
}


def promtool_tests(descriptions: dict[str, str]) -> list[dict[str, Any]]:
    """Return the tests of all cases for promtool. `descriptions` are the alerts' fixed texts by name."""
    budgets = [name for name in CASES if name.startswith("EnvoyErrorBudgetBurn")]
    tests = []
    for name, case in CASES.items():
        expected = {
            "exp_labels": {**case.labels, "severity": case.severity},
            "exp_annotations": {"summary": case.summary, "description": descriptions[name]},
        }
        # The share of failed requests is too small for faster alerts.
        faster = budgets[: budgets.index(name)] if name in budgets else []
        checks = [
            _silent(name, case.silent),
            {"eval_time": f"{case.fires}m", "alertname": name, "exp_alerts": [expected]},
            *(_silent(other, case.fires) for other in faster),
        ]
        tests.append(_test(name, case.samples, checks))
    tests.append(
        _test("healthy", HEALTHY, [_silent(name, minute) for name in CASES for minute in (30, 45, 60)])
    )
    # 30 minutes with 10% failures, then none: the long windows still have them, the short ones do not.
    failed = series("envoy_http_downstream_rq_xx", TARGET, LISTENER, envoy_response_code_class="5")
    recovered = failing(0, 450) | {failed: "0+100x30 3000x420"}
    silent = [_silent(name, minute) for name, minute in zip(budgets, (45, 75, 200, 440), strict=True)]
    tests.append(_test("recovered", recovered, silent))
    tests.append(_test("within the budget", failing(0.5, 260), [_silent(name, 260) for name in budgets]))
    return tests


def is_long(test: dict[str, Any]) -> bool:
    """Return whether a test lasts more than an hour, so that promtool evaluates its rules every 5 minutes."""
    return any(int(check["eval_time"].rstrip("m")) > 60 for check in test["alert_rule_test"])


def _silent(name: str, minute: int) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []}


def _test(name: str, samples: dict[str, str], checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "interval": "1m", "input_series": _input(samples), "alert_rule_test": checks}


def _input(samples: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in samples.items()]
