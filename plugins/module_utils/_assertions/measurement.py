# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One assertion on one endpoint: which of its stats it is about, and what each reads, since when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Estimate,
    Histogram,
    HistogramError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.promql import SOURCE
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.restart_detection import restart_reason
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Selection,
    Snapshot,
)

_GONE = "the earlier snapshot has it and it is not there any more, so what it counted since cannot be told"


@dataclass(slots=True)  # not frozen, which would take a fleet three times as long
class Reading:
    """What one stat of one endpoint reads, or why it reads nothing. One without either takes part in a total, and has no number itself."""

    endpoint: str
    stat: str
    value: Scalar | None = None
    failure: Failure | None = None
    estimate: Estimate | None = None
    histogram: Histogram | None = None
    counter: bool | None = None  # None: not known
    grows: bool = False  # a counter's value or delta: it will not become less
    doubtful: tuple[str, ...] = ()  # stats of which it would have to be known whether they are counters
    above: float = 0  # of a ratio
    below: float = 0


class _Nothing(Exception):
    def __init__(self, kind: str, message: str, doubtful: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(kind, message)
        self.doubtful = doubtful


def look_at(
    assertion: Assertion, source: str, page: Page | None, endpoint: str, since: Snapshot | None
) -> list[Reading]:
    """All readings of an assertion on one endpoint."""
    if page is None:
        return [Reading(endpoint, assertion.stat, failure=Failure("unreachable", "it was not asked"))]
    if page.failure is not None:
        return [Reading(endpoint, assertion.stat, failure=page.failure)]
    samples = page.sources.get(source) or Samples(Selection())
    baseline = _Baseline(page, source, since) if assertion.since else None
    names = _names(assertion, source, samples)
    lost: list[Reading] = []
    if baseline is not None and (source == "prometheus" or assertion.several):
        try:
            gone = _gone(assertion, source, samples, baseline.samples(assertion.about_histogram))
        except _Nothing as nothing:
            return [Reading(endpoint, assertion.stat, failure=nothing.failure)]
        lost = [Reading(endpoint, name, failure=Failure("restarted", _GONE)) for name in gone]
    if assertion.ratio:
        over = _over_names(assertion, source, samples)
        read = partial(_ratio, assertion, samples, baseline, endpoint, names, over)
        return lost[:1] or [_guarded(endpoint, assertion.what, read, (*names, *over))]
    if (
        not names
        and (not assertion.stat or (assertion.source == SOURCE and assertion.across == "count"))
        and assertion.across in ("sum", "count")
    ):
        # The sum and the number of nothing is 0. A query that gives nothing is mostly a misspelt one, unless it is counted what it gives.
        return lost
    if not names and not lost:
        names = [assertion.stat]
    if baseline is None and not assertion.about_histogram and all(name in samples.values for name in names):
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
        _guarded(
            endpoint,
            name or assertion.what,
            partial(_read, assertion, samples, baseline, endpoint, name),
            (name,),
        )
        for name in names
    ]


def plain_numbers(
    assertion: Assertion, source: str, page: Page | None
) -> tuple[list[int | float], bool] | None:
    """What `look_at` would read for a pattern where that is numbers and nothing else, and whether all are of counters; else None.

    A fleet has millions of them, and a Reading of each costs as much as asking for it.
    """
    if assertion.match is None or assertion.since or assertion.ratio or assertion.about_histogram:
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


def _names(assertion: Assertion, source: str, samples: Samples) -> list[str]:
    pool: Mapping[str, object] = samples.histograms if assertion.about_histogram else samples.values
    if assertion.op in ("present", "absent"):
        pool = {**samples.values, **samples.histograms}
    if assertion.source == SOURCE:
        return sorted(pool)
    if source == "prometheus":
        named = _named(assertion.stat, assertion.match)
        return sorted(prometheus_text.select(pool, named, dict(assertion.labels or ())))
    if assertion.match is not None:
        return sorted(name for name in pool if assertion.match.matches(name))
    return [assertion.stat]


def _over_names(assertion: Assertion, source: str, samples: Samples) -> list[str]:
    """What a ratio is to."""
    if not assertion.ratio:
        return []
    if source == "prometheus":
        # A metric that counts all of them does not have the label by which some were chosen.
        labels, loosely = assertion.over_labels, assertion.over_labels is None
        wanted = dict((assertion.labels if labels is None else labels) or ())
        named = _named(assertion.over, assertion.over_match)
        return sorted(prometheus_text.select(samples.values, named, wanted, loosely))
    if assertion.over_match is not None:
        return sorted(name for name in samples.values if assertion.over_match.matches(name))
    return [assertion.over]


