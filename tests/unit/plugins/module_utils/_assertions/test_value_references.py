# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of expectations that stand for numbers of the traffic."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references

SENT = [
    {"name": "a", "answered": 20, "bytes_received": 1000, "statuses": {"200": 15, "503": 5}},
    {"name": "b", "answered": 3, "bytes_received": 7, "statuses": {"200": 3}},
]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ({"traffic": "a"}, 20),
        ({"traffic": "a", "of": "answers"}, 20),
        ({"traffic": "a", "status": "503"}, 5),
        ({"traffic": "b", "status": 503}, 0),
        ({"traffic": "a", "of": "bytes"}, 1000),
        ({"traffic": ["a", "b"]}, 23),
        ({"traffic": ["a", "b"], "status": "200"}, 18),
        ({"traffic": ["a", "b"], "of": "bytes"}, 1007),
        (4, 4),
    ],
)
def test_a_reference_becomes_a_number(value: Any, number: int) -> None:
    assertions = [{"stat": "x", "op": "eq", "value": value}]
    value_references.check(assertions, SENT)
    assert value_references.resolve(assertions, SENT) == [{"stat": "x", "op": "eq", "value": number}]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"traffic": "c"}, "expectations[0].value.traffic: there is no traffic 'c'; there is: a, b"),
        ({"traffic": ["a", "c"]}, "expectations[0].value.traffic: there is no traffic 'c'; there is: a, b"),
        ({"status": "200"}, "expectations[0].value: a reference has the keys traffic, status, of, not status"),
        ({"traffic": "a", "of": "seconds"}, "expectations[0].value.of: 'seconds' is not one of answers, bytes"),
        ({"traffic": "a", "of": "bytes", "status": "200"}, "expectations[0].value: give either status or of, not both"),
    ],
)  # fmt: skip
def test_one_that_means_nothing_is_told(value: Any, sentence: str) -> None:
    with pytest.raises(value_references.UnknownTraffic) as told:
        value_references.check([{"stat": "x", "op": "eq", "value": value}], SENT)
    assert str(told.value) == sentence


def test_one_that_may_mean_several_is_told() -> None:
    sent = [{"name": "edge"}, {"name": "b"}, {"name": "edge"}]
    value_references.check([{"stat": "x", "op": "eq", "value": {"traffic": "b"}}], sent)
    with pytest.raises(value_references.UnknownTraffic) as told:
        value_references.check([{"stat": "x", "op": "eq", "value": {"traffic": ["b", "edge"]}}], sent)
    assert str(told.value) == (
        "expectations[0].value.traffic: 2 of the traffic are called 'edge'; give each a name of its own"
        " (one without is called after where it goes)"
    )
