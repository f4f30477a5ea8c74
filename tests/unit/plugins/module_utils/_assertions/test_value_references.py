# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of assertions that refer to traffic."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.value_references import (
    check_references,
    is_reference,
    reference_text,
    resolve_references,
    with_placeholder,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

RESULTS = [
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
def test_references_become_numbers(value: Any, number: int) -> None:
    assertions = [{"stat": "x", "op": "eq", "value": value}]
    check_references(assertions, RESULTS)
    assert resolve_references(assertions, RESULTS) == [{"stat": "x", "op": "eq", "value": number}]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"traffic": "c"}, ".traffic: unknown traffic 'c'. Use one of: a, b."),
        ({"traffic": ["a", "c"]}, ".traffic: unknown traffic 'c'. Use one of: a, b."),
        ({"status": "200"}, ".traffic: a value is missing. Set the name of a traffic."),
        ({"traffic": "a", "stat_us": 200}, ": unknown key 'stat_us'. Did you mean 'status'?"),
        ({"traffic": "a", "of": "seconds"}, ".of: unknown value 'seconds'. Use one of: answers, bytes."),
        ({"traffic": "a", "of": "bytes", "status": "200"}, ": status and of exclude each other."),
    ],
)
def test_wrong_references_are_refused(value: Any, error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        check_references([{"stat": "x", "op": "eq", "value": value}], RESULTS)
    assert str(caught.value).startswith(f"expectations[0].value{error}")


def test_name_of_several_traffics_is_refused() -> None:
    traffic = [{"name": "edge"}, {"name": "b"}, {"name": "edge"}]
    check_references([{"stat": "x", "op": "eq", "value": {"traffic": "b"}}], traffic)
    with pytest.raises(ArgumentError) as caught:
        check_references([{"stat": "x", "op": "eq", "value": {"traffic": ["b", "edge"]}}], traffic)
    assert str(caught.value) == (
        "expectations[0].value.traffic: 2 traffics have the name 'edge'. Set a different name for each of them"
        " (the default name is the target)."
    )


def test_placeholder_replaces_only_references() -> None:
    assert with_placeholder({"value": {"traffic": "a"}}) == {"value": 0}
    assert with_placeholder({"value": {"stat": "a"}}) == {"value": {"stat": "a"}}
    assert not is_reference(5)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ({"traffic": "kept"}, 'the answers of "kept"'),
        ({"traffic": ["a", "b"], "status": 503}, 'the answers of "a" and "b" with status 503'),
        ({"traffic": "a", "of": "bytes"}, 'the bytes of "a"'),
    ],
)
def test_reference_text(reference: dict[str, Any], text: str) -> None:
    assert reference_text(reference) == text
