# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repetition of requests: pauses, the deadline, and a server that has not responded yet."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.request_retries import repeat


class FailingServer:
    """A server that always returns the same error, with a clock that only its pauses advance."""

    def __init__(self, **error: bool | float) -> None:
        self.error, self.now, self.attempts = error, 0.0, 0

    def send(self) -> None:
        self.attempts += 1
        raise ClusterError("server", f"attempt {self.attempts}", **self.error)  # type: ignore[arg-type]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def repeat(self, *, has_responded: bool, seconds: float = 20) -> str:
        with pytest.raises(ClusterError) as error:
            repeat(
                self.send,
                has_responded=has_responded,
                seconds=seconds,
                clock=lambda: self.now,
                sleep=self.sleep,
            )
        return error.value.message


def test_known_server_is_retried_until_the_deadline() -> None:
    server = FailingServer(transient=True)
    assert server.repeat(has_responded=True) == f"attempt {server.attempts}"
    assert 18 <= server.now <= 20
    assert server.attempts == 14


def test_unknown_server_gets_three_attempts() -> None:
    server = FailingServer(transient=True)
    assert server.repeat(has_responded=False) == "attempt 3"
    assert server.now == pytest.approx(0.3)


def test_response_makes_a_server_known() -> None:
    server = FailingServer(transient=True, is_response=True)
    server.repeat(has_responded=False)
    assert server.attempts == 14


def test_stated_time_replaces_the_pause() -> None:
    server = FailingServer(transient=True, retry_after=5.0)
    server.repeat(has_responded=True)
    assert (server.attempts, server.now) == (5, 20)


def test_stated_time_of_zero_keeps_the_pauses() -> None:
    server = FailingServer(transient=True, retry_after=0.0)
    server.repeat(has_responded=True)
    assert server.attempts == 14


def test_lasting_error_is_not_repeated() -> None:
    server = FailingServer()
    assert server.repeat(has_responded=True) == "attempt 1"
