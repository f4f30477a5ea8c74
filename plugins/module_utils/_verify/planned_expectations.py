# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan expects, before any request is sent, in the words of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import planned_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

Entry = Mapping[str, Any]


def of_traffic(traffic: Sequence[Entry]) -> list[list[str]]:
    """Return what is expected of each entry of a plan's `traffic`. Raises ArgumentError."""
    return [
        [planned_text(expectation, entry.requests) for expectation in entry.expect]
        for entry in parse_traffic(traffic)
    ]


def of_assertions(assertions: Sequence[Entry]) -> list[str]:
    """Return what each of a plan's `assertions` expects: `delta of x.rq_200 at edge: 20`. Raises ArgumentError."""
    return [_text(entry) for entry in assertions]


def _text(entry: Entry) -> str:
    assertion = parse_assertions([value_references.with_placeholder(entry)])[0]
    value = entry.get("value")
    expected = assertion.expected
    if value_references.is_reference(value):
        expected = assertion.expected_as(value_references.reference_text(value))
    name = f"{assertion.name}: " if assertion.name else ""
    return f"{name}{assertion.planned_subject}: {expected}"
