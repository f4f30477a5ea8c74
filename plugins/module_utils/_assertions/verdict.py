# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of one assertion, as data and as a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.measurement import NO_SAMPLE
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.reading import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.accepted_range import (
    Range,
    accepted_range,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import (
    PRESENCE,
    format_value,
    growth_can_help,
    outcome_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import Pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Estimate

MOST_READINGS = 20  # in a result
_MOST_NAMES = 3  # of endpoints in a message
_FLUSH = "every 5 s, unless stats_flush_on_admin is set"


class VerdictData(TypedDict):
    """What came of one assertion, as the module returns it."""

    ok: bool
    name: str
    source: str
    stat: str
    endpoint: str
    endpoints: list[str]
    of: str
    across: str
    op: str
    expected: Any
    observed: Scalar | None
    error: float | None
    accepted: Range | None
    texts: dict[str, str]
    failure: str
    message: str
    readings: list[dict[str, object]]


@dataclass
class Verdict:
    """What came of one assertion."""

    assertion: Assertion
    endpoints: tuple[str, ...]
    readings: tuple[Reading, ...]
    ok: bool = False
    observed: Scalar | None = None
    estimate: Estimate | None = None
    failure: Failure | None = None
    failed: tuple[Reading, ...] = ()
    is_final: bool = False  # it cannot become true any more
    hint: str = ""  # a sentence about a stat that does not exist
    is_flushed: bool = False  # it is about an Envoy, whose histograms are as old as its last flush
    remark: str = ""  # a sentence about what makes the verdict uncertain
    is_warning: bool = False  # the user can change what the remark is about
    value_verdict: Verdict | None = None  # of the stat that the value is read from, where it cannot be read
    # The numerator and the denominator of the ratio with `tolerance: binomial`.
    above: float = 0
    below: float = 0

    def fail(self, failure: Failure | None, readings: Sequence[Reading]) -> Verdict:
        """Mark the assertion as failed by these readings, and return the verdict."""
        self.ok = False
        self.failure = failure
        self.failed = tuple(readings)
        self.is_final = failure is not None and (failure.kind == "restarted" or failure.lasting)
        return self

    def message(self, elapsed: float) -> str:
        """Return what was expected and what came, in the one form of the collection.

        Args:
            elapsed: The seconds that the evaluation took, with all attempts.
        """
        outcome = self.outcome()
        if self.ok:
            return ". ".join(filter(None, (outcome, self.remark)))
        reason = f": {self.failure.message}" if self.failure is not None and self.failure.message else ""
        outcome = f"{outcome} after {elapsed:.1f} s{reason}"
        details = [*self._details(), self.hint, self.remark]
        return ". ".join([outcome, " ".join(filter(None, details))]) if any(details) else outcome

    def outcome(self) -> str:
        """Return what was expected and what came, without a reason."""
        name = f"{self.assertion.name}: " if self.assertion.name else ""
        subject = self.assertion.subject(self._stat(), self._where())
        return name + outcome_text(self._expected(), self._got(), subject)

    def as_data(self, elapsed: float) -> VerdictData:
        """Return the entry of the module's result; it has the same keys whether the assertion holds or not."""
        assertion = self.assertion
        value: Any = assertion.value
        if isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Pattern):
            value = value.source
        elif assertion.value_from is not None:  # it could not be read
            value = assertion.value_from.planned_subject
        return {
            "ok": self.ok,
            "name": assertion.name,
            "source": assertion.source,
            "stat": assertion.stat or (assertion.match.source if assertion.match else assertion.stat_text),
            "endpoint": self._where(),
            "endpoints": list(self.endpoints),
            "of": assertion.of,
            "across": assertion.across,
            "op": assertion.op,
            "expected": value,
            "observed": self.observed,
            "error": self.estimate.error if self.estimate else None,
            "accepted": accepted_range(assertion.op, assertion.value, assertion.tolerance, self.below),
            "texts": {
                "subject": assertion.subject(self._stat(), self._where()),
                "expected": self._expected(),
                "observed": self._got(),
            },
            "failure": self.failure.kind if self.failure else "",
            "message": self.message(elapsed),
            "readings": [reading.as_data() for reading in (self.failed or self.readings)[:MOST_READINGS]],
        }

    def _decisive(self) -> Reading | None:
        """Return the reading that the message is about, None where it is about all of them."""
        if not self.failed:
            return None
        single = self.assertion.across == "each" or self.failed[0].failure is not None
        return self.failed[0] if single else None

    def _stat(self) -> str:
        reading, assertion = self._decisive(), self.assertion
        if reading is None or not reading.stat or assertion.is_ratio:
            return ""
        if assertion.source == "promql":
            return "" if reading.stat == assertion.stat else f"{assertion.stat_text}, series {reading.stat}"
        return reading.stat if assertion.source == "stats" else ""

    def _where(self) -> str:
        reading = self._decisive()
        if reading is not None:
            return reading.endpoint
        if len(self.endpoints) <= _MOST_NAMES:
            return ", ".join(self.endpoints)
        return f"{len(self.endpoints)} endpoints"

    def _expected(self) -> str:
        if self.below:
            return self.assertion.binomial_range(self.below).expected
        return self.assertion.expected

    def _got(self) -> str:
        if self.assertion.op in PRESENCE:
            return self._got_presence()
        if self.failure is not None and self.failure.message:
            return "no value"
        if self.below:
            return format_value(self.above)
        estimate = self.estimate
        if estimate is None or estimate.low == estimate.high:
            return format_value(self.observed)
        bounds = f"{format_value(estimate.low)} to {format_value(estimate.high)}"
        return f"{format_value(self.observed)} from buckets of {bounds}"

    def _got_presence(self) -> str:
        if self.ok:
            return self.assertion.op
        if self.failure is not None and self.failure.kind not in ("absent", "comparison"):
            return "no value"
        return "absent" if self.assertion.op == "present" else "present"

    def _details(self) -> list[str]:
        """Return sentences about further readings and about whether waiting helps."""
        sentences = []
        if self.assertion.across == "each" and len(self.failed) > 1:
            more = len(self.failed) - 1
            sentences.append(f"{more} more {'reading fails' if more == 1 else 'readings fail'}.")
        if self.is_flushed and self._lacks_samples():
            return [*sentences, f"Envoy updates histograms at its flush, {_FLUSH}."]
        is_comparison = self.failure is None or self.failure.kind == "comparison"
        if self.is_final and is_comparison:
            sentences.append("A counter does not fall, so waiting ended.")
        if (
            self.is_flushed
            and self.failure is not None
            and is_comparison
            and self.assertion.is_histogram
            and self.assertion.is_difference
        ):
            # The flush after the earlier snapshot adds samples that were taken before it.
            sentences.append(
                f"Samples from before the earlier snapshot can be included, because Envoy updates histograms {_FLUSH}."
            )
        return sentences

    def _lacks_samples(self) -> bool:
        """Return whether further samples of a histogram can make the assertion true."""
        assertion, failure = self.assertion, self.failure
        if failure is not None and failure.message.startswith(NO_SAMPLE):
            return True
        if assertion.bucket is None or failure is None or failure.message or failure.kind != "comparison":
            return False
        return self.observed is not None and growth_can_help(
            assertion.op, self.observed, assertion.value, assertion.tolerance
        )
