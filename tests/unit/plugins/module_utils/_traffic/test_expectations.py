# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Expectations from plain data, and the errors for those that cannot be checked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import (
    KEYS,
    Expectation,
    HeaderMatch,
    parse_expectations,
)


def parsed(**keys: Any) -> Expectation:
    """Return an expectation of 1 with these keys."""
    return parse_expectations([{"op": "eq", "value": 1, **keys}], "expect")[0]


def test_keys_without_value_count_as_left_out() -> None:
    left_out = dict.fromkeys(set(KEYS) - {"op", "value", "status"})
    assert parsed(status="200", **left_out) == parsed(status="200")


def test_numbers_can_be_text_and_stay_integers() -> None:
    assert parsed(status=200, value="20").value == 20
    assert isinstance(parsed(status=200, value="20").value, int)
    assert parsed(status=200, op="between", value="2, 5").value == (2, 5)
    assert parsed(status=200, op="in", value=["2", 5.5]).value == (2, 5.5)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (
            {},
            "body, tls, trailer, grpc_status, messages, redirects, connections, response_flag is needed, got none.",
        ),
        ({"status": "200", "hosts": "count"}, "is needed, got status and hosts."),
        ({"status": "200", "op": None}, "expect[0].op: a value is missing. Use one of: eq, ne"),
        ({"status": "200", "op": "=="}, "expect[0].op: unknown value '=='. Use one of: "),
        ({"status": "200", "value": None}, "expect[0].value: a value is missing."),
        ({"status": "200", "value": "x"}, "expect[0].value: expected a number, got 'x'."),
        ({"status": "200", "value": "inf"}, "expected a number, got 'inf'."),
        ({"status": "200", "value": [1]}, "expected a number, got [1]."),
        ({"status": "200", "op": "in", "value": 1}, "expected a list of numbers for op in, got 1."),
        ({"status": "200", "op": "in", "value": []}, "op in needs a list of numbers, and the list is empty."),
        ({"status": "200", "op": "between", "value": [2, 1]}, "op between needs two numbers, the lowest and"),
        ({"status": "20"}, "expect[0].status: '20' is not a status. Use a code (200), a class (2xx) or any."),
        ({"status": "200", "of": "shares"}, "unknown value 'shares'. Did you mean 'share'?"),
        ({"latency": 0.5, "of": "share"}, "expect[0].of: latency counts no answers, so it has no share."),
        ({"hosts": "spread", "of": "share"}, "hosts counts no answers, so it has no share."),
        ({"latency": 99}, "expect[0].latency: expected a number above 0 and at most 1, got 99."),
        ({"error": "timeouts"}, "unknown value 'timeouts'. Did you mean 'timeout'?"),
        ({"bytes": "all"}, "unknown value 'all'. Use one of: mean, total."),
        ({"header": "server"}, "expect[0].header: expected a dictionary, got 'server'."),
        ({"header": {"value": "a"}}, "expect[0].header.name: expected the name of a header"),
        ({"header": {"name": "a", "value": "b", "matches": "c"}}, "value and matches exclude each other."),
        ({"hosts": "count", "among": ["a"]}, "expect[0].among: it is only for hosts: spread."),
        ({"hosts": "spread", "among": "a"}, "expect[0].among: expected a list of host names, got 'a'."),
        ({"status": "200", "tolerance": "binomial"}, "binomial is only for a share of all requests."),
        (
            {"status": "200", "of": "share", "op": "ne", "tolerance": "binomial"},
            "expect[0].tolerance: binomial does not work with op ne.",
        ),
        ({"status": "200", "of": "share", "value": 2, "tolerance": "binomial"}, "but the value is 2."),
        ({"status": "200", "of": "share", "tolerance": "some"}, "expect[0].tolerance: expected a number"),
        ({"tls": {}}, "expect[0].tls: no key is set. Set at least one of: version, cipher, alpn."),
        ({"tls": {"protocol": "h2"}}, "expect[0].tls: unknown key 'protocol'."),
        ({"body": "("}, "expect[0].body: '(' is not a regular expression"),
        ({"stauts": "200"}, "expect[0]: unknown key 'stauts'. Did you mean 'status'?"),
    ],
)
def test_parse_expectations_refuses_other_entries(keys: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parsed(**keys)
    assert error in str(caught.value)
    assert str(caught.value).startswith("expect[0]")


@pytest.mark.parametrize(
    ("match", "value", "counts"),
    [
        (HeaderMatch("a"), "", True),
        (HeaderMatch("a"), None, False),
        (HeaderMatch("a", "x"), "x", True),
        (HeaderMatch("a", "x"), "xy", False),
        (parsed(header={"name": "a", "matches": "^x"}).header, "xy", True),
        (parsed(header={"name": "a", "matches": "^x"}).header, "yx", False),
    ],
)
def test_header_match(match: HeaderMatch, value: str | None, counts: bool) -> None:
    assert match.matches(value) is counts
