# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The subject and the expected value of an assertion, for messages."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import is_stat_value
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)


@pytest.mark.parametrize(
    ("entry", "subject"),
    [
        ({"stat": "a.b"}, "a.b"),
        ({"stat": "a.b", "of": "delta", "endpoint": "edge"}, "delta of a.b at edge"),
        ({"stat": "a.b", "of": "rate", "across": "sum"}, "sum of rate of a.b"),
        ({"stat": "h", "quantile": 0.99, "of": "delta", "across": "sum"}, "sum of p99 of delta of h"),
        ({"stat": "h", "bucket": 50}, "samples up to 50 of h"),
        ({"stat": "h", "quantile": 0.5, "window": "interval"}, "p50 of last interval of h"),
        ({"match": "a.*"}, "stats that match a.*"),
        ({"stat": "m", "labels": {"code": "5", "app": "x"}}, 'm{app="x",code="5"}'),
        ({"stat": "a", "over": "b"}, "ratio of a to b"),
        ({"match": "a.*", "over_match": "b.*"}, "ratio of stats that match a.* to stats that match b.*"),
        ({"source": "server_info", "stat": "state", "endpoint": ["a", "b"]}, "server_info state at a, b"),
        ({"promql": "up == 1"}, "promql up == 1"),
    ],
)
def test_subject(entry: dict[str, Any], subject: str) -> None:
    [one] = parse_assertions([{**entry, "op": "eq", "value": 1}])
    assert one.planned_subject == subject


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"op": "lt", "value": "50", "tolerance": "5%"}, "less than 50 ± 5 %"),
        ({"op": "absent"}, "absent"),
        ({"op": "matches", "value": "v2.*"}, "text that matches 'v2.*'"),
        (
            {"op": "ge", "value": {"stat": "b", "of": "delta", "endpoint": "web"}},
            "at least delta of b at web",
        ),
    ],
)
def test_expected(entry: dict[str, Any], expected: str) -> None:
    [one] = parse_assertions([{"stat": "a", **entry}])
    assert one.expected == expected


def test_expected_with_other_text_for_the_value() -> None:
    [one] = parse_assertions([{"stat": "a", "op": "le", "value": 0, "tolerance": 2}])
    assert one.expected_as("the answers of x") == "at most the answers of x ± 2"


def test_value_of_a_stat_is_a_dictionary_with_a_stat_key() -> None:
    assert is_stat_value({"stat": "a"})
    assert is_stat_value({"labels": {}})
    assert not is_stat_value({"traffic": "a"})
    assert not is_stat_value("stat")
