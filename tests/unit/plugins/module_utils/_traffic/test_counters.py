# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting answers, and holding the counts against expectations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import (
    Result,
    judge,
    parse_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.counters import (
    MAX_VALUES,
    OTHER,
    Tally,
    summarise,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import spread


def answer(status: int = 200, host: str = "a", body: bytes = b"hello", **headers: str) -> Answer:
    return Answer(status, {"server": "envoy", "x-served-by": host, **headers}, body, len(body))


def counted(
    expect: list[dict[str, Any]], *seen: Answer | RequestError, **keys: Any
) -> tuple[Result, list[dict[str, Any]]]:
    """The result of answers that took 1, 2, 3 … ms, and its verdicts; counted by two senders."""
    traffic = parse_traffic([{"url": "http://127.0.0.1/", "name": "service 1", "expect": expect, **keys}])[0]
    tallies = [Tally(traffic), Tally(traffic)]
    for position, one in enumerate(seen):
        if isinstance(one, RequestError):
            tallies[position % 2].failure(one)
        else:
            tallies[position % 2].answer(one, (position + 1) / 1000)
    result = summarise(traffic, tallies, 0.5, 2, 1)
    return result, judge(traffic, result)


def message(expect: dict[str, Any], *seen: Answer | RequestError, **keys: Any) -> tuple[bool, str]:
    (verdict,) = counted([expect], *seen, **keys)[1]
    return verdict["ok"], verdict["message"]


MIXED = [answer()] * 18 + [answer(503, "b")] * 2


def test_a_result_is_plain_data_and_adds_up() -> None:
    timeout = RequestError("timeout", "no complete answer within the timeout")
    result, _unused = counted(
        [{"header": {"name": "X-A"}, "op": "eq", "value": 0}], *MIXED, answer(**{"x-a": "1"}), timeout
    )
    data = result.as_dict()
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
    assert (data["bytes_received"], data["connections"], data["retries"]) == (105, 2, 1)
    assert data["last_error"] == "timeout: no complete answer within the timeout"


def test_nothing_answered_has_no_latency() -> None:
    result, _unused = counted([], RequestError("connect", "refused"))
    assert result.as_dict()["latency_ms"] == dict.fromkeys(["min", "mean", "p50", "p90", "p99", "max"])


def test_values_are_capped_and_the_rest_is_counted() -> None:
    many = [answer(**{"x-a": f"value-{position}"}) for position in range(MAX_VALUES * 3)]
    result, verdicts = counted(
        [{"header": {"name": "x-a", "value": "value-149"}, "op": "eq", "value": 1}], *many
    )
    values = result.headers["x-a"]
    assert sum(values.values()) == len(many)
    assert len(values) == MAX_VALUES + 1
    assert values[OTHER] == len(many) - MAX_VALUES
    assert verdicts[0]["ok"], "what an expectation counts does not depend on the cap"
    assert len(next(iter(counted([], answer(host="h" * 999))[0].hosts))) == 200


def test_hosts_can_be_read_from_a_body() -> None:
    seen = [answer(body=b"hostname: web-1 ok"), answer(body=b"hostname: web-2 ok"), answer(body=b"none")]
    assert counted([], *seen, host_from={"body": r"hostname: (\S+)"})[0].hosts == {"web-1": 1, "web-2": 1}
    assert counted([], *seen, host_from={"body": r"web-\d"})[0].hosts == {"web-1": 1, "web-2": 1}
    assert counted([], *seen, host_from={"header": "Server"})[0].hosts == {"envoy": 3}


def test_the_sentence_of_a_failed_expectation() -> None:
    assert message({"status": "200", "op": "eq", "value": 20}, *MIXED) == (
        False,
        "service 1: expected 20 answers with status 200, saw 18 (2 × 503)",
    )


REFUSED = RequestError("connect", "cannot connect to a:80: connection refused")


@pytest.mark.parametrize(
    ("expect", "seen", "ok", "words"),
    [
        ({"status": "200", "op": "eq", "value": 18}, MIXED, True, "18 answers with status 200"),
        (
            {"status": "2xx", "op": "ge", "value": 10},
            MIXED,
            True,
            "18 answers with status 2xx (expected at least 10)",
        ),
        ({"status": "5xx", "op": "eq", "value": 2}, MIXED, True, "2 answers with status 5xx"),
        ({"status": "any", "op": "lt", "value": 20}, MIXED, False, "expected less than 20 answers, saw 20"),
        ({"status": "any", "op": "ne", "value": 20}, MIXED, False, "expected other than 20 answers, saw 20"),
        (
            {"status": "503", "op": "gt", "value": 2},
            MIXED,
            False,
            "expected more than 2 answers with status 503, saw 2 (18 × 200)",
        ),
        (
            {"status": "503", "op": "in", "value": [1, 2]},
            MIXED,
            True,
            "2 answers with status 503 (expected 1 or 2)",
        ),
        (
            {"status": "503", "op": "between", "value": [2, 3]},
            MIXED,
            True,
            "2 answers with status 503 (expected 2 to 3)",
        ),
        (
            {"status": "503", "op": "between", "value": [1, 2]},
            MIXED,
            True,
            "2 answers with status 503 (expected 1 to 2)",
        ),
        (
            {"status": "503", "of": "share", "op": "between", "value": [0.2, 0.3]},
            MIXED,
            False,
            "expected a share of 0.2 to 0.3 of answers with status 503, saw 0.1 (18 × 200)",
        ),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.1},
            MIXED,
            True,
            "a share of 0.1 of answers with status 503",
        ),
        (
            {"status": "200", "of": "share", "op": "eq", "value": 1},
            MIXED,
            False,
            "expected a share of 1 of answers with status 200, saw 0.9 (2 × 503)",
        ),
        # Left to chance: how far off it may be follows from the number of requests.
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.5, "tolerance": {"binomial": 1e-4}},
            MIXED,
            True,
            "2 answers with status 503 (expected 50 %: 2 to 18 of 20)",
        ),
        (
            {"status": "503", "of": "share", "op": "eq", "value": 0.9, "tolerance": "binomial"},
            MIXED,
            False,
            "expected 90 %: 9 to 20 of 20 answers with status 503, saw 2 of 20 (10 %) (18 × 200)",
        ),
        # What was not answered was not picked, and is one of all.
        (
            {"header": {"name": "server"}, "of": "share", "op": "eq", "value": 1, "tolerance": "binomial"},
            [answer(), REFUSED],
            False,
            "expected 100 %: 2 to 2 of 2 answers with header server, saw 1 of 2 (50 %) (",
        ),
        (
            {"hosts": "a", "of": "share", "op": "between", "value": [0.5, 1], "tolerance": "binomial"},
            MIXED,
            True,
            "18 answers from a (expected 50 % to 100 %: 1 to 20 of 20)",
        ),
        (
            {"status": "200", "op": "eq", "value": 20, "tolerance": 2},
            MIXED,
            True,
            "18 answers with status 200 (expected 20 ± 2)",
        ),
        (
            {"status": "200", "op": "ge", "value": 20, "tolerance": "5%"},
            MIXED,
            False,
            "expected at least 20 ± 5 % answers with status 200, saw 18 (2 × 503)",
        ),
        (
            {"status": "200", "op": "ne", "value": 20, "tolerance": 2},
            MIXED,
            False,
            "expected other than 20 ± 2 answers with status 200, saw 18 (2 × 503)",
        ),
        ({"status": "503", "op": "lt", "value": 1, "tolerance": 2}, MIXED, True, "2 answers"),
        ({"status": "503", "op": "gt", "value": 4, "tolerance": 2}, MIXED, False, "expected more than 4 ± 2"),
        ({"status": "503", "op": "between", "value": [4, 5], "tolerance": 2}, MIXED, True, "2 answers"),
        ({"status": "503", "op": "in", "value": [9, 4], "tolerance": 1}, MIXED, False, "expected 9 or 4 ± 1"),
        # A share is one of all that was sent: what was not answered is not forgotten.
        (
            {"status": "200", "of": "share", "op": "eq", "value": 0.5},
            [answer(), REFUSED],
            True,
            "a share of 0.5 of answers with status 200",
        ),
        (
            {"status": "200", "op": "eq", "value": 1},
            [REFUSED],
            False,
            "expected 1 answer with status 200, saw 0 (1 × connect; last error: connect: cannot connect to a:80: connection refused)",
        ),
        ({"error": "any", "op": "eq", "value": 0}, MIXED, True, "0 errors"),
        ({"error": "timeout", "op": "eq", "value": 0}, [REFUSED], True, "0 timeout errors"),
        ({"error": "connect", "op": "eq", "value": 1}, [REFUSED], True, "1 connect error"),
        (
            {"header": {"name": "Server", "value": "envoy"}, "op": "eq", "value": 20},
            MIXED,
            True,
            "20 answers with header server: envoy",
        ),
        (
            {"header": {"name": "server", "value": "nginx"}, "op": "eq", "value": 20},
            MIXED,
            False,
            "expected 20 answers with header server: nginx, saw 0 (20 × server: envoy)",
        ),
        (
            {"header": {"name": "x-v"}, "op": "eq", "value": 2},
            [answer(**{"x-v": ""}), answer()],
            False,
            "expected 2 answers with header x-v, saw 1 (1 × x-v: , 1 × no x-v)",
        ),
        (
            {"header": {"name": "x-v", "matches": "^v[{]?1"}, "op": "eq", "value": 1},
            [answer(**{"x-v": "v1.2"}), answer(**{"x-v": "rev1"})],
            True,
            "1 answer with header x-v matching '^v[{]?1'",
        ),
        (
            {"hosts": "count", "op": "eq", "value": 3},
            MIXED,
            False,
            "expected answers from 3 hosts, saw 2 (18 × a, 2 × b)",
        ),
        ({"hosts": "a", "op": "eq", "value": 18}, MIXED, True, "18 answers from a"),
        (
            {"hosts": "c", "op": "ge", "value": 1},
            MIXED,
            False,
            "expected at least 1 answer from c, saw 0 (18 × a, 2 × b)",
        ),
        ({"hosts": "spread", "op": "eq", "value": 1.6}, MIXED, True, "a spread over the hosts of 1.6"),
        (
            {"hosts": "spread", "among": ["a", "b", "c"], "op": "le", "value": 0.2},
            MIXED,
            False,
            "expected a spread over the hosts of at most 0.2, saw 2.7 (18 × a, 2 × b)",
        ),
        (
            {"hosts": "spread", "op": "le", "value": 9},
            [REFUSED],
            False,
            "expected a spread over the hosts of at most 9, saw no answer",
        ),
        ({"latency": 0.95, "op": "eq", "value": 19}, MIXED, True, "a latency p95 of 19 ms"),
        (
            {"latency": 0.999, "op": "le", "value": 19.5},
            MIXED,
            False,
            "expected a latency p99.9 of at most 19.5 ms, saw 20",
        ),
        (
            {"latency": 0.5, "op": "lt", "value": 100},
            [REFUSED],
            False,
            "expected a latency p50 of less than 100 ms, saw no answer",
        ),
        ({"bytes": "total", "op": "eq", "value": 100}, MIXED, True, "100 bytes in all bodies"),
        (
            {"bytes": "mean", "op": "eq", "value": 4},
            [answer(body=b"abc"), answer()],
            True,
            "4 bytes for each body",
        ),
        (
            {"bytes": "mean", "op": "lt", "value": 4},
            [REFUSED],
            False,
            "expected less than 4 bytes for each body, saw no answer",
        ),
        (
            {"body": "^hel+o$", "op": "eq", "value": 1},
            [answer(), answer(body=b"bye")],
            True,
            "1 answer with a body matching '^hel+o$'",
        ),
    ],
)
def test_expectations(
    expect: dict[str, Any], seen: list[Answer | RequestError], ok: bool, words: str
) -> None:
    held, sentence = message(expect, *seen)
    assert sentence.startswith(f"service 1: {words}")
    assert held == ok
    if "tolerance" not in expect and (ok or "(" in words or REFUSED not in seen):
        assert sentence == f"service 1: {words}"


