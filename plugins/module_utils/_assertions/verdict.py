# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What came out of one assertion, as data and as one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.measurement import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import (
    format_value,
    growth_can_help,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.tolerance import BinomialRange
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Estimate

MOST_READINGS = 20


@dataclass
class Verdict:
    """One assertion, held against what was seen."""

    assertion: Assertion
    endpoints: tuple[str, ...]
    readings: tuple[Reading, ...]
    ok: bool = False
    observed: Scalar | None = None
    estimate: Estimate | None = None
    failure: Failure | None = None
    wrong: tuple[Reading, ...] = ()
    final: bool = False  # it can no longer come true
    hint: str = ""
    flushed: bool = False  # of an Envoy, whose histograms are as old as its last flush
    remark: str = ""  # what makes it less certain, whether it holds or not
    loud: bool = False  # it is worth a warning
    read: Verdict | None = None  # of what its value was to be read from, where that could not be
    # With `tolerance: binomial`, the share that was seen: how many, of how many.
    above: float = 0
    below: float = 0

    def message(self, elapsed: float) -> str:
        """One sentence: what, where, expected, seen, after how long."""
        assertion = self.assertion
        name = f"{assertion.name}: " if assertion.name else ""
        subject = f"{name}{self._what()} at {self._where()}"
        doubt = f"; {self.remark}" if self.remark else ""
        if self.ok:
            return f"{subject}: {self._expected()}, as expected{self._seen_in_passing()}{doubt}"
        more = f" ({len(self.wrong) - 1} more like this)" if len(self.wrong) > 1 and self._single() else ""
        return f"{subject}: expected {self._expected()}, {self._saw()} after {elapsed:.1f} s{more}{self._certainty()}{self.hint}{doubt}"

    def as_data(self, elapsed: float) -> dict[str, Any]:
        """One entry of the result; the same keys whether it holds or not."""
        assertion = self.assertion
        value = assertion.value
        expected = list(value) if isinstance(value, tuple) else value
        if isinstance(value, Pattern):
            expected = value.source
        elif assertion.other is not None:  # which could not be read
            expected = assertion.other.read
        return {
            "ok": self.ok,
            "name": assertion.name,
            "source": assertion.source,
            "stat": assertion.stat or (assertion.match.source if assertion.match else assertion.what),
            "endpoint": self._where(),
            "endpoints": list(self.endpoints),
            "of": assertion.of,
            "across": assertion.across,
            "op": assertion.op,
            "expected": expected,
            "observed": self.observed,
            "error": self.estimate.error if self.estimate else None,
            "failure": self.failure.kind if self.failure else "",
            "message": self.message(elapsed),
            "readings": [_reading(one) for one in (self.wrong or self.readings)[:MOST_READINGS]],
        }

    def _single(self) -> bool:
        return self.assertion.across == "each"

    def _first(self) -> Reading | None:
        return self.wrong[0] if self.wrong and (self._single() or self._broken()) else None

    def _broken(self) -> bool:
        return bool(self.wrong) and self.wrong[0].failure is not None

    def _what(self) -> str:
        first = self._first()
        if first is not None and self.assertion.source == "promql" and first.stat != self.assertion.stat:
            return f"{self.assertion.what} ({first.stat})" if first.stat else self.assertion.what
        if first is None or not first.stat or self.assertion.ratio or self.assertion.source != "stats":
            return self.assertion.what
        return first.stat

    def _where(self) -> str:
        first = self._first()
        if first is not None:
            return first.endpoint
        if len(self.endpoints) <= 3:
            return ", ".join(self.endpoints)
        return f"{len(self.endpoints)} endpoints"

    def _chance(self) -> BinomialRange | None:
        return self.assertion.chance(self.below) if self.below else None

    def _expected(self) -> str:
        chance = self._chance()
        return self.assertion.expecting(chance.expected) if chance else self.assertion.expected

    def _saw(self) -> str:
        if self.failure is not None and self.failure.message:
            return (
                f"but {self.failure.message}"
                if self.failure.kind != "absent"
                else f"but {self.failure.message},"
            )
        if chance := self._chance():
            return f"saw {format_value(self.above)}"
        error = self._error()
        return f"saw {format_value(self.observed)}{error}"

    def _seen_in_passing(self) -> str:
        if self.observed is None or self.assertion.op in ("present", "absent"):
            return ""
        if self.below:
            return f" (saw {format_value(self.above)})"
        return f" (saw {format_value(self.observed)}{self._error()})"

    def _error(self) -> str:
        if self.estimate is None or self.estimate.low == self.estimate.high:
            return ""
        return f" (between {format_value(self.estimate.low)} and {format_value(self.estimate.high)}, as far as its buckets tell)"

    def _lacks_samples(self) -> bool:
        """Whether more samples of a histogram could mend it."""
        assertion, failure = self.assertion, self.failure
        if failure is not None and failure.message.startswith("no sample was counted"):
            return True
        if assertion.bucket is None or failure is None or failure.message or failure.kind != "comparison":
            return False
        return self.observed is not None and growth_can_help(
            assertion.op, self.observed, assertion.value, assertion.tolerance
        )

    def _may_hold_earlier_samples(self) -> bool:
        """Whether it is a difference of a histogram that does not fit: the flush after `since` may have put samples of before into it."""
        assertion, failure = self.assertion, self.failure
        differs = assertion.about_histogram and assertion.since
        return differs and failure is not None and failure.kind == "comparison"

    def _certainty(self) -> str:
        if self.flushed and self._lacks_samples():
            return "; Envoy fills histograms at its flush, every 5 s unless stats_flush_on_admin is set"
        earlier = ""
        if self.flushed and self._may_hold_earlier_samples():
            earlier = (
                "; unless stats_flush_on_admin is set, Envoy fills histograms every 5 s,"
                " and samples from before since may be in it"
            )
        if not self.final or (self.failure is not None and self.failure.kind != "comparison"):
            return earlier
        return f"; a counter does not come back, so waiting ended{earlier}"


def _reading(one: Reading) -> dict[str, Any]:
    return {
        "endpoint": one.endpoint,
        "stat": one.stat,
        "observed": one.value,
        "error": one.estimate.error if one.estimate else None,
        "failure": one.failure.kind if one.failure else "",
    }
