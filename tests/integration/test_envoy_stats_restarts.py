# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy that restarts, hot or cold, and with an admin that hides its identity: no difference is ever wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from envoys import binary
from real_envoy import Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import NEWEST
from ansible_collections.meshlab.envoy.plugins.modules import envoy_stats, envoy_stats_info

TOTAL = "http.main.downstream_rq_2xx"
DELTA = {"stat": TOTAL, "of": "delta", "op": "ge", "value": 0}
PATHS = [{"prefix": "/stats"}, {"exact": "/ready"}, {"prefix": "/listeners"}]
CONFIG: dict[str, Any] = {"stats_flush_on_admin": True, "static_resources": {"listeners": [answering()]}}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Envoy]:
    """Start an Envoy whose admin shows stats and no /server_info."""
    admin = {"address": {"pipe": {"path": "admin.sock"}}, "allow_paths": PATHS}
    envoy = Envoy(tmp_path, {**CONFIG, "admin": admin})
    yield envoy.start()
    envoy.stop()


def send(envoy: Envoy, count: int) -> None:
    for _number in range(count):
        urllib.request.urlopen(f"http://127.0.0.1:{envoy.port()}/", timeout=10).close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def delta(envoy: Envoy, before: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats, url=envoy.url, assertions=[DELTA], since=before, **arguments)


def test_restart_is_detected_without_server_info(quiet: Envoy) -> None:
    assert quiet.response("/server_info").startswith(b"request to path /server_info not allowed")
    until(lambda: uptime(quiet) >= 2)
    before = run(envoy_stats_info, url=quiet.url)
    assert before["endpoints"][0]["epoch"] == 0
    send(quiet, 3)
    same = run(envoy_stats, url=quiet.url, assertions=[{**DELTA, "op": "eq", "value": 3}], since=before)
    assert "failed" not in same, same["msg"]
    assert "cannot be excluded" not in same["assertions"][0]["message"]
    quiet.stop()
    quiet.start()
    send(quiet, 5)
    after = delta(quiet, before)
    assert after["failure"] == "restarted"
    assert "the process restarted after the earlier snapshot" in after["msg"]


def uptime(envoy: Envoy) -> int:
    return int(envoy.response("/stats?filter=^server.uptime$").decode().rpartition(" ")[2])


def test_restart_is_detected_in_the_first_second(tmp_path: Path) -> None:
    envoy = Envoy(tmp_path, CONFIG)
    first: dict[str, Any] = {}
    try:
        # If the machine is too busy to read it within its first second, Envoy is started again.
        until(lambda: first.update(first_snapshot(envoy)) or "loaded" in identity(first))
        for count in (3, 5):
            send(envoy, 1)
            same = delta(envoy, first, wait=False)
            assert "cannot be excluded" not in same["assertions"][0]["message"], count
        envoy.stop()
        envoy.start()
        after = delta(envoy, first)
        assert after["failure"] == "restarted"
        times = f"bootstrap loaded at {identity(first)['loaded']}, now at {identity(after)['loaded']}"
        assert times in after["msg"]
    finally:
        envoy.stop()


def first_snapshot(envoy: Envoy) -> dict[str, Any]:
    envoy.stop()
    envoy.start()
    return run(envoy_stats_info, url=envoy.url)


