# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comparing the result of a traffic with its expectations, and the message of each."""

from __future__ import annotations

from typing import Any

import pytest
from fake_answers import MIXED, REFUSED, fake_answer, fake_result

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import (
    check_expectations,
    planned_text,
    spread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

LAST_ERROR = "Errors: 1 × connect. Last error: connect: cannot connect to a:80: connection refused."


def check(expect: dict[str, Any], answers: list[Answer | RequestError]) -> tuple[bool, str]:
    """Return whether one expectation holds for these answers, and its message."""
    (outcome,) = check_expectations(*fake_result([expect], *answers))
    return outcome["ok"], outcome["message"]


@pytest.mark.parametrize(
    ("expect", "expected", "got", "ok", "subject"),
    [
        ({"status": "200", "op": "eq", "value": 18}, "18", "18", True, "answers with status 200"),
        ({"status": "2xx", "op": "ge", "value": 10}, "at least 10", "18", True, "answers with status 2xx"),
        ({"status": "5xx", "op": "eq", "value": 2}, "2", "2", True, "answers with status 5xx"),
        ({"status": "503", "op": "in", "value": [1, 2]}, "1 or 2", "2", True, "answers with status 503"),
        ({"status": "503", "op": "between", "value": [2, 3]}, "2 to 3", "2", True, "answers with status 503"),
        ({"status": "503", "op": "between", "value": [1, 2]}, "1 to 2", "2", True, "answers with status 503"),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.1},
            "0.1",
            "0.1",
            True,
            "share of answers with status 503",
        ),
        # A binomial tolerance follows from the number of requests.
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.5, "tolerance": {"binomial": 1e-4}},
            "2 to 18 of 20 for a share of 50 %",
            "2",
            True,
            "share of answers with status 503",
        ),
        (
            {"hosts": "a", "of": "share", "op": "between", "value": [0.5, 1], "tolerance": "binomial"},
            "1 to 20 of 20 for a share of 50 % to 100 %",
            "18",
            True,
            "share of answers from a",
        ),
        (
            {"status": "200", "op": "eq", "value": 20, "tolerance": 2},
            "20 ± 2",
            "18",
            True,
            "answers with status 200",
        ),
        (
            {"status": "503", "op": "lt", "value": 1, "tolerance": 2},
            "less than 1 ± 2",
            "2",
            True,
            "answers with status 503",
        ),
        (
            {"status": "503", "op": "between", "value": [4, 5], "tolerance": 2},
            "4 to 5 ± 2",
            "2",
            True,
            "answers with status 503",
        ),
        ({"error": "any", "op": "eq", "value": 0}, "0", "0", True, "errors"),
        ({"error": "timeout", "op": "eq", "value": 0}, "0", "0", True, "timeout errors"),
        (
            {"header": {"name": "Server", "value": "envoy"}, "op": "eq", "value": 20},
            "20",
            "20",
            True,
            "answers with header server: envoy",
        ),
        ({"hosts": "a", "op": "eq", "value": 18}, "18", "18", True, "answers from a"),
        ({"hosts": "spread", "op": "eq", "value": 1.6}, "1.6", "1.6", True, "spread over the hosts"),
        ({"latency": 0.95, "op": "eq", "value": 19}, "19", "19", True, "p95 latency in ms"),
        ({"bytes": "total", "op": "eq", "value": 100}, "100", "100", True, "bytes of all bodies"),
        ({"bytes": "mean", "op": "eq", "value": 5}, "5", "5", True, "mean bytes of a body"),
        (
            {"latency": 0.999, "op": "le", "value": 19.5},
            "at most 19.5",
            "20",
            False,
            "p99.9 latency in ms",
        ),
    ],
)
def test_message_names_expected_and_observed_number(
    expect: dict[str, Any], expected: str, got: str, ok: bool, subject: str
) -> None:
    assert check(expect, MIXED) == (ok, f"expected {expected}, got {got} ({subject} of traffic service 1)")


