# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test traffic over Unix sockets."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from unix_server import UnixServer

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    RequestError,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "http://localhost/", "expect": [{"status": "200", "op": "eq", "value": 4}]},
        {"url": "http://missing.invalid/", "expect": [{"status": "200", "op": "eq", "value": 4}]},
        {"url": "tcp://localhost", "payload": REQUEST, "reply": "from a Unix socket", "expect": [{"error": "any", "op": "eq", "value": 0}]},
    ],
    ids=["http", "host that is not resolved", "tcp without a port"],
)  # fmt: skip
def test_requests_reach_the_socket(tmp_path: Path, entry: dict[str, Any]) -> None:
    path = tmp_path / "app.sock"
    with UnixServer(path):
        [traffic] = parse_traffic([{**entry, "unix_socket": str(path), "requests": 4}])
        assert [one["ok"] for one in send_traffic(traffic)["expect"]] == [True]


def test_long_path_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.chdir(folder)
    with UnixServer(Path("app.sock")):
        [traffic] = parse_traffic([{"url": "http://localhost/", "unix_socket": str(folder / "app.sock")}])
        result = send_traffic(traffic)
    assert (result["statuses"], result["errors"]) == ({"200": 1}, {})


def test_missing_socket_is_a_connect_error(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    [traffic] = parse_traffic([{"url": "http://localhost/", "unix_socket": path}])
    with pytest.raises(RequestError, match=f"cannot connect to {path}: no such file") as caught:
        connect(traffic, time.monotonic() + 30, None)
    assert caught.value.kind == "connect"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"pod": {"selector": "app=a"}}, "pod and unix_socket exclude each other"),
        ({"url": "udp://localhost:1"}, "the url has scheme udp, but unix_socket is for connections"),
        ({"unix_socket": "app.sock"}, "'app.sock' is not an absolute path. Use one, or @NAME"),
    ],
)
def test_contradicting_keys_are_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        parse_traffic([{"url": "http://localhost/", "unix_socket": "/run/app.sock", **entry}])
