# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Measure one assertion on one endpoint: which stats it is about, and what each of them reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.reading import (
    Baseline,
    NoReading,
    Reading,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    denominator_names,
    removed_names,
    selected_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import PRESENCE
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Histogram,
    HistogramError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.promql import SOURCE
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Selection,
    Snapshot,
)

_REMOVED = "the earlier snapshot has it and it does not exist any more, so what it counted is lost"
_MISSING = "it does not exist"
_NO_HISTOGRAM = "no histogram has this name"
NO_SAMPLE = "it has no sample"


def measure(
    assertion: Assertion, source: str, page: Page | None, endpoint: str, since: Snapshot | None
) -> list[Reading]:
    """Return all readings of an assertion on one endpoint.

    Args:
        assertion: The assertion.
        source: The source that the assertion reads on this endpoint.
        page: The page of the endpoint, None where it was not read.
        endpoint: The name of the endpoint.
        since: The earlier snapshot of a difference.
    """
    if page is None:
        return [Reading(endpoint, assertion.stat, failure=Failure("unreachable", "it was not read"))]
    if page.failure is not None:
        return [Reading(endpoint, assertion.stat, failure=page.failure)]
    samples = page.sources.get(source) or Samples(Selection())
    baseline = Baseline(page, source, since) if assertion.is_difference else None
    names = selected_names(assertion, source, samples)
    lost: list[Reading] = []
    if baseline is not None and (source == "prometheus" or assertion.selects_by_pattern):
        try:
            removed = removed_names(assertion, source, samples, baseline.samples(assertion.is_histogram))
        except NoReading as nothing:
            return [Reading(endpoint, assertion.stat, failure=nothing.failure)]
        lost = [Reading(endpoint, name, failure=Failure("restarted", _REMOVED)) for name in removed]
    if assertion.is_ratio:
        denominators = denominator_names(assertion, source, samples)
        read = partial(_ratio, assertion, samples, baseline, endpoint, names, denominators)
        return lost[:1] or [_or_failure(endpoint, assertion.stat_text, read, (*names, *denominators))]
    if (
        not names
        and (not assertion.stat or (assertion.source == SOURCE and assertion.across == "count"))
        and assertion.across in ("sum", "count")
    ):
        # The sum and the number of no stats are 0. A query without result is an error, except where its results are counted.
        return lost
    if not names and not lost:
        names = [assertion.stat]
    if baseline is None and not assertion.is_histogram and all(name in samples.values for name in names):
        kinds = samples.kinds  # most readings of a fleet are of this kind
        return [
            Reading(
                endpoint,
                name,
                samples.values[name],
                counter=None if name not in kinds else kinds[name] == "counter",
                grows=assertion.of != "rate" and kinds.get(name) == "counter",
            )
            for name in names
        ]
    return lost + [
        _or_failure(
            endpoint,
            name or assertion.stat_text,
            partial(_read, assertion, samples, baseline, endpoint, name),
            (name,),
        )
        for name in names
    ]


def numbers_only(
    assertion: Assertion, source: str, page: Page | None
) -> tuple[list[int | float], bool] | None:
    """Return what `measure` would read for a pattern, as numbers, and whether all are counters.

    A fleet has millions of these numbers, and creating a Reading takes as long as receiving one.

    Returns:
        None where anything but numbers would be read.
    """
    if assertion.match is None or assertion.is_difference or assertion.is_ratio or assertion.is_histogram:
        return None
    if page is None or source == "prometheus" or source not in page.sources:
        return None
    samples = page.sources[source]
    matches = assertion.match.matches
    chosen = {name: value for name, value in samples.values.items() if matches(name)}
    numbers = [value for value in chosen.values() if isinstance(value, (int, float))]
    if not numbers or len(numbers) < len(chosen):
        return None
    return numbers, all(samples.kinds.get(name) == "counter" for name in chosen)


def _or_failure(endpoint: str, stat: str, read: Callable[[], Reading], names: tuple[str, ...]) -> Reading:
    try:
        return read()
    except NoReading as nothing:
        return Reading(
            endpoint, stat, failure=nothing.failure, kind_matters_of=names if nothing.kind_matters else ()
        )


def _read(
    assertion: Assertion, samples: Samples, baseline: Baseline | None, endpoint: str, name: str
) -> Reading:
    if assertion.op in PRESENCE and name in samples.histograms:
        return Reading(endpoint, name, samples.histograms[name].count)
    if assertion.is_histogram:
        return _histogram(assertion, samples, baseline, endpoint, name)
    value, counter = _number(assertion, samples, baseline, name)
    grows = counter is True and assertion.of != "rate"
    return Reading(endpoint, name, value, counter=counter, grows=grows)


