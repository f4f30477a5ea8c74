# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the traffic during a deployment: it flows from before the change until after it, and stops with a failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from http_service import http_service

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import deploy_options
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.traffic_during import parsed_traffic

NONE_FAILS = {"status": "200", "of": "share", "op": "eq", "value": 1}
FOREVER = 3600  # seconds


@pytest.fixture
def url() -> Iterator[str]:
    with http_service("127.0.0.1") as port:
        yield f"http://127.0.0.1:{port}/"


def test_traffic_flows_until_the_end_of_the_change(url: str) -> None:
    entries = [
        {"name": name, "url": url, "duration": 0.01, "rate": 200, "expect": [NONE_FAILS]} for name in "ab"
    ]
    with parsed_traffic(entries, {}) as traffic, traffic.flowing():
        time.sleep(0.5)
    assert [one["name"] for one in traffic.results] == ["a", "b"]
    for one in traffic.results:
        assert one["sent"] >= 20  # in its duration alone, at most 3
        assert one["expect"][0]["ok"]


def test_first_request_precedes_the_change(url: str) -> None:
    with parsed_traffic([{"url": url, "duration": 0.01, "rate": 1}], {}) as traffic, traffic.flowing():
        assert traffic._signals[0].begun.is_set()


def test_traffic_ends_at_once_when_the_change_fails(url: str) -> None:
    began = time.monotonic()
    with (
        parsed_traffic([{"url": url, "duration": FOREVER, "rate": 0.01}], {}) as traffic,
        pytest.raises(RuntimeError),
        traffic.flowing(),
    ):
        raise RuntimeError
    assert time.monotonic() - began < 60
    assert traffic.results[0]["sent"] == 1
    assert not [one for one in threading.enumerate() if one.name.startswith("traffic")]


def test_traffic_lasts_for_its_duration_at_least(url: str) -> None:
    with parsed_traffic([{"url": url, "duration": 0.3, "rate": 100}], {}) as traffic, traffic.flowing():
        pass
    assert traffic.results[0]["elapsed"] >= 0.29


def test_entry_that_cannot_be_sent_is_refused_before_the_change() -> None:
    with pytest.raises(ArgumentError, match="traffic\\[0\\]"), parsed_traffic([{"url": "shop"}], {}):
        pytest.fail("the change began")


def perform(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any], check_mode: bool = False
) -> dict[str, Any]:
    """Return the result of a deployment that writes a file, with the traffic of `entry`."""

    def deploy(_request: Any, result: Any) -> None:
        result.changed = True
        result.seconds["write"] = 0.1

    monkeypatch.setattr(deploy_options, "deploy", deploy)
    plan = {
        "name": "shop",
        "platform": "local",
        "folder": "/nonexistent",
        "during": [entry],
        "change": "half",
    }
    options = {"plan": plan, "state": "present", "bind": "127.0.0.1", "supervisord_executable": "supervisord"}
    timeouts = dict.fromkeys(("timeout", "confirm_timeout", "drain_timeout"), 1)
    return deploy_options.perform({**options, **timeouts}, check_mode)


def test_failed_expectation_fails_the_deployment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    failing = {"name": "all requests", "url": url, "requests": 3, "expect": [{**NONE_FAILS, "status": "503"}]}
    result = perform(monkeypatch, failing)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"].startswith("changes.half.during: 1 of 1 expectations failed.\n✘ expected 1, got 0")
    assert result["traffic"][0]["statuses"] == {"200": 3}


def test_traffic_of_a_deployment_is_in_its_result(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    result = perform(monkeypatch, {"url": url, "requests": 3, "expect": [NONE_FAILS]})
    assert "failed" not in result
    assert result["traffic"][0]["sent"] == 3


def test_check_mode_sends_nothing(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    result = perform(monkeypatch, {"url": url, "requests": 3, "expect": [NONE_FAILS]}, check_mode=True)
    assert result["traffic"] == []
