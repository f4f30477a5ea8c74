# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts and recording rules of playbooks/files/rules, with `promtool test rules`: each alert fires, and is silent before."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_cases import CASES, CLUSTER, LISTENER, TARGET, is_long, promtool_tests, series

RULES = Path(__file__).resolve().parents[2] / "playbooks" / "files" / "rules"
FILES = sorted(RULES.glob("*.yml"))


def rules(kind: str) -> list[dict[str, Any]]:
    """Return the rules of a kind: `alert` or `record`."""
    groups = [group for file in FILES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def promtool(*arguments: str) -> str:
    """Run promtool, and return its output. Fail the test if promtool fails."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool: tests/lab/up installs Debian's package prometheus, which contains it")
    ran = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def run_tests(folder: Path, tests: list[dict[str, Any]], interval: str = "1m") -> None:
    """Run tests with all rules."""
    file = folder / f"tests-{interval}.yml"
    content = {"rule_files": [str(path) for path in FILES], "evaluation_interval": interval, "tests": tests}
    file.write_text(yaml.safe_dump(content))
    promtool("test", "rules", str(file))


def test_rules_are_valid() -> None:
    printed = promtool("check", "rules", *map(str, FILES))
    assert f"{len(rules('alert'))} rules found" in printed
    assert f"{len(rules('record'))} rules found" in printed


def test_each_alert_has_a_case() -> None:
    assert [rule["alert"] for rule in rules("alert")] == list(CASES)


def test_each_alert_fires_and_is_silent_before(tmp_path: Path) -> None:
    descriptions = {rule["alert"]: rule["annotations"]["description"] for rule in rules("alert")}
    tests = promtool_tests(descriptions)
    run_tests(tmp_path, [test for test in tests if not is_long(test)])
    run_tests(tmp_path, [test for test in tests if is_long(test)], "5m")


def test_rejection_before_the_first_sample_fires(tmp_path: Path) -> None:
    """An Envoy that rejects its first configuration has a counter without an increase."""
    [rule] = [rule for rule in rules("alert") if rule["alert"] == "EnvoyRejectedClusters"]
    texts = {**rule["annotations"], "summary": "web 10.0.0.1:9901: rejected an update of clusters"}
    expected = {"exp_labels": {**TARGET, "severity": "ticket"}, "exp_annotations": texts}
    rejected = {"series": series("envoy_cluster_manager_cds_update_rejected", TARGET), "values": "_x5 1x30"}
    checks = [
        {"eval_time": f"{minute}m", "alertname": rule["alert"], "exp_alerts": [expected] if fires else []}
        for minute, fires in ((8, True), (25, False))
    ]
    run_tests(tmp_path, [{"interval": "1m", "input_series": [rejected], "alert_rule_test": checks}])


def test_recording_rules_have_the_computed_values(tmp_path: Path) -> None:
    place = {key: TARGET[key] for key in ("job", "demo", "proxy")}
    listener, cluster = {**place, **LISTENER}, {**place, **CLUSTER}
    idle = {**place, "envoy_http_conn_manager_prefix": "idle"}
    samples = {
        series("envoy_http_downstream_rq_completed", TARGET, LISTENER): "0+600x60",
        series("envoy_http_downstream_rq_xx", TARGET, LISTENER, envoy_response_code_class="5"): "0+60x60",
        # A listener whose counter of failed requests does not exist, as with statsd before the first failure.
        series("envoy_http_downstream_rq_completed", TARGET, idle): "0+600x60",
        series("envoy_http_downstream_rq_time_bucket", TARGET, LISTENER, le="10"): "0+50x60",
        series("envoy_http_downstream_rq_time_bucket", TARGET, LISTENER, le="20"): "0+100x60",
        series("envoy_http_downstream_rq_time_bucket", TARGET, LISTENER, le="+Inf"): "0+100x60",
        series("envoy_cluster_membership_healthy", TARGET, CLUSTER): "3x60",
        series("envoy_cluster_membership_total", TARGET, CLUSTER): "4x60",
        series("envoy_cluster_upstream_rq_retry", TARGET, CLUSTER): "0+10x60",
        series("envoy_cluster_upstream_rq_total", TARGET, CLUSTER): "0+100x60",
        series("envoy_cluster_upstream_cx_connect_fail", TARGET, CLUSTER): "0+1x60",
        series("envoy_cluster_upstream_cx_total", TARGET, CLUSTER): "0+20x60",
    }
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
    expected: dict[str, list[tuple[dict[str, str], float]]] = {
        "envoy:error_budget:ratio": [({}, 0.001)],
        **{
            f"proxy_listener:envoy_requests_failed:ratio_rate{window}": [(listener, 0.1), (idle, 0)]
            for window in windows
        },
        "proxy_listener:envoy_requests:rate5m": [(listener, 10), (idle, 10)],
        # 98% of the upper half of the bucket from 10 to 20
        "proxy_listener:envoy_request_time:p99_rate5m": [(listener, 19.8)],
        "proxy_cluster:envoy_hosts_healthy:ratio": [({**cluster, "instance": TARGET["instance"]}, 0.75)],
        "proxy_cluster:envoy_retries:ratio_rate5m": [(cluster, 0.1)],
        "proxy_cluster:envoy_connect_failures:ratio_rate5m": [(cluster, 0.05)],
    }
    assert {rule["record"] for rule in rules("record")} == set(expected)
    checks = [
        {
            "expr": f"round({name}, 0.0001)",
            "eval_time": "1h",
            "exp_samples": [
                {"labels": series("", labels) if labels else "{}", "value": value} for labels, value in found
            ],
        }
        for name, found in expected.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in samples.items()]
    run_tests(tmp_path, [{"interval": "1m", "input_series": inputs, "promql_expr_test": checks}])
