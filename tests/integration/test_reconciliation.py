# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that four sources of service_envoy agree: the sent requests, Envoy's stats, statsd_exporter and Prometheus."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, module_answer
from live import Home
from prometheus_server import prometheus

from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats, envoy_stats_info, http_traffic

SENT = 37
DROPS = "statsd_exporter_udp_packet_drops_total"


class Parts:
    """The demo, and a Prometheus that scrapes it."""

    def __init__(self, plan: Any, server: str) -> None:
        self.plan = plan
        self.endpoints = [
            *({key: one[key] for key in ("name", "url", "format")} for one in plan["endpoints"]),
            {"name": "prometheus", "url": server, "format": "promql"},
        ]

    def url(self, address: str) -> str:
        return str(next(one["url"] for one in self.plan["addresses"] if one["name"] == address))

    def send(self, count: int) -> None:
        sent = module_answer(
            http_traffic,
            {
                "traffic": [
                    {
                        "name": "sent",
                        "url": self.url("web/ingress"),
                        "requests": count,
                        "concurrency": 3,
                        "expect": [{"status": "200", "op": "eq", "value": count}],
                    }
                ]
            },
        )
        assert not sent["failed"], sent

    def snapshot(self, file: Path) -> dict[str, Any]:
        scraped = [one for one in self.endpoints if one["format"] != "promql"]
        taken = module_answer(envoy_stats_info, {"endpoints": scraped, "snapshot_file": str(file)})
        assert not taken["failed"], taken
        return dict(taken["snapshot"])

    def hold(self, *assertions: dict[str, Any], **options: Any) -> dict[str, Any]:
        result = module_answer(
            envoy_stats,
            {
                "endpoints": self.endpoints,
                "assertions": list(assertions),
                "wait": True,
                "timeout": 15,
                **options,
            },
        )
        assert not result["failed"], result["msg"]
        return result

    def wait_until_counted(self, stat: dict[str, Any]) -> None:
        """Return when a counter of the exporter has a value that does not change for several of its flush intervals."""
        counted = -1.0
        for _number in range(40):
            seen = self.hold({**stat, "op": "ge", "value": 1})["assertions"][0]["observed"]
            if seen == counted:
                return
            counted = seen
            time.sleep(1)
        raise AssertionError(f"{stat['stat']} still changes after 40 s")

    def query(self, query: str) -> float:
        seen = self.hold({"promql": query, "op": "present"})
        return float(seen["assertions"][0]["readings"][0]["observed"])


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    home = Home("local")
    try:
        demo = Deployment(home, "service_envoy")
        plan = demo.plan()
        try:
            started = demo.run(plan)
            assert not started["failed"], started
            targets = {one["name"]: one["url"].removeprefix("http://") for one in plan["addresses"]}
            jobs = {
                "envoy": (targets["web/admin"].partition("/")[0], "/stats/prometheus"),
                "exporter": (targets["statsd_exporter"].partition("/")[0], "/metrics"),
            }
            with prometheus(tmp_path_factory.mktemp("prometheus"), jobs) as server:
                ready = Parts(plan, server)
                ready.hold({"promql": "sum(up)", "op": "eq", "value": 2})
                ready.send(1)  # creates every series
                one = {"op": "ge", "value": 1}
                ready.hold(
                    *(
                        {"promql": f'envoy_cluster_{name}{{envoy_cluster_name="web",job="{job}"}}', **one}
                        # Envoy's timers lag its counters by up to one flush.
                        for name in ("upstream_rq_total", "upstream_rq_time_count")
                        for job in ("envoy", "exporter")
                    )
                )
                yield ready
        finally:
            demo.run(plan, state="absent")
    finally:
        home.close()


