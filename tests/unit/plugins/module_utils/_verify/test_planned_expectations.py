# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan expects is told before a run in the words in which a report tells it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify import planned_expectations


@pytest.mark.parametrize(
    ("expectation", "sentence"),
    [
        ({"status": "200", "op": "eq", "value": 20}, "20 answers with status 200"),
        ({"status": "any", "op": "eq", "value": 1}, "1 answer"),
        ({"error": "tls", "op": "ge", "value": 5}, "at least 5 tls errors"),
        ({"hosts": "spread", "op": "le", "value": 0.2}, "a spread over the hosts of at most 0.2"),
        (
            {"header": {"name": "age"}, "op": "between", "value": [1, 2], "name": "kept"},
            "kept: 1 to 2 answers with header age",
        ),
        (
            {"status": "200", "of": "share", "op": "eq", "value": 1},
            "a share of 1 of answers with status 200",
        ),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.2, "tolerance": "binomial"},
            "20 %: 141 to 264 of 1000 answers with status 503",
        ),
    ],
)
def test_what_is_expected_of_traffic(expectation: dict[str, Any], sentence: str) -> None:
    sent = {"url": "http://127.0.0.1:1/", "requests": 1000, "expect": [expectation]}
    assert planned_expectations.of_traffic([sent]) == [[sentence]]


def test_chance_in_traffic_that_flows_for_a_time_has_no_bounds_yet() -> None:
    share = {"status": "503", "of": "share", "op": "ge", "value": 0.2, "tolerance": "binomial"}
    sent = {"url": "http://127.0.0.1:1/", "duration": 4, "expect": [share]}
    assert planned_expectations.of_traffic([sent]) == [
        ["a share of at least 0.2 ± chance of answers with status 503"]
    ]


@pytest.mark.parametrize(
    ("assertion", "sentence"),
    [
        (
            {"endpoint": ["edge"], "stat": "x.rq_200", "of": "delta", "op": "eq", "value": 20},
            "x.rq_200 at edge: delta eq 20",
        ),
        ({"match": "x.*", "across": "sum", "op": "ge", "value": 5}, "match x.*: sum ge 5"),
        (
            {"endpoint": ["a-1", "a-2"], "source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
            "server_info state at a-1, a-2: eq 'LIVE'",
        ),
        (
            {"stat": "x", "name": "all", "op": "eq", "value": {"traffic": "t", "status": "503"}},
            'all: x: eq the answers of "t" with status 503',
        ),
        (
            {"stat": "x", "of": "delta", "op": "le", "value": {"traffic": ["t", "u"], "of": "bytes"}, "tolerance": "5%"},
            'x: delta le the bytes of "t" and "u" ± 5 %',
        ),
    ],
)  # fmt: skip
def test_what_is_expected_of_stats(assertion: dict[str, Any], sentence: str) -> None:
    assert planned_expectations.of_assertions([assertion]) == [sentence]