def _named(name: str, pattern: Pattern | None) -> Callable[[str], bool]:
    if pattern is not None:
        return pattern.matches
    return name.__eq__ if name else lambda _name: True


def _gone(assertion: Assertion, source: str, samples: Samples, earlier: Samples | None) -> list[str]:
    """What the earlier snapshot has and is there no longer, as of a cluster that was removed."""
    if earlier is None:
        return []
    chosen = {*_names(assertion, source, earlier), *_over_names(assertion, source, earlier)}
    counts: dict[str, object] = {name: earlier.values.get(name) for name in chosen}
    if assertion.about_histogram:
        counts = {name: earlier.histograms[name].count for name in chosen if name in earlier.histograms}
    return sorted(
        name
        for name, count in counts.items()
        if name not in samples.values
        and name not in samples.histograms
        and isinstance(count, (int, float))
        # What was never used is not shown, and was 0.
        and (count or not samples.selection.usedonly)
    )


def _guarded(endpoint: str, stat: str, read: Callable[[], Reading], of: tuple[str, ...]) -> Reading:
    try:
        return read()
    except _Nothing as nothing:
        return Reading(endpoint, stat, failure=nothing.failure, doubtful=of if nothing.doubtful else ())


def _read(
    assertion: Assertion, samples: Samples, baseline: _Baseline | None, endpoint: str, name: str
) -> Reading:
    if assertion.op in ("present", "absent") and name in samples.histograms:
        return Reading(endpoint, name, samples.histograms[name].count)
    if assertion.about_histogram:
        return _histogram(assertion, samples, baseline, endpoint, name)
    value, counter = _number(assertion, samples, baseline, name)
    grows = counter is True and assertion.of != "rate"
    return Reading(endpoint, name, value, counter=counter, grows=grows)


def _number(
    assertion: Assertion, samples: Samples, baseline: _Baseline | None, name: str
) -> tuple[Scalar, bool | None]:
    kind = samples.kinds.get(name)
    counter = None if kind is None else kind == "counter"
    value = samples.values.get(name)
    if value is None:
        if name in samples.histograms:
            raise _Nothing("absent", f"{name} is a histogram; say which quantile or bucket of it")
        if assertion.default is None:
            words = "the query gives nothing" if assertion.source == SOURCE else "it is not there"
            raise _Nothing(
                "absent",
                words if name else "no name matches" if assertion.match else "nothing has these labels",
            )
        value, absent = assertion.default, True
    else:
        absent = False
    if baseline is None:
        return value, counter
    if isinstance(value, str):
        raise _Nothing("comparison", f"{value!r} is text, which has no {assertion.of}")
    before = baseline.value(name, absent, assertion.default)
    difference = value - before
    if difference < 0 and counter is not False:
        words = f"so a {assertion.of} since then says nothing"
        if counter is None:
            words = f"as a counter it was reset, {words}; nobody here knows whether it is a gauge"
        else:
            words = f"its counters were reset, {words}"
        back = f"it went back from {before:g} to {value:g}"
        raise _Nothing("restarted", f"{back}: {words}", doubtful=counter is None)
    if assertion.of == "delta":
        return difference, counter
    return difference / baseline.elapsed, counter


def _ratio(
    assertion: Assertion,
    samples: Samples,
    baseline: _Baseline | None,
    endpoint: str,
    names: list[str],
    over: list[str],
) -> Reading:
    what = assertion.over_what
    if not names and assertion.default is None:
        raise _Nothing("absent", "it is not there")
    above = _sum(assertion, samples, baseline, names)
    if not over or (over == [assertion.over] and over[0] not in samples.values and assertion.default is None):
        raise _Nothing("absent", f"{what} is not there" if assertion.over else f"nothing is there for {what}")
    below = _sum(assertion, samples, baseline, over)
    # Of what is added up over endpoints, all together have to have a ratio, and not each.
    if assertion.across == "sum":
        return Reading(endpoint, assertion.what, above / below if below else None, above=above, below=below)
    if not below:
        raise _Nothing("comparison", f"{what} is 0, so there is no ratio to it")
    if assertion.tolerance.binomial:
        try:
            assertion.chance(below)
        except ValueError as error:
            raise _Nothing("comparison", f"of {what}, {error}") from None
    return Reading(endpoint, assertion.what, above / below, above=above, below=below)


def _sum(assertion: Assertion, samples: Samples, baseline: _Baseline | None, names: list[str]) -> int | float:
    total: int | float = 0
    for name in names:
        value, _counter = _number(assertion, samples, baseline, name)
        if isinstance(value, str):
            raise _Nothing("comparison", f"{name} is text, which has no ratio")
        total += value
    return total


