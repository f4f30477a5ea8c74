# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked before anything is sent, of pages on real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify import verification_run
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verification_run import (
    Experiment,
    verify,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import Limits


class Server(ThreadingHTTPServer):
    """A page of metrics that leaves some questions alone, `unanswered` after the first `answered`, as one that stands still."""

    daemon_threads = True

    def __init__(self, unanswered: int, answered: int) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.unanswered = range(answered + 1, answered + unanswered + 1)
        self.asked = 0
        self.ended = threading.Event()


class Page(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        if self.server.asked in self.server.unanswered:
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
def page(unanswered: int, answered: int = 0) -> Iterator[Server]:
    with Server(unanswered, answered) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()


def experiment(**urls: str) -> Experiment:
    endpoints = [{"name": name, "url": url, "format": "prometheus"} for name, url in urls.items()]
    expected = {"stat": "requests_total", "of": "delta", "op": "eq", "value": 0}
    return Experiment(endpoints, [], [{**expected, "endpoint": [name]} for name in urls])


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}/metrics"


def test_who_stands_still_before_anything_is_sent_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        verification_run, "scrape", partial(verification_run.scrape, limits=Limits(request_timeout=0.2))
    )
    with page(2) as slow, page(0) as quick:
        result = verify(experiment(slow=url(slow), quick=url(quick)), timeout=60, sleep=0.01)
        assert [one["ok"] for one in result["assertions"]] == [True, True]
        assert slow.asked >= 3


def test_who_stands_still_when_all_was_sent_is_asked_again() -> None:
    with page(2, answered=1) as slow:
        result = verify(experiment(slow=url(slow)), timeout=0.1, sleep=0.01)
        assert [one["ok"] for one in result["assertions"]] == [True]
        assert slow.asked >= 4


def test_who_refuses_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = verification_run.scrape
    monkeypatch.setattr(
        verification_run, "scrape", lambda *given, **more: asked.append(given) or real(*given, **more)
    )
    result = verify(experiment(nobody="http://127.0.0.1:1/metrics"), timeout=0.1, sleep=0.01)
    assert [one["ok"] for one in result["assertions"]] == [False]
    assert len(asked) == 1


def test_who_never_answers_is_asked_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        verification_run, "scrape", partial(verification_run.scrape, limits=Limits(request_timeout=0.05))
    )
    monkeypatch.setattr(verification_run, "STANDSTILL", 0.2)
    with page(10**6) as mute:
        result = verify(experiment(mute=url(mute)), timeout=0.1, sleep=0.01)
        assert [one["ok"] for one in result["assertions"]] == [False]
        assert mute.asked >= 2
