# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The times at which an open loop sends its requests, from the phases of a traffic."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_ROUNDING = 1e-9  # so that 0.1 s × 10 requests a second are one request


class Phase(NamedTuple):
    """A part of a traffic, in which the rate is constant or changes evenly."""

    duration: float  # seconds
    rate: float  # requests per second at the beginning
    end_rate: float  # and at the end

    @property
    def requests(self) -> float:
        """The number of requests that are due before the end of the phase."""
        return self.duration * (self.rate + self.end_rate) / 2


def arrivals(phases: Sequence[Phase]) -> Iterator[float]:
    """Yield the seconds from the start of the traffic to each of its requests.

    Example:
        >>> list(arrivals([Phase(1, 2, 2), Phase(1, 4, 4)]))
        [0.0, 0.5, 1.0, 1.25, 1.5, 1.75]
    """
    began, before = 0.0, 0.0
    number = 0
    for phase in phases:
        while number < before + phase.requests - _ROUNDING:
            yield began + _time_of(number - before, phase)
            number += 1
        before += phase.requests
        began += phase.duration


def evenly(rate: float) -> Iterator[float]:
    """Yield the seconds to each request of a constant rate, without end."""
    return (number / rate for number in itertools.count())


def _time_of(number: float, phase: Phase) -> float:
    """Return when a phase has sent `number` requests: the solution of number = rate·t + slope·t²/2."""
    slope = (phase.end_rate - phase.rate) / phase.duration
    if abs(slope) < _ROUNDING:
        return number / phase.rate
    return (math.sqrt(max(0.0, phase.rate**2 + 2 * slope * number)) - phase.rate) / slope
