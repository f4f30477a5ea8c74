# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assertions held against a snapshot, and an earlier one: pure, no clock and no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.measurement import (
    Reading,
    look_at,
    plain_numbers,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.required_queries import (
    endpoints_of,
    source_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import (
    compare,
    format_value,
    growth_cannot_help,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, unknown
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import merge
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.restart_detection import (
    STARTED_NEAR_SNAPSHOT,
    restart_uncertainty,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot

# Of readings that only add to a number; more than ever are shown.
_MOST_KEPT = 1_000


def evaluate(
    assertion: Assertion, endpoints: Sequence[Endpoint], now: Snapshot, since: Snapshot | None = None
) -> Verdict:
    """Whether one assertion holds."""
    if assertion.other is not None:
        return _against(assertion, assertion.other, endpoints, now, since)
    chosen = endpoints_of(assertion, endpoints)
    seen = _Seen(assertion)
    seen.add(_pods_not_there(assertion, endpoints, chosen, since))
    for endpoint in chosen:
        source, page = source_of(assertion, endpoint.format), now.pages.get(endpoint.name)
        plain = plain_numbers(assertion, source, page) if seen.numbers_will_do else None
        if plain is not None:
            seen.add_numbers(*plain)
        else:
            seen.add(look_at(assertion, source, page, endpoint.name, since))
    readings = seen.kept
    verdict = Verdict(assertion, tuple(one.name for one in chosen), tuple(readings))
    verdict.flushed = any(one.format == "envoy" for one in chosen)
    if since is not None and assertion.since:
        verdict.remark, verdict.loud = _doubt(chosen, now, since)
    if assertion.op in ("present", "absent"):
        return _presence(verdict)
    broken = [one for one in readings if one.failure is not None]
    if broken and not (assertion.across == "any" and any(_fits(assertion, one) for one in readings)):
        return _fail(verdict, broken[0].failure, broken)
    measured = [one for one in readings if one.value is not None]
    if assertion.across == "each":
        return _each(verdict, measured)
    if assertion.across == "any":
        return _any(verdict, measured)
    return _total(verdict, measured, seen)


def _against(
    assertion: Assertion,
    other: Assertion,
    endpoints: Sequence[Endpoint],
    now: Snapshot,
    since: Snapshot | None,
) -> Verdict:
    """Whether an assertion holds whose value is what another reads at the same look."""
    read = evaluate(other, endpoints, now, since)
    # That it is not what its placeholder says is no failure, and has no words.
    failure = read.failure if read.failure is not None and read.failure.message else None
    if failure is None and other.across == "each" and len({one.value for one in read.readings}) > 1:
        failure = Failure("comparison", "it is several numbers: say by across which of them is meant")
    if failure is not None:
        verdict = Verdict(
            assertion, tuple(one.name for one in endpoints_of(assertion, endpoints)), (), read=read
        )
        words = f"{other.read} cannot be told: {failure.message}"
        return _fail(verdict, replace(failure, message=words), [])
    verdict = evaluate(
        replace(assertion, value=read.observed, other=None, read_from=other.read), endpoints, now, since
    )
    # What is too much now may not be at the next look.
    verdict.final = verdict.final and verdict.failure is not None and verdict.failure.kind != "comparison"
    return verdict


def _doubt(chosen: Sequence[Endpoint], now: Snapshot, since: Snapshot) -> tuple[str, bool]:
    """In words, where nobody can tell whether a process is the one that the earlier snapshot saw; and whether that can be mended."""
    doubts: list[tuple[str, str]] = []
    for endpoint in chosen:
        page, earlier = now.pages.get(endpoint.name), since.pages.get(endpoint.name)
        if page is None or earlier is None or page.failure is not None or earlier.failure is not None:
            continue
        words = restart_uncertainty(earlier.identity, page.identity)
        if words:
            doubts.append((endpoint.name, words))
    if not doubts:
        return "", False
    name, words = next((one for one in doubts if one[1] != STARTED_NEAR_SNAPSHOT), doubts[0])
    more = f" (and {len(doubts) - 1} more)" if len(doubts) > 1 else ""
    return (
        f"whether {name}{more} was restarted in between cannot be told, since {words}",
        words != STARTED_NEAR_SNAPSHOT,
    )


def _pods_not_there(
    assertion: Assertion, endpoints: Sequence[Endpoint], chosen: Sequence[Endpoint], since: Snapshot | None
) -> list[Reading]:
    """A reading that failed for each pod that the assertion is about and that is not there: pods come and go."""
    if not any(one.pods is not None for one in endpoints):
        return []
    ready = ", ".join(one.name for one in endpoints[:20])
    readings = [
        Reading(
            pattern,
            assertion.stat,
            failure=Failure("unreachable", f"no ready pod is named {pattern}; there are {ready}"),
        )
        for pattern in unknown(endpoints, assertion.endpoint)
    ]
    if since is None or not assertion.since:
        return readings
    there, formats = {one.name for one in endpoints}, {one.format for one in chosen}
    for page in since.pages.values():
        meant = (
            any(fnmatchcase(name, one) for one in assertion.endpoint for name in (page.name, page.group))
            if assertion.endpoint
            else page.format in formats
        )
        if page.group and page.name not in there and meant:
            words = f"pod {page.name} is gone, and with it what it counted since then"
            readings.append(Reading(page.name, assertion.stat, failure=Failure("restarted", words)))
    return readings


class _Seen:
    """What was read of all endpoints. Millions, of a fleet: of those that only add to a number, that is kept, and the first few."""

    def __init__(self, assertion: Assertion) -> None:
        self.kept: list[Reading] = []
        self.numbers: list[int | float] = []
        self.grow = True
        self._assertion = assertion
        self._all = (
            assertion.op in ("present", "absent")
            or assertion.across == "any"
            or assertion.about_histogram
            or assertion.ratio
        )

    @property
    def numbers_will_do(self) -> bool:
        """Whether enough is kept to be shown, so that of what only adds to a number nothing else matters."""
        return len(self.kept) >= _MOST_KEPT and not self._all and self._assertion.across != "each"

    def add_numbers(self, numbers: Sequence[int | float], grow: bool) -> None:
        self.numbers += numbers
        self.grow = self.grow and grow

    def add(self, readings: Sequence[Reading]) -> None:
        self.numbers += [one.value for one in readings if isinstance(one.value, (int, float))]
        self.grow = self.grow and all(one.grows for one in readings)
        room = _MOST_KEPT - len(self.kept)
        self.kept += readings if self._all else readings[: max(0, room)]
        if not self._all:
            self.kept += [one for one in readings[max(0, room) :] if self._matters(one)]

    def _matters(self, one: Reading) -> bool:
        if self._assertion.across == "each":
            return not _fits(self._assertion, one)
        return not isinstance(one.value, (int, float))


def _presence(verdict: Verdict) -> Verdict:
    readings, op = verdict.readings, verdict.assertion.op
    broken = [one for one in readings if one.failure is not None and one.failure.kind != "absent"]
    if broken:
        return _fail(verdict, broken[0].failure, broken)
    there = [one for one in readings if one.failure is None]
    missing = [one for one in readings if one.failure is not None]
    verdict.observed = len(there)
    if op == "absent":
        if there and not (missing and verdict.assertion.across == "any"):
            return _fail(
                verdict, Failure("comparison", f"it is there, with {format_value(there[0].value)}"), there
            )
    elif missing and not (there and verdict.assertion.across == "any"):
        return _fail(verdict, missing[0].failure, missing)
    verdict.ok = True
    return verdict


def _each(verdict: Verdict, readings: list[Reading]) -> Verdict:
    wrong = [one for one in readings if not _fits(verdict.assertion, one)]
    shown = (wrong or readings)[0]
    _show(verdict, shown)
    if not wrong:
        verdict.ok = True
        return verdict
    _fail(verdict, Failure("comparison", ""), wrong)
    verdict.final = any(_past(verdict.assertion, one) for one in wrong)
    return verdict


def _any(verdict: Verdict, readings: list[Reading]) -> Verdict:
    right = [one for one in readings if _fits(verdict.assertion, one)]
    verdict.ok = bool(right)
    shown = right or readings
    if shown:
        verdict.observed, verdict.estimate = shown[0].value, shown[0].estimate
    return verdict if verdict.ok else _fail(verdict, Failure("comparison", ""), readings)


def _total(verdict: Verdict, readings: list[Reading], seen: _Seen) -> Verdict:
    assertion = verdict.assertion
    if assertion.across == "sum" and assertion.quantile is not None:
        histograms = (one.histogram for one in verdict.readings if one.histogram is not None)
        estimate = merge(histograms).quantile(assertion.quantile)
        if estimate is None:
            return _fail(verdict, Failure("comparison", "no sample was counted"), readings)
        verdict.observed, verdict.estimate = estimate.value, estimate
    elif assertion.across == "sum" and assertion.ratio:
        # The ratio of the sums, which is not the sum of the ratios.
        above, below = (
            sum(one.above for one in verdict.readings),
            sum(one.below for one in verdict.readings),
        )
        if not below:
            words = f"{assertion.over_what} is 0 in all, so there is no ratio to it"
            return _fail(verdict, Failure("comparison", words), readings)
        verdict.observed = above / below
        if assertion.tolerance.binomial:
            verdict.above, verdict.below = above, below
    elif assertion.across == "count":
        texts = sum(isinstance(one.value, str) for one in readings)
        verdict.observed = len(seen.numbers) + texts
    else:
        numbers = seen.numbers
        text = next((one for one in readings if isinstance(one.value, str)), None)
        if text is not None:
            return _fail(
                verdict,
                Failure("comparison", f"{format_value(text.value)} is text, which has no {assertion.across}"),
                [text],
            )
        if not numbers and assertion.across != "sum":
            return _fail(
                verdict, Failure("absent", f"there is nothing to take the {assertion.across} of"), []
            )
        verdict.observed = _aggregate(assertion.across, numbers)
    try:
        verdict.ok = _total_fits(verdict)
    except ValueError as error:
        verdict.below = 0
        return _fail(verdict, Failure("comparison", f"of {assertion.over_what} in all, {error}"), readings)
    if not verdict.ok:
        _fail(verdict, Failure("comparison", ""), readings)
        grows = assertion.across in ("sum", "max") and bool(readings) and seen.grow
        verdict.final = (
            grows
            and not assertion.ratio
            and growth_cannot_help(assertion.op, verdict.observed or 0, assertion.value, assertion.tolerance)
        )
    return verdict


def _show(verdict: Verdict, reading: Reading) -> None:
    """What a message says of a reading."""
    verdict.observed, verdict.estimate = reading.value, reading.estimate
    if verdict.assertion.tolerance.binomial:
        verdict.above, verdict.below = reading.above, reading.below


def _aggregate(across: str, numbers: list[int | float]) -> int | float:
    if across == "sum":
        return sum(numbers)
    if across == "min":
        return min(numbers)
    if across == "max":
        return max(numbers)
    if across == "avg":
        return sum(numbers) / len(numbers)
    highest, lowest = max(numbers), min(numbers)
    largest = max(abs(highest), abs(lowest))
    return (highest - lowest) / largest if largest else 0.0


def _fits(assertion: Assertion, reading: Reading) -> bool:
    if assertion.tolerance.binomial:
        return reading.below > 0 and assertion.chance(reading.below).contains(reading.above)
    return reading.value is not None and compare(
        assertion.op, reading.value, assertion.value, assertion.tolerance
    )


def _total_fits(verdict: Verdict) -> bool:
    """Raises ValueError where chance cannot be reckoned with that many in all."""
    assertion = verdict.assertion
    if assertion.tolerance.binomial:
        return verdict.below > 0 and assertion.chance(verdict.below).contains(verdict.above)
    return verdict.observed is not None and compare(
        assertion.op, verdict.observed, assertion.value, assertion.tolerance
    )


def _past(assertion: Assertion, reading: Reading) -> bool:
    return (
        reading.grows
        and reading.value is not None
        and growth_cannot_help(assertion.op, reading.value, assertion.value, assertion.tolerance)
    )


def _fail(verdict: Verdict, failure: Failure | None, readings: Sequence[Reading]) -> Verdict:
    verdict.ok = False
    verdict.failure = failure
    verdict.wrong = tuple(readings)
    verdict.final = failure is not None and (failure.kind == "restarted" or failure.lasting)
    return verdict