@pytest.mark.parametrize(
    ("expect", "answers", "message"),
    [
        (
            {"status": "200", "op": "eq", "value": 20},
            MIXED,
            'expected 20, got 18 (answers with status 200 of traffic service 1). Other answers: 2 × 503. Body of a 503: "hello".',
        ),
        (
            {"name": "all", "status": "any", "op": "lt", "value": 20},
            MIXED,
            "all: expected less than 20, got 20 (answers of traffic service 1)",
        ),
        (
            {"status": "any", "op": "ne", "value": 20},
            MIXED,
            "expected other than 20, got 20 (answers of traffic service 1)",
        ),
        (
            {"status": "503", "op": "gt", "value": 2},
            MIXED,
            'expected more than 2, got 2 (answers with status 503 of traffic service 1). Other answers: 18 × 200. Body of a 200: "hello".',
        ),
        (
            {"status": "503", "of": "share", "op": "between", "value": [0.2, 0.3]},
            MIXED,
            (
                "expected 0.2 to 0.3, got 0.1 (share of answers with status 503 of traffic service 1)."
                ' Other answers: 18 × 200. Body of a 200: "hello".'
            ),
        ),
        (
            {"status": "200", "of": "share", "op": "eq", "value": 1},
            MIXED,
            'expected 1, got 0.9 (share of answers with status 200 of traffic service 1). Other answers: 2 × 503. Body of a 503: "hello".',
        ),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.9, "tolerance": "binomial"},
            MIXED,
            (
                "expected 9 to 20 of 20 for a share of 90 %, got 2"
                ' (share of answers with status 503 of traffic service 1). Other answers: 18 × 200. Body of a 200: "hello".'
            ),
        ),
        # A request without an answer is a trial.
        (
            {"header": {"name": "server"}, "of": "share", "op": "eq", "value": 1, "tolerance": "binomial"},
            [fake_answer(), REFUSED],
            (
                "expected 2 to 2 of 2 for a share of 100 %, got 1 (share of answers with header server of"
                f" traffic service 1). Answers: 1 × server: envoy. {LAST_ERROR}"
            ),
        ),
        (
            {"status": "200", "op": "ge", "value": 20, "tolerance": "5%"},
            MIXED,
            (
                "expected at least 20 ± 5 %, got 18 (answers with status 200 of traffic service 1)."
                ' Other answers: 2 × 503. Body of a 503: "hello".'
            ),
        ),
        (
            {"status": "200", "op": "ne", "value": 20, "tolerance": 2},
            MIXED,
            (
                "expected other than 20 ± 2, got 18 (answers with status 200 of traffic service 1)."
                ' Other answers: 2 × 503. Body of a 503: "hello".'
            ),
        ),
        (
            {"status": "503", "op": "gt", "value": 4, "tolerance": 2},
            MIXED,
            (
                "expected more than 4 ± 2, got 2 (answers with status 503 of traffic service 1)."
                ' Other answers: 18 × 200. Body of a 200: "hello".'
            ),
        ),
        (
            {"status": "503", "op": "in", "value": [9, 4], "tolerance": 1},
            MIXED,
            'expected 9 or 4 ± 1, got 2 (answers with status 503 of traffic service 1). Other answers: 18 × 200. Body of a 200: "hello".',
        ),
        (
            {"status": "200", "op": "eq", "value": 1},
            [REFUSED],
            f"expected 1, got 0 (answers with status 200 of traffic service 1). {LAST_ERROR}",
        ),
        (
            {"header": {"name": "server", "value": "nginx"}, "op": "eq", "value": 20},
            MIXED,
            (
                "expected 20, got 0 (answers with header server: nginx of traffic service 1)."
                " Answers: 20 × server: envoy."
            ),
        ),
        (
            {"header": {"name": "x-v"}, "op": "eq", "value": 2},
            [fake_answer(**{"x-v": ""}), fake_answer()],
            "expected 2, got 1 (answers with header x-v of traffic service 1). Answers: 1 × x-v: , 1 × no x-v.",
        ),
        (
            {"hosts": "count", "op": "eq", "value": 3},
            MIXED,
            "expected 3, got 2 (answering hosts of traffic service 1). Answers: 18 × a, 2 × b.",
        ),
        (
            {"hosts": "c", "op": "ge", "value": 1},
            MIXED,
            "expected at least 1, got 0 (answers from c of traffic service 1). Answers: 18 × a, 2 × b.",
        ),
        (
            {"hosts": "spread", "among": ["a", "b", "c"], "op": "le", "value": 0.2},
            MIXED,
            "expected at most 0.2, got 2.7 (spread over the hosts of traffic service 1). Answers: 18 × a, 2 × b.",
        ),
        (
            {"hosts": "spread", "op": "le", "value": 9},
            [REFUSED],
            f"expected at most 9, got no answer (spread over the hosts of traffic service 1). {LAST_ERROR}",
        ),
        (
            {"latency": 0.5, "op": "lt", "value": 100},
            [REFUSED],
            f"expected less than 100, got no answer (p50 latency in ms of traffic service 1). {LAST_ERROR}",
        ),
        (
            {"bytes": "mean", "op": "lt", "value": 4},
            [REFUSED],
            f"expected less than 4, got no answer (mean bytes of a body of traffic service 1). {LAST_ERROR}",
        ),
    ],
)
def test_message_of_a_failure_lists_other_answers_and_errors(
    expect: dict[str, Any], answers: list[Answer | RequestError], message: str
) -> None:
    assert check(expect, answers) == (False, message)


