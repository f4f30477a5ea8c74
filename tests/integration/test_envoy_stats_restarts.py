# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy that is another process than before, hot or cold, also where its admin keeps back who it is: never a wrong number."""

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
GREW = {"stat": TOTAL, "of": "delta", "op": "ge", "value": 0}
PATHS = [{"prefix": "/stats"}, {"exact": "/ready"}, {"prefix": "/listeners"}]
CONFIG: dict[str, Any] = {"stats_flush_on_admin": True, "static_resources": {"listeners": [answering()]}}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Envoy]:
    """Its admin shows its stats, and not which process it is."""
    admin = {"address": {"pipe": {"path": "admin.sock"}}, "allow_paths": PATHS}
    envoy = Envoy(tmp_path, {**CONFIG, "admin": admin})
    yield envoy.start()
    envoy.stop()


def send(envoy: Envoy, count: int) -> None:
    for _number in range(count):
        urllib.request.urlopen(f"http://127.0.0.1:{envoy.port()}/", timeout=10).close()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def grew(envoy: Envoy, before: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    return run(envoy_stats, url=envoy.url, assertions=[GREW], since=before, **arguments)


def test_a_restart_is_seen_where_server_info_is_kept_back(quiet: Envoy) -> None:
    assert quiet.response("/server_info").startswith(b"request to path /server_info not allowed")
    until(lambda: uptime(quiet) >= 2)
    before = run(envoy_stats_info, url=quiet.url)
    assert before["endpoints"][0]["epoch"] == 0
    send(quiet, 3)
    same = run(envoy_stats, url=quiet.url, assertions=[{**GREW, "op": "eq", "value": 3}], since=before)
    assert "failed" not in same, same["msg"]
    assert "cannot be excluded" not in same["assertions"][0]["message"]
    quiet.stop()
    quiet.start()
    send(quiet, 5)
    after = grew(quiet, before)
    assert after["failure"] == "restarted"
    assert "the process restarted after the earlier snapshot" in after["msg"]


def uptime(envoy: Envoy) -> int:
    return int(envoy.response("/stats?filter=^server.uptime$").decode().rpartition(" ")[2])


def test_in_its_first_second_too_it_is_known_whether_it_was_restarted(tmp_path: Path) -> None:
    envoy = Envoy(tmp_path, CONFIG)
    young: dict[str, Any] = {}
    try:
        # Where this machine is too busy to look within that second, another one is started.
        until(lambda: young.update(first_look(envoy)) or "loaded" in identity(young))
        for count in (3, 5):
            send(envoy, 1)
            same = grew(envoy, young, wait=False)
            assert "cannot be excluded" not in same["assertions"][0]["message"], count
        envoy.stop()
        envoy.start()
        after = grew(envoy, young)
        assert after["failure"] == "restarted"
        times = f"bootstrap loaded at {identity(young)['loaded']}, now at {identity(after)['loaded']}"
        assert times in after["msg"]
    finally:
        envoy.stop()


def first_look(envoy: Envoy) -> dict[str, Any]:
    envoy.stop()
    envoy.start()
    return run(envoy_stats_info, url=envoy.url)


def identity(looked: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = looked["snapshot"]["endpoints"]["envoy"]["identity"]
    return found


def test_what_cannot_be_told_is_said(quiet: Envoy) -> None:
    """An earlier snapshot that does not say of which process it is."""
    before = run(envoy_stats, url=quiet.url, assertions=[{**GREW, "of": "value"}], identify=False)
    result = grew(quiet, before)
    assert "failed" not in result, result["msg"]
    words = "A restart of envoy between the snapshots cannot be excluded, because the earlier snapshot does not contain"
    assert words in result["assertions"][0]["message"]


@pytest.mark.parametrize("shown", [True, False], ids=["server_info", "stats"])
def test_a_restart_before_an_uptime_tells(shown: bool, tmp_path: Path) -> None:
    """It is 0 before and after: in whole seconds, and in the stats until they are flushed. No process can be told from another."""
    admin: dict[str, Any] = {"address": {"pipe": {"path": "admin.sock"}}}
    listeners = {"static_resources": {"listeners": [answering()]}, "stats_flush_interval": "60s"}
    envoy = Envoy(tmp_path, {**listeners, "admin": admin if shown else {**admin, "allow_paths": PATHS}})
    try:
        envoy.start()
        before = run(envoy_stats_info, url=envoy.url)
        envoy.stop()
        envoy.start()
        send(envoy, 2)
        result = grew(envoy, before)
        assert result["failure"] == "restarted" or "cannot be excluded" in result["assertions"][0]["message"]
    finally:
        envoy.stop()


def test_envoys_page_for_prometheus_says_which_process_it_is(quiet: Envoy) -> None:
    page = {"name": "page", "url": f"{quiet.url}:/stats/prometheus", "format": "prometheus"}
    before = run(envoy_stats_info, endpoints=[page])
    assert before["endpoints"][0]["epoch"] == 0
    told = {"stat": "envoy_server_hot_restart_epoch", "of": "delta", "op": "eq", "value": 0}
    until(lambda: uptime(quiet) >= 2)
    result = run(envoy_stats, endpoints=[page], assertions=[told], since=before)
    assert "failed" not in result, result["msg"]
    assert "cannot be excluded" not in result["assertions"][0]["message"]


class Hot(Envoy):
    """One that another process may take over from."""

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
def test_a_hot_restart(shown: bool, tmp_path: Path) -> None:
    admin: dict[str, Any] = {"address": {"pipe": {"path": "admin.sock"}}}
    envoy = Hot(tmp_path, {**CONFIG, "admin": admin if shown else {**admin, "allow_paths": PATHS}}, NEWEST)
    processes = [envoy.start_epoch(0, "--use-dynamic-base-id", "--base-id-path", "base")]
    try:
        send(envoy, 2)
        before = run(envoy_stats_info, url=envoy.url)
        base = (tmp_path / "base").read_text().strip()
        processes.append(envoy.start_epoch(1, "--base-id", base))
        send(envoy, 3)
        after = grew(envoy, before)
        assert (after["failure"], after["endpoints"][0]["epoch"]) == ("restarted", 1), after["msg"]
        assert "the process was hot restarted after the earlier snapshot (epoch 0, now 1)" in after["msg"]
        # And from there on, it counts.
        again = run(envoy_stats_info, url=envoy.url)
        send(envoy, 1)
        counted = run(envoy_stats, url=envoy.url, assertions=[{**GREW, "op": "eq", "value": 1}], since=again)
        assert "failed" not in counted, counted["msg"]
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGTERM)
            process.wait(30)
        # Envoy leaves what its epochs shared for a next one.
        for left in Path("/dev/shm").glob(f"envoy_shared_memory_{(tmp_path / 'base').read_text().strip()}?"):
            left.unlink()
