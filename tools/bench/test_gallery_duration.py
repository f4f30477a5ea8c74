# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the curl commands for the traffic of a demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gallery_duration import can_curl, curl, frequent, wrong_statuses

HTTP = {"name": "some", "url": "http://127.0.0.1:18080/a?b=1"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (HTTP, True),
        ({"url": "https://127.0.0.1:1/"}, True),
        ({"url": "ws://127.0.0.1:1/"}, False),
        ({"url": "tls://127.0.0.1:1"}, False),
        ({"url": "udp://127.0.0.1:1"}, False),
        (HTTP | {"duration": 10}, False),
        (HTTP | {"alpn": ["h2"]}, False),
    ],
)
def test_traffic_that_curl_can_send(entry: dict[str, Any], expected: bool) -> None:
    assert can_curl(entry) is expected


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"host": "a.example"}, ["--header", "host: a.example"]),
        ({"headers": {"x-a": 1}}, ["--header", "x-a: 1"]),
        ({"headers": {"x-a": ""}}, ["--header", "x-a;"]),
        ({"connections": "new"}, ["--header", "connection: close"]),
        ({"method": "PUT"}, ["--request", "PUT"]),
        ({"method": "HEAD"}, ["--head"]),
        ({"rate": 20, "concurrency": 4}, ["--rate", "72000/h"]),
        ({"concurrency": 4}, ["--parallel", "--parallel-max", "4"]),
        ({"ca": "/ca.crt"}, ["--cacert", "/ca.crt"]),
        ({"client_certificate": {"certificate": "/c", "key": "/k"}}, ["--cert", "/c", "--key", "/k"]),
        ({"tls_version": "TLSv1.2"}, ["--tlsv1.2", "--tls-max", "1.2"]),
    ],
)
def test_curl_options_of_traffic(tmp_path: Path, changes: dict[str, Any], options: list[str]) -> None:
    plain, command = curl(HTTP, tmp_path), curl(HTTP | changes, tmp_path)
    assert [one for one in command if one not in plain[:-1]][: len(options)] == [
        one for one in options if one not in plain
    ]


def test_body_is_sent_byte_by_byte_from_a_file(tmp_path: Path) -> None:
    command = curl(HTTP | {"body": "a\0\r\nä"}, tmp_path)
    argument = command[command.index("--data-binary") + 1]
    assert Path(argument.removeprefix("@")).read_bytes() == "a\0\r\nä".encode()


def test_each_request_is_one_transfer(tmp_path: Path) -> None:
    urls = Path(curl(HTTP | {"requests": 3}, tmp_path)[-1]).read_text()
    assert urls.count(f'url = "{HTTP["url"]}"\n') == urls.count('output = "/dev/null"\n') == 3


def test_server_name_is_sni_and_keeps_the_host_header(tmp_path: Path) -> None:
    entry = {"url": "https://127.0.0.1:18443/a", "server_name": "a.example"}
    command = curl(entry, tmp_path)
    assert command[command.index("--resolve") + 1] == "a.example:18443:127.0.0.1"
    assert command[command.index("--header") + 1] == "host: 127.0.0.1:18443"
    assert 'url = "https://a.example:18443/a"' in Path(command[-1]).read_text()


@pytest.mark.parametrize(
    ("expect", "statuses", "difference"),
    [
        ([], {"200": 3}, ""),
        ([], {"200": 2}, "expected 3 responses, got 2"),
        ([{"status": "200", "op": "eq", "value": 3}], {"200": 3}, ""),
        (
            [{"status": 200, "op": "eq", "value": 3}],
            {"200": 2, "503": 1},
            "expected 3, got 2 (responses with status 200)",
        ),
        # curl reports neither headers nor shares, so these expectations are not checked.
        ([{"status": "any", "op": "eq", "value": 3}], {"503": 3}, ""),
        ([{"status": "200", "op": "ge", "value": 3}], {"503": 3}, ""),
        ([{"status": "200", "of": "share", "op": "eq", "value": 1}], {"503": 3}, ""),
        ([{"header": {"name": "a"}, "op": "eq", "value": 3}], {"503": 3}, ""),
    ],
)
def test_wrong_statuses_names_the_first_difference(
    expect: list[dict[str, Any]], statuses: dict[str, int], difference: str
) -> None:
    found = wrong_statuses({"requests": 3, "expect": expect}, statuses)
    assert found.startswith(difference)
    assert bool(found) == bool(difference)


def test_health_check_runs_each_second() -> None:
    assert frequent({"test": ["CMD", "true"], "interval": "10s", "start_period": "10s"}) == {
        "test": ["CMD", "true"],
        "interval": "1s",
        "timeout": "3s",
        "retries": 30,
    }
