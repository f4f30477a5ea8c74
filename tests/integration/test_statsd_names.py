# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mappings of statsd_exporter with the stat names of the gallery's Envoys, 1.36 to 1.40.

gallery_stats.json has one stat of each kind: its name, its type, and its name and labels on the Prometheus page of Envoy 1.40.
test_mappings.py compares with the Envoys of all demos.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Home
from statsd_exporter import MAPPINGS, assert_no_errors, own, sent

RECORDED = json.loads(Path(__file__).with_name("gallery_stats.json").read_text(encoding="utf-8"))
# Multiples of a second, of a byte, of one and of a percent that a unit is sent in, by the last part of the name of a histogram.
SCALES = {
    "bytes_processed": 1,
    "connections_accepted_per_socket_event": 1,
    "cookie_count": 1,
    "cookie_size": 1,
    "header_count": 1,
    "header_list_size": 1,
    "upstream_rq_per_cx": 1,
    "downstream_cx_length_ms": 1e-3,
    "downstream_rq_time": 1e-3,
    "initialization_time_ms": 1e-3,
    "latency": 1e-3,
    "refresh_interval_delay": 1e-3,
    "update_duration": 1e-3,
    "upstream_cx_connect_ms": 1e-3,
    "upstream_cx_length_ms": 1e-3,
    "upstream_rq_time": 1e-3,
    # Not in the gallery: with track_cluster_stats, and with enable_dispatcher_stats.
    "upstream_rq_timeout_budget_percent_used": 1,
    "upstream_rs_body_size": 1,
    "loop_duration_us": 1e-6,
}
FURTHER = (
    "cluster.web.upstream_rq_timeout_budget_percent_used",
    "cluster.web.upstream_rs_body_size",
    "server.dispatcher.loop_duration_us",
)
HISTOGRAMS = [name for name, kind, _series, _labels in RECORDED if kind == "histogram"]


@pytest.fixture(scope="module")
def program() -> Iterator[str]:
    home = Home("local")
    yield home.exporter
    home.close()


def test_each_name_has_the_name_and_labels_of_envoy(program: str) -> None:
    lines = [
        f"envoy.{name}:5|{'ms' if kind == 'histogram' else 'g'}" for name, kind, _series, _labels in RECORDED
    ]
    shown = sent(program, MAPPINGS / "statsd.yaml", lines)
    assert_no_errors(shown, lines)
    found = {
        (name, tuple(sorted(labels.items())))
        for name, labels in own(shown)
        if not name.endswith(("_sum", "_bucket"))
    }
    assert found == {
        (f"{series}_count" if kind == "histogram" else series, tuple(sorted(labels.items())))
        for _name, kind, series, labels in RECORDED
    }


def scale_of(name: str) -> float:
    # Envoy counts the microseconds of these although their names are those of other timers.
    return 1e-6 if ".redis_cluster.upstream_commands." in name else SCALES[name.rpartition(".")[2]]


@pytest.mark.parametrize("style", ["statsd", "dog_statsd"])
def test_each_histogram_is_scaled_by_its_unit(program: str, style: str) -> None:
    names = [*HISTOGRAMS, *FURTHER]
    # In dog_statsd, the name has no values of tags. Here, each has a tag instead, so that equal names differ.
    tagged = [(name, f"|#n:{number}" if style == "dog_statsd" else "") for number, name in enumerate(names)]
    lines = [f"envoy.{name}:5|ms{tag}" for name, tag in tagged]
    shown = sent(program, MAPPINGS / f"{style}.yaml", lines)
    assert_no_errors(shown, lines)
    sums = sorted(
        number for name, _labels, number in shown if name.startswith("envoy_") and name.endswith("_sum")
    )
    assert sums == pytest.approx(sorted(5 * scale_of(name) for name in names))
