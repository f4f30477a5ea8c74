# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counting answers, and the sum of what all senders counted."""

from __future__ import annotations

import json

from fake_answers import MIXED, fake_answer, fake_result

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import RequestError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import MAX_VALUES
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.value_counts import OTHER


def test_result_is_plain_data_and_adds_up() -> None:
    timeout = RequestError("timeout", "no complete answer within the timeout")
    _traffic, result = fake_result(
        [{"header": {"name": "X-A"}, "op": "eq", "value": 0}], *MIXED, fake_answer(**{"x-a": "1"}), timeout
    )
    data = result.as_data()
    assert json.loads(json.dumps(data)) == data
    assert data["sent"] == 22 == data["answered"] + sum(data["errors"].values())
    assert data["statuses"] == {"200": 19, "503": 2}
    assert data["errors"] == {"timeout": 1}
    assert data["headers"] == {"server": {"envoy": 21}, "x-a": {"1": 1}}
    assert data["hosts"] == {"a": 19, "b": 2}
    assert data["latency_ms"] == {
        "min": 1.0,
        "mean": 11.0,
        "p50": 11.0,
        "p90": 19.0,
        "p99": 21.0,
        "max": 21.0,
    }
    assert sum(count for _bound, count in data["latency_histogram"]) == data["answered"]
    assert sum(one["requests"] for one in data["timeline"]) == data["sent"]
    assert sum(one["failed"] for one in data["timeline"]) == 3
    assert data["timeline"][0]["by_header"] == {"x-a": {"(none)": 20, "1": 1}}
    assert (data["bytes_received"], data["connections"], data["retries"]) == (105, 2, 1)
    assert data["last_error"] == "timeout: no complete answer within the timeout"


def test_result_without_answers_has_no_latency() -> None:
    _traffic, result = fake_result([], RequestError("connect", "refused"))
    assert result.as_data()["latency_ms"] == dict.fromkeys(["min", "mean", "p50", "p90", "p99", "max"])


def test_values_are_capped_and_the_rest_is_counted() -> None:
    many = [fake_answer(**{"x-a": f"value-{position}"}) for position in range(MAX_VALUES * 3)]
    _traffic, result = fake_result(
        [{"header": {"name": "x-a", "value": "value-149"}, "op": "eq", "value": 1}], *many
    )
    values = result.headers["x-a"]
    assert sum(values.values()) == len(many)
    assert len(values) == MAX_VALUES + 1
    assert values[OTHER] == len(many) - MAX_VALUES
    assert result.matched == [1], "the cap does not change what an expectation counts"


def test_host_names_are_cut_at_200_characters() -> None:
    _traffic, result = fake_result([], fake_answer(host="h" * 999))
    assert list(result.hosts) == ["h" * 200]


def test_host_names_can_come_from_a_body() -> None:
    answers = [
        fake_answer(body=b"hostname: web-1 ok"),
        fake_answer(body=b"hostname: web-2 ok"),
        fake_answer(body=b"none"),
    ]
    for host_from, hosts in (
        ({"body": r"hostname: (\S+)"}, {"web-1": 1, "web-2": 1}),
        ({"body": r"web-\d"}, {"web-1": 1, "web-2": 1}),
        ({"header": "Server"}, {"envoy": 3}),
    ):
        _traffic, result = fake_result([], *answers, host_from=host_from)
        assert result.hosts == hosts


def test_tls_sessions_are_counted() -> None:
    new = fake_answer()._replace(tls=Session("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1"))
    old = fake_answer()._replace(tls=Session("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", ""))
    _traffic, result = fake_result([], *[new] * 3, *[old] * 2, fake_answer())
    assert result.as_data()["tls"] == {
        "TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384": 3,
        "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256": 2,
    }
