# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the comparison of a generated proxy with a minimal one, without an Envoy."""

from __future__ import annotations

import os
from pathlib import Path

from rendered_proxy import HTTP, HTTPS, Round, compared, cpu_seconds, minimal, planned_command, responder


def test_figures_are_medians_of_the_ratios_of_rounds() -> None:
    minimal_rounds = [Round(100, 10, 1), Round(50, 20, 2), Round(100, 10, 1)]
    generated = [Round(50, 12, 1), Round(50, 24, 2), Round(100, 12, 3)]
    throughput, cpu, p99 = compared("HTTP/2", generated, minimal_rounds)
    assert [round(one.ratio or 0, 3) for one in (throughput, cpu, p99)] == [1, 1.2, 1]
    assert [one.result for one in (throughput, cpu, p99)] == ["within bound", "MISSED", "within bound"]
    assert "12.0 µs, minimal 10.0 µs" in cpu.detail


def test_minimal_proxy_has_no_options() -> None:
    config = minimal(1, {"http": 2, "https": 3}, Path("/c/tls"))["static_resources"]
    plain, encrypted = (listener["filter_chains"][0] for listener in config["listeners"])
    keys = {"@type", "stat_prefix", "route_config", "http_filters"}
    assert set(plain["filters"][0]["typed_config"]) == keys
    assert "/c/tls.key" in str(encrypted["transport_socket"])
    assert "transport_socket" not in plain
    assert "direct_response" in str(responder(4))


def test_generated_proxy_has_the_same_listeners(tmp_path: Path) -> None:
    arguments, certificate = planned_command(tmp_path)
    assert arguments[:2] == ["--config-path", "edge/bootstrap.yaml"]
    assert certificate == tmp_path / "edge/certs/tls"
    listeners = (tmp_path / "edge/listeners.yaml").read_text()
    assert all(f"port_value: {port}\n" in listeners for port in (HTTP, HTTPS))
    assert "access_log:" in listeners, "the generated proxy is measured with its access log"


def test_cpu_time_of_this_process_is_known() -> None:
    assert cpu_seconds(os.getpid()) > 0