def test_counter_gauge_and_timer_agree_in_all_sources(parts: Parts, tmp_path: Path) -> None:
    web, at = {"envoy_cluster_name": "web"}, 'envoy_cluster_name="web"'
    queries = {
        f"{name}{{{at},job={job!r}}}".replace("'", '"')
        for name in ("envoy_cluster_upstream_rq_total", "envoy_cluster_upstream_rq_time_count")
        for job in ("envoy", "exporter")
    }
    before = {query: parts.query(query) for query in queries}
    since = parts.snapshot(tmp_path / "before.json")
    parts.send(SENT)
    exporter = {"endpoint": "statsd_exporter"}
    sent = {"op": "eq", "value": SENT}
    parts.hold(
        # Envoy itself: a counter, a timer's count
        {"stat": "cluster.web.upstream_rq_total", "of": "delta", **sent},
        {"stat": "cluster.web.upstream_rq_time", "bucket": "inf", "of": "delta", **sent},
        # the lines that arrived over UDP
        {**exporter, "stat": "envoy_cluster_upstream_rq_total", "labels": web, "of": "delta", **sent},
        {**exporter, "stat": "envoy_cluster_upstream_rq_time_count", "labels": web, "of": "delta", **sent},
        # no line was lost, rejected or without a mapping
        {**exporter, "stat": DROPS, "op": "eq", "value": 0},
        {**exporter, "stat": "statsd_exporter_events_unmapped_total", "op": "eq", "value": 0},
        {**exporter, "match": "statsd_exporter_sample_errors_total", "across": "sum", "op": "eq", "value": 0},
        {
            **exporter,
            "match": "statsd_exporter_events_conflict_total",
            "across": "sum",
            "op": "eq",
            "value": 0,
        },
        {**exporter, "stat": "statsd_exporter_lines_total", "of": "delta", "op": "ge", "value": SENT},
        # the series of Prometheus
        *({"promql": query, "op": "eq", "value": before[query] + SENT} for query in queries),
        since=since,
    )
    live = parts.hold({"stat": "cluster.web.membership_healthy", "op": "ge", "value": 1})
    gauge = {"op": "eq", "value": live["assertions"][0]["observed"]}
    parts.hold(
        {**exporter, "stat": "envoy_cluster_membership_healthy", "labels": web, **gauge},
        {"promql": f"envoy_cluster_membership_healthy{{{at}}}", **gauge},
        {"promql": f"count(envoy_cluster_membership_healthy{{{at}}})", "op": "eq", "value": 2},
    )


def test_lines_and_increments_show_lost_datagrams(parts: Parts, tmp_path: Path) -> None:
    """Stop the exporter until its socket buffer overflows. The missing lines are the lost datagrams."""
    exporter = next(one for one in parts.plan["workloads"] if one["name"] == "statsd_exporter")
    receives = int(re.findall(r"--statsd\.listen-udp=127\.0\.0\.1:(\d+)", str(exporter))[0])
    since = parts.snapshot(tmp_path / "before.json")
    process = owner_of(receives)
    count = 20_000
    line = b"envoy.test.lost:1|c|#padding:" + b"x" * 400
    os.kill(process, signal.SIGSTOP)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _number in range(count):
                sender.sendto(line, ("127.0.0.1", receives))
    finally:
        os.kill(process, signal.SIGCONT)
    padding = {"padding": "x" * 400}
    parts.wait_until_counted({"endpoint": "statsd_exporter", "stat": "envoy_test_lost", "labels": padding})
    seen = parts.hold(
        {
            "endpoint": "statsd_exporter",
            "stat": "envoy_test_lost",
            "labels": padding,
            "op": "between",
            "value": [1, count - 1],
        },
        {
            "endpoint": "statsd_exporter",
            "stat": "statsd_exporter_lines_total",
            "of": "delta",
            "op": "lt",
            "value": count,
        },
        since=since,
    )
    increments, lines = (one["observed"] for one in seen["assertions"])
    assert increments <= lines < count, "the exporter counts the lines that arrived; the rest was lost"


def owner_of(port: int) -> int:
    """Return the process that owns a UDP port of 127.0.0.1."""
    address = f"0100007F:{port:04X}"
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    inode = next(row[9] for row in rows if row[1] == address)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(one) == f"socket:[{inode}]" for one in (process / "fd").iterdir()):
                return int(process.name)
        except OSError:
            continue
    raise AssertionError(f"no process owns UDP port {port}")
