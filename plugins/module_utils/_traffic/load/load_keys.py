# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of a traffic for load: phases, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    mapping,
    number,
    optional,
    sequence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.arrivals import Phase
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    MAX_DURATION,
    MAX_REQUESTS,
    OPEN_CONCURRENCY,
)

_KEYS = ("duration", "rate", "to_rate")


def parse_phases(data: Mapping[str, Any], where: str) -> tuple[Phase, ...]:
    """Return the phases of a traffic; none without the key. Raises ArgumentError."""
    if "phases" not in data:
        return ()
    where = f"{where}.phases"
    found = tuple(
        _phase(one, f"{where}[{position}]")
        for position, one in enumerate(sequence(data["phases"], where, "phases"))
    )
    if not found:
        raise ArgumentError(where, "empty. Add at least one phase with duration and rate.")
    if sum(phase.requests for phase in found) > MAX_REQUESTS:
        raise ArgumentError(where, f"more than {MAX_REQUESTS} requests. Reduce the rates or the durations.")
    return found


def default_concurrency(data: Mapping[str, Any]) -> int:
    """Return the default of the most requests at the same time: many for load at a rate, whose connections are opened on demand."""
    is_load = any(key in data for key in ("phases", "warm_up", "processes"))
    return OPEN_CONCURRENCY if "phases" in data or (is_load and "rate" in data) else 1


def _phase(entry: Any, where: str) -> Phase:
    data = mapping(entry, where, _KEYS)
    for key in _KEYS[:2]:
        if key not in data:
            raise ArgumentError(
                where, f"{key} is missing. Set duration, in seconds, and rate, in requests per second."
            )
    rate = number(data["rate"], f"{where}.rate", above=0, most=MAX_REQUESTS)
    end = optional(data, "to_rate", where, number, above=0, most=MAX_REQUESTS)
    duration = number(data["duration"], f"{where}.duration", above=0, most=MAX_DURATION)
    return Phase(float(duration), float(rate), float(end or rate))
