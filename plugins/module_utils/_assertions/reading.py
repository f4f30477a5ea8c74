# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value of one stat of one endpoint, or the reason why it has none; and the earlier values that a difference starts from."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Estimate, Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import restart_reason
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples, Snapshot


class Reading:
    """What one stat of one endpoint reads, or why it reads nothing.

    A reading with neither value nor failure takes part in a total only: a histogram without samples, or a ratio to 0.

    Args:
        endpoint: The name of the endpoint.
        stat: The name of the stat.
        value: What the stat reads.
        failure: Why it reads nothing.
        estimate: The bounds of a value that a histogram's buckets give.
        histogram: The samples behind `value`.
        counter: Whether the stat is a counter; None where that is not known.
        grows: Whether it is the value or the delta of a counter, which does not become less.
        kind_matters_of: The stats for which the result depends on whether they are counters.
        above: The numerator of a ratio.
        below: The denominator of a ratio.
    """

    # A fleet has millions of readings, and a frozen dataclass takes three times as long to create.
    __slots__ = (
        "above",
        "below",
        "counter",
        "endpoint",
        "estimate",
        "failure",
        "grows",
        "histogram",
        "kind_matters_of",
        "stat",
        "value",
    )

    def __init__(
        self,
        endpoint: str,
        stat: str,
        value: Scalar | None = None,
        failure: Failure | None = None,
        estimate: Estimate | None = None,
        histogram: Histogram | None = None,
        counter: bool | None = None,
        grows: bool = False,
        kind_matters_of: tuple[str, ...] = (),
        above: float = 0,
        below: float = 0,
    ) -> None:
        self.endpoint = endpoint
        self.stat = stat
        self.value = value
        self.failure = failure
        self.estimate = estimate
        self.histogram = histogram
        self.counter = counter
        self.grows = grows
        self.kind_matters_of = kind_matters_of
        self.above = above
        self.below = below

    def as_data(self) -> dict[str, object]:
        """Return the reading as the module returns it."""
        return {
            "endpoint": self.endpoint,
            "stat": self.stat,
            "observed": self.value,
            "error": self.estimate.error if self.estimate else None,
            "failure": self.failure.kind if self.failure else "",
        }


class NoReading(Exception):
    """A stat reads nothing. `kind_matters` is set where it reads something if it is no counter."""

    def __init__(self, kind: str, message: str, kind_matters: bool = False) -> None:
        super().__init__(message)
        self.failure = Failure(kind, message)
        self.kind_matters = kind_matters


class Baseline:
    """The earlier page of an endpoint. Each method raises NoReading where a difference from it would be wrong."""

    def __init__(self, page: Page, source: str, since: Snapshot | None) -> None:
        self._page, self._source = page, source
        self._since = since
        self._earlier = since.pages.get(page.name) if since else None

    @property
    def elapsed(self) -> float:
        """The seconds since the earlier page, or since the start of a process that started later."""
        earlier = self._checked_page()
        elapsed = self._page.time - (earlier.time if earlier else self._start())
        if elapsed <= 0:
            raise NoReading(
                "comparison", "no time has passed since the earlier snapshot, so there is no rate"
            )
        return elapsed

    def value(self, name: str, absent: bool, default: int | float | None) -> int | float:
        """Return the earlier value of a stat.

        Args:
            name: The stat.
            absent: Whether the stat does not exist now.
            default: The value of a stat that does not exist.
        """
        samples = self._samples(name)
        value = samples.values.get(name) if samples else 0
        if isinstance(value, str):
            raise NoReading("comparison", f"its value in the earlier snapshot is text, {value!r}")
        if value is None:
            # Envoy creates many counters when they first count, so an absent counter was 0.
            return default if absent and default is not None else 0
        return value

    def samples(self, histograms: bool) -> Samples | None:
        """Return all earlier readings, None where the process started later. `histograms` makes them required."""
        earlier = self._checked_page()
        samples = earlier.sources.get(self._source) if earlier else None
        return _with_histograms(samples) if histograms else samples

    def histogram(self, name: str) -> Histogram:
        """Return the earlier samples of a histogram."""
        samples = _with_histograms(self._samples(name))
        return (samples.histograms.get(name) if samples else None) or Histogram(())

    def _samples(self, name: str) -> Samples | None:
        earlier = self._checked_page()
        if earlier is None:
            return None
        samples = earlier.sources.get(self._source)
        selected = prometheus_text.parse_series(name)[0] if self._source == "prometheus" else name
        if samples is None or not samples.selection.covers(selected):
            raise NoReading(
                "absent", f"the earlier snapshot does not include {name}; select this stat when you take it"
            )
        return samples

    def _checked_page(self) -> Page | None:
        earlier, identity = self._earlier, self._page.identity
        if earlier is None:
            if (
                self._since
                and identity
                and identity.started is not None
                and identity.started - identity.slack > self._since.time
            ):
                return None  # the process started later, so it counted everything since then
            raise NoReading(
                "absent",
                f"the earlier snapshot has no endpoint {self._page.name}; include the endpoint when you take it",
            )
        if earlier.failure is not None:
            raise NoReading("absent", f"the earlier snapshot has no numbers of it: {earlier.failure.message}")
        reason = restart_reason(earlier.identity, identity)
        if reason:
            raise NoReading("restarted", f"{reason}, so its counters started from 0 in between")
        return earlier

    def _start(self) -> float:
        identity = self._page.identity
        return identity.started if identity and identity.started is not None else self._page.time


def _with_histograms(samples: Samples | None) -> Samples | None:
    if samples is not None and not samples.selection.histograms:
        raise NoReading(
            "absent", "the earlier snapshot has no histograms; include histograms when you take it"
        )
    return samples
