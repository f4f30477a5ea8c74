# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots before the traffic and evaluations after it, of slow and closed endpoints on real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._verify import verification_run
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    Verification,
    verify,
)


class SlowServer(ThreadingHTTPServer):
    """A page of metrics that answers the first `answered` requests, and then none of `unanswered` requests."""

    daemon_threads = True

    def __init__(self, unanswered: int, answered: int) -> None:
        super().__init__(("127.0.0.1", 0), MetricsPage)
        self.unanswered = range(answered + 1, answered + unanswered + 1)
        self.requests = 0
        self.ended = threading.Event()


class MetricsPage(BaseHTTPRequestHandler):
    server: SlowServer

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.server.requests in self.server.unanswered:
            self.server.ended.wait()
            return
        body = b"requests_total 7\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def slow_server(unanswered: int, answered: int = 0) -> Iterator[SlowServer]:
    with SlowServer(unanswered, answered) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()


def verification(**urls: str) -> Verification:
    """Return a verification that expects no change of requests_total at these pages."""
    endpoints = [{"name": name, "url": url, "format": "prometheus"} for name, url in urls.items()]
    expected = {"stat": "requests_total", "of": "delta", "op": "eq", "value": 0}
    return Verification(endpoints, [], [{**expected, "endpoint": [name]} for name in urls])


def url(server: SlowServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/metrics"


def test_slow_endpoint_is_read_again_before_the_traffic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        verification_run, "scrape", partial(verification_run.scrape, limits=Limits(request_timeout=0.2))
    )
    with slow_server(2) as slow, slow_server(0) as quick:
        result = verify(verification(slow=url(slow), quick=url(quick)), timeout=60, sleep=0.01)
        assert [verdict["ok"] for verdict in result["assertions"]] == [True, True]
        assert slow.requests >= 3


def test_slow_endpoint_is_read_again_after_the_traffic() -> None:
    with slow_server(2, answered=1) as slow:
        result = verify(verification(slow=url(slow)), timeout=0.1, sleep=0.01)
        assert [verdict["ok"] for verdict in result["assertions"]] == [True]
        assert slow.requests >= 4


def test_closed_endpoint_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scrapes = []
    real = verification_run.scrape
    monkeypatch.setattr(
        verification_run, "scrape", lambda *given, **more: scrapes.append(given) or real(*given, **more)
    )
    result = verify(verification(closed="http://127.0.0.1:1/metrics"), timeout=0.1, sleep=0.01)
    assert [verdict["ok"] for verdict in result["assertions"]] == [False]
    assert len(scrapes) == 1


def test_silent_endpoint_is_read_until_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        verification_run, "scrape", partial(verification_run.scrape, limits=Limits(request_timeout=0.05))
    )
    monkeypatch.setattr(verification_run, "SLOW_ENDPOINT_TIMEOUT", 0.2)
    with slow_server(10**6) as mute:
        result = verify(verification(mute=url(mute)), timeout=0.1, sleep=0.01)
        assert [verdict["ok"] for verdict in result["assertions"]] == [False]
        assert mute.requests >= 2


def test_workloads_are_waited_for_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    observer: Any = SimpleNamespace(wait_until_settled=lambda timeout, _progress: calls.append(timeout) or {})
    for name in ("scrape", "send_traffic"):
        real = getattr(verification_run, name)
        monkeypatch.setattr(
            verification_run,
            name,
            lambda *given, name=name, real=real, **more: calls.append(name) or real(*given, **more),
        )
    traffic = {"name": "closed", "url": "http://127.0.0.1:1/"}
    planned = replace(verification(closed="http://127.0.0.1:1"), traffic=[traffic], observer=observer)
    verify(planned, timeout=0.1, sleep=0.01)
    assert calls == [verification_run.READINESS_TIMEOUT, "scrape", "send_traffic"]


def test_demo_without_endpoints_is_verified_by_its_traffic() -> None:
    traffic = {
        "name": "a",
        "url": "http://127.0.0.1:1/",
        "expect": [{"error": "connect", "op": "eq", "value": 1}],
    }
    result = verify(Verification([], [traffic], []), timeout=1, sleep=0.1)
    assert [one["ok"] for one in result["traffic"][0]["expect"]] == [True]
    assert result["endpoints"] == result["assertions"] == []


def test_progress_names_the_traffic_and_why_it_is_sent_again() -> None:
    refused = {"error": "connect", "op": "eq", "value": 0}
    first = {"name": "first", "url": "http://127.0.0.1:1/"}
    traffic = [first, {**first, "name": "second", "within": 0.2, "expect": [refused]}]
    texts: list[str] = []
    verify(Verification([], traffic, []), timeout=0.1, sleep=0.01, progress=texts.append)
    again = "sending traffic second again: expected 0, got 1 (connect errors of traffic second)"
    assert texts[:2] == ["sending traffic first (1 of 2)", "sending traffic second (2 of 2)"]
    assert {one[: len(again)] for one in texts[2:]} == {again}