def _number(
    assertion: Assertion, samples: Samples, baseline: Baseline | None, name: str
) -> tuple[Scalar, bool | None]:
    """Return the value, delta or rate of a stat, and whether the stat is a counter (None: not known)."""
    kind = samples.kinds.get(name)
    counter = None if kind is None else kind == "counter"
    value = samples.values.get(name)
    if value is None:
        if name in samples.histograms:
            raise NoReading("absent", f"{name} is a histogram; set quantile or bucket")
        if assertion.default is None:
            raise NoReading("absent", _missing_text(assertion, name))
        value, absent = assertion.default, True
    else:
        absent = False
    if baseline is None:
        return value, counter
    if isinstance(value, str):
        raise NoReading("comparison", f"{value!r} is text, which has no {assertion.of}")
    before = baseline.value(name, absent, assertion.default)
    difference = value - before
    if difference < 0 and counter is not False:
        reason = (
            "Envoy does not report whether it is a counter, which was reset, or a gauge"
            if counter is None
            else "the counter was reset"
        )
        raise NoReading(
            "restarted",
            f"it fell from {before:g} to {value:g}: {reason}, so its {assertion.of} is unknown",
            kind_matters=counter is None,
        )
    if assertion.of == "delta":
        return difference, counter
    return difference / baseline.elapsed, counter


def _missing_text(assertion: Assertion, name: str) -> str:
    if assertion.source == SOURCE:
        return "the query has no result"
    if name:
        return _MISSING
    return "no stat matches" if assertion.match else "no stat has these labels"


def _ratio(
    assertion: Assertion,
    samples: Samples,
    baseline: Baseline | None,
    endpoint: str,
    names: list[str],
    denominators: list[str],
) -> Reading:
    text = assertion.denominator_text
    if not names and assertion.default is None:
        raise NoReading("absent", _MISSING)
    above = _sum(assertion, samples, baseline, names)
    if not denominators or (
        denominators == [assertion.over]
        and denominators[0] not in samples.values
        and assertion.default is None
    ):
        raise NoReading("absent", f"{text} does not exist" if assertion.over else f"there are no {text}")
    below = _sum(assertion, samples, baseline, denominators)
    # A sum over endpoints needs one ratio of all of them together.
    if assertion.across == "sum":
        return Reading(
            endpoint, assertion.stat_text, above / below if below else None, above=above, below=below
        )
    if not below:
        raise NoReading("comparison", f"{text} is 0, so there is no ratio to it")
    if assertion.tolerance.binomial:
        try:
            assertion.binomial_range(below)
        except ValueError as error:
            raise NoReading("comparison", f"{error} ({text})") from None
    return Reading(endpoint, assertion.stat_text, above / below, above=above, below=below)


def _sum(assertion: Assertion, samples: Samples, baseline: Baseline | None, names: list[str]) -> int | float:
    total: int | float = 0
    for name in names:
        value, _counter = _number(assertion, samples, baseline, name)
        if isinstance(value, str):
            raise NoReading("comparison", f"{name} is text, which has no ratio")
        total += value
    return total


def _histogram(
    assertion: Assertion, samples: Samples, baseline: Baseline | None, endpoint: str, name: str
) -> Reading:
    pool = samples.intervals if assertion.window == "interval" else samples.histograms
    histogram = pool.get(name)
    if histogram is None:
        if name in samples.values:
            raise NoReading("absent", "it is not a histogram")
        if assertion.default is None:
            raise NoReading("absent", _NO_HISTOGRAM)
        if baseline is None:
            return Reading(endpoint, name, assertion.default)
        histogram = Histogram(())  # the default is the number of samples before and now
    if baseline is not None:
        try:
            histogram = histogram.minus(baseline.histogram(name))
        except HistogramError as error:
            raise NoReading(
                "restarted", f"{error}: it was reset, so the samples since then are unknown"
            ) from None
    if assertion.quantile is not None:
        estimate = histogram.quantile(assertion.quantile)
        if estimate is None and assertion.across == "sum":  # only all endpoints together need samples
            return Reading(endpoint, name, histogram=histogram)
        if estimate is None:
            raise NoReading("comparison", NO_SAMPLE + (" since then" if baseline else ""))
        return Reading(endpoint, name, estimate.value, estimate=estimate, histogram=histogram)
    estimate = histogram.at_most(assertion.bucket or 0.0)
    value = estimate.value / baseline.elapsed if baseline and assertion.of == "rate" else estimate.value
    count = int(value) if float(value).is_integer() else value
    # The samples of the last flush are replaced at the next one.
    grows = assertion.of != "rate" and assertion.window == "cumulative"
    return Reading(endpoint, name, count, estimate=estimate, histogram=histogram, grows=grows)