def _histogram(
    assertion: Assertion, samples: Samples, baseline: _Baseline | None, endpoint: str, name: str
) -> Reading:
    pool = samples.intervals if assertion.window == "interval" else samples.histograms
    histogram = pool.get(name)
    if histogram is None:
        if name in samples.values:
            raise _Nothing("absent", "it is no histogram")
        if assertion.default is None:
            raise _Nothing("absent", "it is not there")
        if baseline is None:
            return Reading(endpoint, name, assertion.default)
        histogram = Histogram(())  # as many samples as it is taken to have had before
    if baseline is not None:
        try:
            histogram = histogram.minus(baseline.histogram(name))
        except HistogramError as error:
            raise _Nothing("restarted", f"{error}: it was reset, so what came since cannot be told") from None
    if assertion.quantile is not None:
        estimate = histogram.quantile(assertion.quantile)
        if estimate is None and assertion.across == "sum":  # all together have to have samples, and not each
            return Reading(endpoint, name, histogram=histogram)
        if estimate is None:
            since = " since then" if baseline else ""
            raise _Nothing("comparison", f"no sample was counted{since}")
        return Reading(endpoint, name, estimate.value, estimate=estimate, histogram=histogram)
    estimate = histogram.at_most(assertion.bucket or 0.0)
    value = estimate.value / baseline.elapsed if baseline and assertion.of == "rate" else estimate.value
    count = int(value) if float(value).is_integer() else value
    # Of the last flush's samples the next flush knows nothing.
    grows = assertion.of != "rate" and assertion.window == "cumulative"
    return Reading(endpoint, name, count, estimate=estimate, histogram=histogram, grows=grows)


class _Baseline:
    """The earlier page of the same endpoint, if what it says still counts."""

    def __init__(self, page: Page, source: str, since: Snapshot | None) -> None:
        self._page, self._source = page, source
        self._since = since
        self._earlier = since.pages.get(page.name) if since else None

    @property
    def elapsed(self) -> float:
        earlier = self._checked()
        elapsed = self._page.time - (earlier.time if earlier else self._start())
        if elapsed <= 0:
            raise _Nothing("comparison", "no time has passed since the earlier snapshot, so there is no rate")
        return elapsed

    def value(self, name: str, absent: bool, default: int | float | None) -> int | float:
        samples = self._samples(name)
        value = samples.values.get(name) if samples else 0
        if isinstance(value, str):
            raise _Nothing("comparison", f"it was text, {value!r}, in the earlier snapshot")
        if value is None:
            # Envoy makes many counters when they first count: what was not there was 0.
            return default if absent and default is not None else 0
        return value

    def samples(self, histograms: bool) -> Samples | None:
        """All that the earlier page showed, with its histograms where they are needed; None where there was no such process yet."""
        earlier = self._checked()
        samples = earlier.sources.get(self._source) if earlier else None
        return _with_histograms(samples) if histograms else samples

    def histogram(self, name: str) -> Histogram:
        samples = _with_histograms(self._samples(name))
        return (samples.histograms.get(name) if samples else None) or Histogram(())

    def _samples(self, name: str) -> Samples | None:
        """What the earlier page showed; None where there was no such process yet."""
        earlier = self._checked()
        if earlier is None:
            return None
        samples = earlier.sources.get(self._source)
        selected = prometheus_text.parse_series(name)[0] if self._source == "prometheus" else name
        if samples is None or not samples.selection.covers(selected):
            raise _Nothing(
                "absent", f"the earlier snapshot did not look for {name}; take it with this stat selected"
            )
        return samples

    def _checked(self) -> Page | None:
        earlier, identity = self._earlier, self._page.identity
        if earlier is None:
            if (
                self._since
                and identity
                and identity.started is not None
                and identity.started - identity.slack > self._since.time
            ):
                return None  # it was started since: all that it counted is new
            raise _Nothing(
                "absent",
                f"the earlier snapshot knows no endpoint {self._page.name}; take it with this endpoint",
            )
        if earlier.failure is not None:
            raise _Nothing("absent", f"the earlier snapshot has no numbers of it: {earlier.failure.message}")
        words = restart_reason(earlier.identity, identity)
        if words:
            raise _Nothing(
                "restarted", f"{words}, so its counters began anew and a difference across that says nothing"
            )
        return earlier

    def _start(self) -> float:
        identity = self._page.identity
        return identity.started if identity and identity.started is not None else self._page.time


def _with_histograms(samples: Samples | None) -> Samples | None:
    """Of what was read without histograms, nobody knows how many samples they had."""
    if samples is not None and not samples.selection.histograms:
        raise _Nothing("absent", "the earlier snapshot was taken without histograms; take it with them")
    return samples
