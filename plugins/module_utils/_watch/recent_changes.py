# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of the last seconds, from the snapshots of a live view. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Histogram,
    HistogramError,
    merge,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import restart_reason
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Snapshot,
)

# Seconds that all rates and latencies are about: Envoy updates its histograms every 5 s by default.
WINDOW = 10.0


@dataclass
class RecentSnapshots:
    """The snapshots of the last seconds, the newest last."""

    window: float = WINDOW
    snapshots: deque[Snapshot] = field(default_factory=deque)

    def add(self, snapshot: Snapshot) -> None:
        """Add the newest snapshot, and forget those before the window, except the last one of them."""
        self.snapshots.append(snapshot)
        while len(self.snapshots) > 2 and self.snapshots[1].time <= snapshot.time - self.window:
            self.snapshots.popleft()

    @property
    def newest(self) -> Snapshot:
        """Return the newest snapshot."""
        return self.snapshots[-1]

    def changes(self) -> dict[str, PageChange]:
        """Return the change of each Envoy that answered the newest snapshot, by the name of its page."""
        return {
            name: PageChange(page, self._earlier(page))
            for name, page in self.newest.pages.items()
            if page.failure is None
        }

    def _earlier(self, page: Page) -> Page | None:
        """Return the oldest page of the same process; None if it started meanwhile, or if there is none."""
        for snapshot in self.snapshots:
            found = snapshot.pages.get(page.name)
            if found is page:
                return None
            if (
                found is not None
                and found.failure is None
                and not restart_reason(found.identity, page.identity)
            ):
                return found
        return None


@dataclass(frozen=True)
class PageChange:
    """The newest page of an Envoy, and the earlier one that it is compared with."""

    page: Page
    earlier: Page | None

    @property
    def seconds(self) -> float:
        """Return the seconds between the two pages; 0 without an earlier one."""
        return max(self.page.time - self.earlier.time, 0.0) if self.earlier else 0.0

    def stats(self) -> Samples:
        """Return the stats of the newest page."""
        return self.page.sources["stats"]

    def value(self, stat: str) -> float:
        """Return the value of a stat; 0 if Envoy never used it."""
        value = self.stats().values.get(stat, 0)
        return float(value) if isinstance(value, (int, float)) else 0.0

    def rate(self, stat: str) -> float | None:
        """Return the increase of a counter per second; None without an earlier page."""
        if not self.earlier or self.seconds <= 0:
            return None
        before = self.earlier.sources["stats"].values.get(stat, 0)
        if not isinstance(before, (int, float)):
            return None
        return max(self.value(stat) - before, 0.0) / self.seconds

    def latencies(self, stat: str) -> Histogram | None:
        """Return the samples of a histogram between the two pages; None without an earlier page."""
        now = self.stats().histograms.get(stat)
        if now is None or self.earlier is None:
            return None
        before = self.earlier.sources["stats"].histograms.get(stat)
        try:
            return now.minus(before) if before else now
        except HistogramError:
            return None

    def names(self, start: str, end: str) -> Iterator[str]:
        """Yield the stats that begin and end with these texts."""
        return (name for name in self.stats().values if name.startswith(start) and name.endswith(end))


def total(rates: Iterable[float | None]) -> float | None:
    """Return the sum of the rates that are known; None if none is."""
    known = [one for one in rates if one is not None]
    return sum(known) if known else None


def quantiles(histograms: Iterable[Histogram | None]) -> tuple[float | None, float | None]:
    """Return p50 and p99 of all samples in milliseconds; None without a sample."""
    merged = merge(one for one in histograms if one is not None)
    if not merged.count:
        return None, None
    p50, p99 = (merged.quantile(share) for share in (0.5, 0.99))
    return (round(p50.value, 3) if p50 else None), (round(p99.value, 3) if p99 else None)