def identity(result: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["snapshot"]["endpoints"]["envoy"]["identity"]
    return found


def test_message_states_an_uncertain_restart(quiet: Envoy) -> None:
    """The earlier snapshot has no identity."""
    before = run(envoy_stats, url=quiet.url, assertions=[{**DELTA, "of": "value"}], identify=False)
    result = delta(quiet, before)
    assert "failed" not in result, result["msg"]
    text = "A restart of envoy between the snapshots cannot be excluded, because the earlier snapshot does not contain"
    assert text in result["assertions"][0]["message"]


@pytest.mark.parametrize("shown", [True, False], ids=["server_info", "stats"])
def test_restart_at_uptime_0_is_detected_or_uncertain(shown: bool, tmp_path: Path) -> None:
    """The uptime is 0 before and after: it is in whole seconds, and in the stats it is 0 until the first flush."""
    admin: dict[str, Any] = {"address": {"pipe": {"path": "admin.sock"}}}
    listeners = {"static_resources": {"listeners": [answering()]}, "stats_flush_interval": "60s"}
    envoy = Envoy(tmp_path, {**listeners, "admin": admin if shown else {**admin, "allow_paths": PATHS}})
    try:
        envoy.start()
        before = run(envoy_stats_info, url=envoy.url)
        envoy.stop()
        envoy.start()
        send(envoy, 2)
        result = delta(envoy, before)
        assert result["failure"] == "restarted" or "cannot be excluded" in result["assertions"][0]["message"]
    finally:
        envoy.stop()


def test_prometheus_page_of_envoy_has_its_identity(quiet: Envoy) -> None:
    page = {"name": "page", "url": f"{quiet.url}:/stats/prometheus", "format": "prometheus"}
    # The uptime on the page is in whole seconds, and as old as the last flush. An older process is certainly the same one.
    until(lambda: uptime(quiet) >= 3)
    before = run(envoy_stats_info, endpoints=[page])
    assert before["endpoints"][0]["epoch"] == 0
    assertion = {"stat": "envoy_server_hot_restart_epoch", "of": "delta", "op": "eq", "value": 0}
    seen = uptime(quiet)
    until(lambda: uptime(quiet) > seen)
    result = run(envoy_stats, endpoints=[page], assertions=[assertion], since=before)
    assert "failed" not in result, result["msg"]
    assert "cannot be excluded" not in result["assertions"][0]["message"]


class Hot(Envoy):
    """An Envoy that a new process can take over from."""

    def start_epoch(self, epoch: int, *more: str) -> subprocess.Popen[bytes]:
        command = [str(binary(self.version)), "-c", "envoy.json", "--concurrency", "1", "-l", "error"]
        command += [
            "--log-path",
            f"envoy.{epoch}.log",
            "--drain-time-s",
            "1",
            "--parent-shutdown-time-s",
            "2",
        ]
        command += ["--restart-epoch", str(epoch), *more]
        process = subprocess.Popen(command, cwd=self.folder)
        until(lambda: self.epoch() == epoch or process.poll() is not None)
        assert process.poll() is None, (self.folder / f"envoy.{epoch}.log").read_text()
        return process

    def epoch(self) -> int:
        shown = self.response("/stats?filter=^server.hot_restart_epoch$").decode().rpartition(" ")[2]
        return int(shown) if shown.strip() and b"LIVE" in self.response("/ready") else -1


@pytest.mark.parametrize("shown", [True, False], ids=["server_info", "stats"])
def test_hot_restart_is_detected(shown: bool, tmp_path: Path) -> None:
    admin: dict[str, Any] = {"address": {"pipe": {"path": "admin.sock"}}}
    envoy = Hot(tmp_path, {**CONFIG, "admin": admin if shown else {**admin, "allow_paths": PATHS}}, NEWEST)
    processes = [envoy.start_epoch(0, "--use-dynamic-base-id", "--base-id-path", "base")]
    try:
        send(envoy, 2)
        before = run(envoy_stats_info, url=envoy.url)
        base = (tmp_path / "base").read_text().strip()
        processes.append(envoy.start_epoch(1, "--base-id", base))
        send(envoy, 3)
        after = delta(envoy, before)
        assert (after["failure"], after["endpoints"][0]["epoch"]) == ("restarted", 1), after["msg"]
        assert "the process was hot restarted after the earlier snapshot (epoch 0, now 1)" in after["msg"]
        # After a new snapshot, differences count again.
        again = run(envoy_stats_info, url=envoy.url)
        send(envoy, 1)
        counted = run(envoy_stats, url=envoy.url, assertions=[{**DELTA, "op": "eq", "value": 1}], since=again)
        assert "failed" not in counted, counted["msg"]
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            process.wait(30)
        # Envoy does not remove the shared memory of its epochs.
        for left in Path("/dev/shm").glob(f"envoy_shared_memory_{(tmp_path / 'base').read_text().strip()}?"):
            left.unlink()