def test_verdicts_are_one_to_one_with_the_expectations() -> None:
    expect = [
        {"name": "all", "status": "200", "op": "eq", "value": 20},
        {"status": "503", "op": "eq", "value": 2},
        {"latency": 0.5, "op": "lt", "value": 100},
    ]
    _unused, verdicts = counted(expect, *MIXED)
    assert [verdict["ok"] for verdict in verdicts] == [False, True, True]
    assert verdicts[0] == {
        "ok": False,
        "name": "all",
        "expected": "20",
        "observed": 18,
        "message": "service 1: all: expected 20 answers with status 200, saw 18 (2 × 503)",
    }


def test_spread_of_even_and_absent_hosts() -> None:
    assert spread({"a": 5, "b": 5}) == 0
    assert spread({"a": 6, "b": 4}) == pytest.approx(0.4)
    assert spread({"a": 6}, ("a", "b")) == 2
    assert spread({}, ("a", "b")) is None


def test_what_tls_agreed_on_is_counted_and_expected() -> None:
    new = answer()._replace(tls=Session("TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1"))
    old = answer()._replace(tls=Session("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", ""))
    seen = [new] * 3 + [old] * 2 + [answer()]
    result, _unused = counted([], *seen)
    assert result.as_dict()["tls"] == {
        "TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384": 3,
        "TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256": 2,
    }
    for wanted, number in (
        ({"version": "TLSv1.3"}, 3),
        ({"version": "TLSv1.2", "alpn": ""}, 2),
        ({"alpn": "http/1.1", "cipher": "TLS_AES_256_GCM_SHA384"}, 3),
        ({"version": "TLSv1.3", "alpn": ""}, 0),
    ):
        assert message({"tls": wanted, "op": "eq", "value": number}, *seen)[0]
    assert message({"tls": {"version": "TLSv1.3", "alpn": ""}, "op": "eq", "value": 6}, *seen) == (
        False,
        (
            "service 1: expected 6 answers over TLS with version TLSv1.3, alpn none, saw 0"
            " (3 × TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384, 2 × TLSv1.2, ECDHE-ECDSA-AES128-GCM-SHA256)"
        ),
    )
