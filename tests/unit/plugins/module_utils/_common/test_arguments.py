# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain data as typed values, and the one wording for an argument that cannot be used."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common import arguments
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError


def test_mapping_leaves_out_keys_without_value() -> None:
    assert arguments.mapping({"a": 1, "b": None, "c": 0}, "x", "abc") == {"a": 1, "c": 0}


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"requets": 1}, "traffic[0]: unknown key 'requets'. Did you mean 'requests'?"),
        ({"zzz": 1}, "traffic[0]: unknown key 'zzz'. Use one of: name, requests."),
        ([], "traffic[0]: expected a dictionary, got []."),
        ("x" * 1000, f"traffic[0]: expected a dictionary, got '{'x' * 98}…."),
    ],
)
def test_mapping_refuses_unknown_keys_and_other_types(value: Any, error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        arguments.mapping(value, "traffic[0]", ["name", "requests"])
    assert str(caught.value) == error


def test_mapping_without_keys_allows_every_key() -> None:
    assert arguments.mapping({"x-any": 1}, "headers") == {"x-any": 1}


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, 5, None])
def test_sequence_refuses_anything_but_a_list(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^traffic: expected a list of dictionaries, got "):
        arguments.sequence(value, "traffic", "dictionaries")
    assert arguments.sequence([1], "traffic", "numbers") == [1]


@pytest.mark.parametrize(
    ("value", "text"), [("a", "a"), (5, "5"), (1.5, "1.5"), (True, "true"), (False, "false"), (None, "x")]
)
def test_text_is_written_as_in_yaml(value: Any, text: str) -> None:
    assert arguments.text({"key": value}, "key", "x", default="x") == text


@pytest.mark.parametrize("value", [[], {}, b"x", object()])
def test_text_refuses_other_types(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^a\.key: expected text, got "):
        arguments.text({"key": value}, "key", "a")


def test_choice_returns_value_or_default() -> None:
    assert arguments.choice({"op": "eq"}, "op", "x", ["eq", "ne"]) == "eq"
    assert arguments.choice({"op": None}, "op", "x", ["eq", "ne"], "ne") == "ne"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (None, "x.op: a value is missing. Use one of: reuse, new."),
        ("resue", "x.op: unknown value 'resue'. Did you mean 'reuse'?"),
        (5, "x.op: unknown value '5'. Use one of: new, reuse."),
    ],
)
def test_choice_names_the_allowed_values(value: Any, error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        arguments.choice({"op": value}, "op", "x", ["reuse", "new"])
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (20, 20),
        ("20", 20),
        ("1e-3", 0.001),
        (0.5, 0.5),
        ("inf", math.inf),
        ("20000000000000000001", 2 * 10**19 + 1),
    ],
)
def test_number_may_be_text(value: Any, number: float) -> None:
    found = arguments.number(value, "x")
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("value", ["many", True, None, [1], {}, "", "nan", math.nan])
def test_number_refuses_other_values(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^x: expected a number, got "):
        arguments.number(value, "x")


@pytest.mark.parametrize(
    ("value", "limits", "error"),
    [
        (0, {"above": 0}, "x: expected a number above 0, got 0."),
        ("0", {"above": 0, "most": 3600}, "x: expected a number above 0 and at most 3600, got '0'."),
        (3601, {"above": 0, "most": 3600}, "x: expected a number above 0 and at most 3600, got 3601."),
        (-1, {"least": 0}, "x: expected a number of 0 or more, got -1."),
        (1.5, {"least": 0, "most": 1}, "x: expected a number from 0 to 1, got 1.5."),
        (math.inf, {"finite": True}, "x: expected a number, got inf."),
        (10**4000, {"most": 0.5}, "x: expected a number at most 0.5, got a number of 13288 bits."),
    ],
)
def test_number_outside_of_its_limits_is_refused(value: Any, limits: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        arguments.number(value, "x", **limits)
    assert str(caught.value) == error


@pytest.mark.parametrize("value", [0, 11, 1.5, "many", True, None, math.inf, 10**400])
def test_integer_refuses_fractions_and_numbers_out_of_range(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^x: expected a whole number from 1 to 10, got "):
        arguments.integer(value, "x", least=1, most=10)


def test_integer_accepts_whole_floats_and_text() -> None:
    assert [arguments.integer(value, "x", least=1, most=10) for value in (2, "3", 4.0)] == [2, 3, 4]


@pytest.mark.parametrize(("value", "zero"), [(0, False), (-1, True), ("inf", True), ("soon", False)])
def test_seconds_are_finite_and_above_zero(value: Any, zero: bool) -> None:
    with pytest.raises(ArgumentError, match=r"^timeout: expected a number "):
        arguments.seconds(value, "timeout", zero=zero)
    assert arguments.seconds("0", "timeout", zero=True) == 0


def test_names_are_one_name_or_a_list() -> None:
    assert arguments.names(None, "x") == ()
    assert arguments.names("a", "x") == ("a",)
    assert arguments.names(["a", "b"], "x") == ("a", "b")
    for value in (5, [5], [""], {"a": 1}):
        with pytest.raises(ArgumentError, match="expected a name or a list of names"):
            arguments.names(value, "x")


def test_optional_reads_only_keys_with_a_value() -> None:
    data = {"timeout": "2", "rate": None}
    assert arguments.optional(data, "timeout", "x", arguments.number, above=0) == 2
    assert arguments.optional(data, "rate", "x", arguments.number, above=0) is None
    with pytest.raises(ArgumentError, match=r"^x\.timeout: expected a number above 5, got '2'\.$"):
        arguments.optional(data, "timeout", "x", arguments.number, above=5)


def test_pattern_matches_at_each_line() -> None:
    assert arguments.pattern("^b$", "x").search("a\nb")
    assert arguments.bytes_pattern("ä", "x").search("xä".encode())
    with pytest.raises(ArgumentError, match=r"^x: '\(' is not a regular expression: missing \)"):
        arguments.pattern("(", "x")


def test_header_names_are_tokens_in_lower_case() -> None:
    assert arguments.header_name("X-Id", "x") == "x-id"
    for value in ("a b", "", None, "a:", "ä"):
        with pytest.raises(ArgumentError, match=r"^x: expected the name of a header"):
            arguments.header_name(value, "x")


def test_header_values_have_no_control_characters() -> None:
    assert arguments.header_value("a\tb", "x") == "a\tb"
    for value in ("a\r\nb", "\0", "\x7f"):
        with pytest.raises(ArgumentError, match=r"^x: a header cannot contain a line break"):
            arguments.header_value(value, "x")


@pytest.mark.parametrize(("value", "port"), [(80, 80), ("9901", 9901), ("http-admin", "http-admin")])
def test_pod_ports_have_a_number_or_a_name(value: Any, port: int | str) -> None:
    assert arguments.pod_port(value, "x") == port


@pytest.mark.parametrize("value", [0, 65536, "HTTP", "a_b", "-a", "a" * 16, ""])
def test_pod_port_refuses_other_values(value: Any) -> None:
    with pytest.raises(ArgumentError, match="expected the number or the name of a pod's port"):
        arguments.pod_port(value, "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "nothing"), (True, "true"), ("a", "'a'"), (1.5, "1.5"), (10**4000, "a number of")],
)
def test_shown_values_are_short(value: Any, text: str) -> None:
    assert arguments.shown(value).startswith(text)
    assert len(arguments.shown(value)) <= 100
