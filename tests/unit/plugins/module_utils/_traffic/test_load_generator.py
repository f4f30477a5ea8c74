# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending a traffic: when the next request is sent, which client sends it, and when a traffic is repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import load_generator
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    Schedule,
    client_for,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

NO_SERVER = "http://127.0.0.1:1/"  # nothing listens on this port


def parsed(**keys: Any) -> Traffic:
    """Return traffic to a port without a server."""
    return parse_traffic([{"url": NO_SERVER, **keys}])[0]


def test_result_counts_requests_without_an_answer() -> None:
    result = send_traffic(
        parsed(requests=5, concurrency=2, expect=[{"error": "any", "op": "eq", "value": 5}])
    )
    assert (result["sent"], result["answered"], result["errors"]) == (5, 0, {"connect": 5})
    assert [outcome["ok"] for outcome in result["expect"]] == [True]


def test_traffic_is_repeated_within_its_time_until_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    send_once = load_generator.send_once

    def third_has_other_url(traffic: Traffic, *_more: object) -> Any:
        sent.append(1)
        result = send_once(traffic)
        result.errors = {} if len(sent) == 3 else result.errors
        return result

    monkeypatch.setattr(load_generator, "send_once", third_has_other_url)
    traffic = parsed(within=60, expect=[{"error": "connect", "op": "eq", "value": 0}])
    assert send_traffic(traffic)["expect"][0]["ok"]
    assert len(sent) == 3


def test_schedule_ends_after_the_number_of_requests() -> None:
    schedule = Schedule(parsed(requests=2))
    assert [schedule.wait_for_next() is not None for _request in range(3)] == [True, True, False]


def test_schedule_ends_after_the_duration() -> None:
    schedule = Schedule(parsed(duration=1e-9))
    assert schedule.wait_for_next() is None


def test_schedule_creates_and_obeys_the_while_file(tmp_path: Path) -> None:
    file = tmp_path / "flows"
    schedule = Schedule(parsed(duration=1e-9, while_file=str(file)))
    schedule.request_ended()
    assert file.exists()
    assert schedule.wait_for_next() is not None
    file.unlink()
    schedule.request_ended()
    assert not file.exists(), "the file is created once"
    assert schedule.wait_for_next() is None


@pytest.mark.parametrize(
    ("path", "error"),
    [("there", "exists already. Remove it, or use another path."), ("none/x", "is not a writable folder.")],
)
def test_while_file_that_cannot_be_created_is_refused(tmp_path: Path, path: str, error: str) -> None:
    (tmp_path / "there").touch()
    with pytest.raises(ArgumentError) as caught:
        send_traffic(parsed(name="shop", duration=0.1, while_file=str(tmp_path / path)))
    assert str(caught.value).startswith("shop: while_file: ")
    assert str(caught.value).endswith(error)


@pytest.mark.parametrize(
    ("url", "client"),
    [
        ("http://a", "HttpClient"),
        ("https://a", "HttpClient"),
        ("ws://a", "WebSocketClient"),
        ("tcp://a:1", "StreamClient"),
        ("tls://a:1", "StreamClient"),
        ("udp://a:1", "DatagramClient"),
    ],
)
def test_each_scheme_has_its_client(url: str, client: str) -> None:
    assert type(client_for(parsed(url=url), None)).__name__ == client
