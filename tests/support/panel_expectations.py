# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each query of the dashboards must return at rest: sums, shares and quantiles of the stats that envoy_stats_info reads.

A template such as `http.{listener}.downstream_rq_{class}xx` is the sum over the Envoys, listeners and classes that the labels of a series
select. `Reading` has the stats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

Labels = Mapping[str, str]
# The upper bounds of Envoy's buckets on its Prometheus page, and of statsd_exporter's with the mapping of the collection.
MILLISECONDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# Labels that Prometheus adds to the series of a page.
OF_TARGET = ("__name__", "job", "demo", "instance")
FIELDS = {
    "listener": "envoy_http_conn_manager_prefix",
    "cluster": "envoy_cluster_name",
    "class": "envoy_response_code_class",
    "address": "envoy_listener_address",
}


@dataclass(frozen=True)
class Envoy:
    """The stats of one Envoy, and the labels of its target."""

    labels: Labels
    stats: Mapping[str, float]
    histograms: Mapping[str, Any]
    listeners: tuple[str, ...]
    clusters: tuple[str, ...]

    def values(self, template: str, labels: Labels) -> Iterator[tuple[str, float]]:
        """Yield the names of a template that the labels of a series select, with their values. A stat that was never used is 0."""
        for name in self.names(template, labels):
            yield name, self.stats.get(name, 0)

    def names(self, template: str, labels: Labels) -> Iterator[str]:
        """Yield the names of a template that the labels of a series select."""
        addresses = {
            found[1] for name in self.stats if (found := re.match(r"listener\.([\d.]+_\d+)\.", name))
        }
        choices = {
            "listener": self.listeners,
            "cluster": self.clusters,
            "class": ("1", "2", "3", "4", "5"),
            "address": tuple(sorted(addresses)),
        }
        fields = re.findall(r"\{(\w+)\}", template)
        for chosen in product(*(choices[one] for one in fields)):
            values = dict(zip(fields, chosen, strict=True))
            if all(labels.get(FIELDS[one], value) == value for one, value in values.items()):
                yield template.format(**values)

    def is_selected(self, labels: Labels) -> bool:
        """Return whether a series with these labels can have the numbers of this Envoy."""
        return all(labels.get(name, value) == value for name, value in self.labels.items())


@dataclass(frozen=True)
class Reading:
    """The stats of all Envoys and of the exporter at one time."""

    envoys: tuple[Envoy, ...]
    page: Mapping[str, float]
    page_histograms: Mapping[str, Any]
    time: float

    def total(self, template: str, labels: Labels) -> float:
        """Return the sum of the stats of a template."""
        return sum(
            value
            for one in self.envoys
            if one.is_selected(labels)
            for _name, value in one.values(template, labels)
        )

    def on_page(self, metric: str, labels: Labels) -> float:
        """Return the sum of the series of a metric on the exporter's page that have these labels, apart from those of the target."""
        wanted = [f'{name}="{value}"' for name, value in labels.items() if name not in OF_TARGET]
        return sum(
            value
            for series, value in self.page.items()
            if series.partition("{")[0] == metric
            and all(one in series for one in wanted)
            and 'envoy_cluster_name="admin"' not in series
        )


class Expectation:
    """The value of a series at rest. `whole`: the values of all series of a query add up to the value without labels."""

    whole = True

    def value(self, reading: Reading, labels: Labels) -> float:
        """Return the expected value."""
        raise NotImplementedError


@dataclass(frozen=True)
class Total(Expectation):
    """The sum of the stats of a template."""

    template: str

    def value(self, reading: Reading, labels: Labels) -> float:
        """Return the sum."""
        return reading.total(self.template, labels)


@dataclass(frozen=True)
class OnPage(Expectation):
    """The sum of the series of a metric of the exporter."""

    metric: str

    def value(self, reading: Reading, labels: Labels) -> float:
        """Return the sum."""
        return reading.on_page(self.metric, labels)


@dataclass(frozen=True)
class Computed(Expectation):
    """A value that a function computes, such as the share of two sums."""

    function: Callable[[Reading, Labels], float]
    whole = False

    def value(self, reading: Reading, labels: Labels) -> float:
        """Return the value."""
        return self.function(reading, labels)


@dataclass(frozen=True)
class Quantile(Expectation):
    """A quantile, which lies in the bucket of the samples of a histogram. The value is not computed, see `holds`."""

    number: float
    template: str
    on_page: bool = False
    whole = False

    def holds(self, reading: Reading, labels: Labels, value: float) -> bool:
        """Return whether the bucket with the value contains the quantile."""
        bounds = SECONDS if self.on_page else MILLISECONDS
        upper = next(bound for bound in bounds if value <= bound + 1e-12)
        lower = max((bound for bound in bounds if bound < upper), default=-1)
        found = [*self._histograms(reading, labels)]
        rank = self.number * sum(one["count"] for one in found)
        # A fine bucket of Envoy can contain the bound of a bucket of Prometheus.
        surely = sum(samples for _low, high, samples in _buckets(found) if high <= lower)
        possibly = sum(samples for low, _high, samples in _buckets(found) if low <= upper)
        return rank > 0 and surely <= rank + 1e-9 and rank <= possibly + 1e-9

    def _histograms(self, reading: Reading, labels: Labels) -> Iterator[Any]:
        if self.on_page:
            name = labels["envoy_cluster_name"]
            yield reading.page_histograms[f'{self.template}{{envoy_cluster_name="{name}"}}']
            return
        for envoy in reading.envoys:
            if envoy.is_selected(labels):
                yield from (
                    envoy.histograms[name]
                    for name in envoy.names(self.template, labels)
                    if name in envoy.histograms
                )


def _buckets(histograms: list[Any]) -> Iterator[tuple[float, float, float]]:
    """Yield the lower and the upper bound and the number of samples of all buckets."""
    for one in histograms:
        yield from one["buckets"]


def share(part: str, whole: str) -> Computed:
    """Return the share of two sums."""
    return Computed(
        lambda reading, labels: reading.total(part, labels) / max(reading.total(whole, labels), 1)
    )


def summary(template: str, of: Callable[[list[float]], float]) -> Computed:
    """Return a function of the stats of a template, such as the smallest one."""
    return Computed(
        lambda reading, labels: of(
            [
                value
                for one in reading.envoys
                if one.is_selected(labels)
                for _name, value in one.values(template, labels)
            ]
        )
    )
