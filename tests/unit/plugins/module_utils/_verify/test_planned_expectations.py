# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan expects, in the words of the report."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify import planned_expectations


@pytest.mark.parametrize(
    ("expectation", "text"),
    [
        ({"status": "200", "op": "eq", "value": 20}, "answers with status 200: 20"),
        ({"status": "any", "op": "eq", "value": 1}, "answers: 1"),
        ({"error": "tls", "op": "ge", "value": 5}, "tls errors: at least 5"),
        ({"hosts": "spread", "op": "le", "value": 0.2}, "spread over the hosts: at most 0.2"),
        (
            {"header": {"name": "age"}, "op": "between", "value": [1, 2], "name": "kept"},
            "kept: answers with header age: 1 to 2",
        ),
        (
            {"status": "200", "of": "share", "op": "eq", "value": 1},
            "share of answers with status 200: 1",
        ),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.2, "tolerance": "binomial"},
            "share of answers with status 503: 141 to 264 of 1000 for a share of 20 %",
        ),
    ],
)
def test_expectations_of_traffic(expectation: dict[str, Any], text: str) -> None:
    traffic = {"url": "http://127.0.0.1:1/", "requests": 1000, "expect": [expectation]}
    assert planned_expectations.of_traffic([traffic]) == [[text]]


def test_binomial_tolerance_without_requests_has_no_range() -> None:
    share = {"status": "503", "of": "share", "op": "ge", "value": 0.2, "tolerance": "binomial"}
    traffic = {"url": "http://127.0.0.1:1/", "duration": 4, "expect": [share]}
    assert planned_expectations.of_traffic([traffic]) == [
        ["share of answers with status 503: at least 0.2 (binomial)"]
    ]


@pytest.mark.parametrize(
    ("assertion", "text"),
    [
        (
            {"endpoint": ["edge"], "stat": "x.rq_200", "of": "delta", "op": "eq", "value": 20},
            "delta of x.rq_200 at edge: 20",
        ),
        ({"match": "x.*", "across": "sum", "op": "ge", "value": 5}, "sum of stats that match x.*: at least 5"),
        (
            {"endpoint": ["a-1", "a-2"], "source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
            "server_info state at a-1, a-2: 'LIVE'",
        ),
        (
            {"stat": "x", "name": "all", "op": "eq", "value": {"traffic": "t", "status": "503"}},
            'all: x: the answers of "t" with status 503',
        ),
        (
            {"stat": "x", "of": "delta", "op": "le", "value": {"traffic": ["t", "u"], "of": "bytes"}, "tolerance": "5%"},
            'delta of x: at most the bytes of "t" and "u" ± 5 %',
        ),
    ],
)  # fmt: skip
def test_expectations_of_stats(assertion: dict[str, Any], text: str) -> None:
    assert planned_expectations.of_assertions([assertion]) == [text]
