# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan expects, before anything is sent, in the words in which a report tells it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations_check import planned_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import parse_assertions

Entry = Mapping[str, Any]


def of_traffic(traffic: Sequence[Entry]) -> list[list[str]]:
    """Return for each entry of a plan's `traffic` what is expected of it. Raises TrafficError."""
    return [
        [planned_text(expectation, one.requests) for expectation in one.expect]
        for one in parse_traffic(traffic)
    ]


def of_assertions(assertions: Sequence[Entry]) -> list[str]:
    """Return each of a plan's `assertions` as a sentence. Raises SpecError."""
    return [_sentence(one) for one in assertions]


def _sentence(entry: Entry) -> str:
    assertion = parse_assertions([value_references.placeholder(entry)])[0]
    value = entry.get("value")
    expected = assertion.expected
    if value_references.is_reference(value):
        expected = assertion.expecting(
            f"{assertion.op} {value_references.in_words(value)}{assertion.tolerance}"
        )
    name = f"{assertion.name}: " if assertion.name else ""
    where = f" at {', '.join(assertion.endpoint)}" if assertion.endpoint else ""
    return f"{name}{assertion.what}{where}: {expected}"