@pytest.mark.parametrize(
    ("expect", "answers"),
    [
        # A share is one of all requests, also of those without an answer.
        ({"status": "200", "of": "share", "op": "eq", "value": 0.5}, [fake_answer(), REFUSED]),
        ({"error": "connect", "op": "eq", "value": 1}, [REFUSED]),
        ({"error": "timeout", "op": "eq", "value": 0}, [REFUSED]),
        ({"bytes": "mean", "op": "eq", "value": 4}, [fake_answer(body=b"abc"), fake_answer()]),
        (
            {"header": {"name": "x-v", "matches": "^v[{]?1"}, "op": "eq", "value": 1},
            [fake_answer(**{"x-v": "v1.2"}), fake_answer(**{"x-v": "rev1"})],
        ),
        ({"body": "^hel+o$", "op": "eq", "value": 1}, [fake_answer(), fake_answer(body=b"bye")]),
        # One tenth, three times, is not exactly 0.3.
        (
            {"status": "200", "of": "share", "op": "eq", "value": 0.3},
            [fake_answer()] * 3 + [fake_answer(503)] * 7,
        ),
    ],
)
def test_expectation_holds(expect: dict[str, Any], answers: list[Answer | RequestError]) -> None:
    assert check(expect, answers)[0]


def test_outcomes_are_in_the_order_of_the_expectations() -> None:
    expect = [
        {"name": "all", "status": "200", "op": "eq", "value": 20},
        {"status": "503", "op": "eq", "value": 2},
        {"latency": 0.5, "op": "lt", "value": 100},
    ]
    outcomes = check_expectations(*fake_result(expect, *MIXED))
    assert [outcome["ok"] for outcome in outcomes] == [False, True, True]
    assert outcomes[0] == {
        "ok": False,
        "name": "all",
        "expected": "20",
        "observed": 18,
        "accepted": [20, 20],
        "texts": {
            "subject": "answers with status 200 of traffic service 1",
            "expected": "20",
            "observed": "18",
        },
        "message": "all: expected 20, got 18 (answers with status 200 of traffic service 1)."
        ' Other answers: 2 × 503. Body of a 503: "hello".',
    }


def test_at_most_eight_kinds_of_answers_are_listed() -> None:
    answers = [fake_answer(500 + number) for number in range(10)]
    assert check({"status": "200", "op": "eq", "value": 1}, answers)[1].endswith(
        '1 × 507, 2 more. Body of a 500: "hello". Body of a 501: "hello".'
    )


def test_spread_of_even_and_absent_hosts() -> None:
    assert spread({"a": 5, "b": 5}) == 0
    assert spread({"a": 6, "b": 4}) == pytest.approx(0.4)
    assert spread({"a": 6}, ("a", "b")) == 2
    assert spread({}, ("a", "b")) is None


def test_tls_sessions_are_expected() -> None:
    new = fake_answer()._replace(tls=Session("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1"))
    old = fake_answer()._replace(tls=Session("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", ""))
    answers = [new] * 3 + [old] * 2 + [fake_answer()]
    for match, number in (
        ({"version": "TLSv1.3"}, 3),
        ({"version": "TLSv1.2", "alpn": ""}, 2),
        ({"alpn": "http/1.1", "cipher": "TLS_AES_256_GCM_SHA384"}, 3),
        ({"version": "TLSv1.3", "alpn": ""}, 0),
    ):
        assert check({"tls": match, "op": "eq", "value": number}, answers)[0]
    assert check({"tls": {"version": "TLSv1.3", "alpn": ""}, "op": "eq", "value": 6}, answers) == (
        False,
        (
            "expected 6, got 0 (answers over TLS with version TLSv1.3, alpn none of traffic service 1). Sessions:"
            " 3 × TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384, 2 × TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256."
        ),
    )


@pytest.mark.parametrize(
    ("expect", "text"),
    [
        ({"status": "200", "op": "eq", "value": 24}, "answers with status 200: 24"),
        ({"name": "fast", "latency": 0.99, "op": "lt", "value": 50}, "fast: p99 latency in ms: less than 50"),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.1, "tolerance": "binomial"},
            "share of answers with status 503: 3 to 43 of 200 for a share of 10 %",
        ),
    ],
)
def test_planned_text(expect: dict[str, Any], text: str) -> None:
    [traffic] = parse_traffic([{"url": "http://a/", "requests": 200, "expect": [expect]}])
    assert planned_text(traffic.expect[0], traffic.requests) == text


def test_planned_text_without_number_of_requests_has_no_range() -> None:
    expect = {"status": "503", "of": "share", "op": "ge", "value": 0.2, "tolerance": "binomial"}
    [traffic] = parse_traffic([{"url": "http://a/", "duration": 5, "expect": [expect]}])
    assert (
        planned_text(traffic.expect[0], traffic.requests)
        == "share of answers with status 503: at least 0.2 (binomial)"
    )


def test_empty_body_is_not_shown() -> None:
    answers = [fake_answer(503, body=b"")]
    assert check({"status": "200", "op": "eq", "value": 1}, answers)[1].endswith("Other answers: 1 × 503.")


def test_body_that_does_not_match_is_shown() -> None:
    answers = [fake_answer(body=b"bye"), fake_answer(body=b"good\nbye")]
    assert check({"body": "^hello$", "op": "eq", "value": 2}, answers)[1] == (
        "expected 2, got 0 (answers with a body that matches '^hello$' of traffic service 1)."
        ' Another body: "bye".'
    )
