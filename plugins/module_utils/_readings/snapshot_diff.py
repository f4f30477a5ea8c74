# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters on snapshots: differences, quantiles, and a page in Prometheus' format."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import number
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text
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
    read_snapshot,
)

_MAX_NAMES = 20  # in a message


def differences(later: Any, earlier: Any) -> dict[str, dict[str, int | float]]:
    """Return how much each number changed, by endpoint and by name.

    A name that the earlier snapshot selected and did not contain counts as 0 there.

    Args:
        later: A snapshot or the result that contains it.
        earlier: A snapshot of the same endpoints or more.

    Raises:
        ArgumentError: An endpoint restarted, a counter decreased, or the earlier snapshot lacks an endpoint.
    """
    after, before = read_snapshot(later, "the later snapshot"), read_snapshot(earlier, "the earlier snapshot")
    return {
        name: _difference(page, _page(before, name, "the earlier snapshot"))
        for name, page in after.pages.items()
    }


def quantile(
    data: Any, share: Any, stat: str, endpoint: str | None = None, since: Any = None
) -> float | None:
    """Return a quantile of a histogram; None without samples.

    Args:
        data: A snapshot or the result that contains it.
        share: The quantile, 0 to 1.
        stat: The name of the histogram.
        endpoint: The endpoint; None merges the samples of all endpoints.
        since: An earlier snapshot; only later samples count.

    Raises:
        ArgumentError: A snapshot lacks the endpoint or the histogram, or the endpoint restarted.
    """
    rank = number(share, "quantile")
    if not 0 <= rank <= 1:
        raise ArgumentError("quantile", f"expected a number from 0 to 1, got {share!r}.")
    snapshot = read_snapshot(data, "the snapshot")
    before = None if since is None else read_snapshot(since, "since")
    names = list(snapshot.pages) if endpoint is None else [endpoint]
    found: list[Histogram] = []
    for name in names:
        page = _page(snapshot, name, "the snapshot")
        earlier = _page(before, name, "since") if before else None
        _same_process(page, earlier)
        for each, where in ((page, "the snapshot"), (earlier, "since")):
            if each is not None and not _histograms(each, stat) and not _reads_histograms(each):
                raise ArgumentError(
                    where, f"no histograms of {name} were read. Take the snapshot with histograms: true."
                )
        for key, histogram in _histograms(page, stat).items():
            old = _histograms(earlier, stat).get(key) if earlier else None
            try:
                found.append(histogram.minus(old) if old else histogram)
            except HistogramError as error:
                raise ArgumentError(
                    f"{stat} at {name}", f"{error}. It was reset after since: take a new snapshot as since."
                ) from None
    if not found:
        raise ArgumentError(
            "the snapshot", f"no histogram {stat}. Take it with histograms: true and with this stat selected."
        )
    estimate = merge(found).quantile(rank)
    return None if estimate is None else estimate.value


def prometheus_page(data: Any) -> str:
    """Return the numbers and histograms of a snapshot in Prometheus' text format, with the endpoint as a label.

    Args:
        data: A snapshot or the result that contains it.

    Raises:
        ArgumentError: The data is not a snapshot.
    """
    families: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    used_names: dict[str, str] = {}
    for page in read_snapshot(data, "the snapshot").pages.values():
        for source in ("stats", "prometheus"):
            samples = page.sources.get(source)
            if samples is None:
                continue
            counted = _counted(samples) if source == "prometheus" else frozenset()
            for key, value in samples.values.items():
                if not isinstance(value, str) and key not in counted:
                    name, labels = _named(key, source, page.name, used_names)
                    types.setdefault(name, samples.kinds.get(key, "untyped"))
                    families.setdefault(name, []).append(
                        f"{prometheus_text.series(name, labels)} {_digits(value)}"
                    )
            for key, histogram in samples.histograms.items():
                name, labels = _named(key, source, page.name, used_names)
                types[name] = "histogram"
                families.setdefault(name, []).extend(_buckets(name, labels, histogram))
    lines: list[str] = []
    for name in sorted(families):
        lines += [f"# TYPE {name} {types[name]}", *families[name]]
    return "\n".join([*lines, ""])


def _difference(after: Page, before: Page) -> dict[str, int | float]:
    _same_process(after, before)
    result: dict[str, int | float] = {}
    for source, samples in after.sources.items():
        earlier = before.sources.get(source)
        if source not in ("stats", "prometheus") or earlier is None:
            continue
        for name, value in samples.values.items():
            then = earlier.values.get(name, 0)
            selected = prometheus_text.parse_series(name)[0] if source == "prometheus" else name
            if isinstance(value, str) or isinstance(then, str) or not earlier.selection.covers(selected):
                continue
            if value < then and "counter" in (samples.kinds.get(name), earlier.kinds.get(name)):
                raise ArgumentError(
                    f"{name} at {after.name}",
                    f"the counter decreased from {then} to {value}, so it was reset. Take a new earlier snapshot.",
                )
            result[name] = value - then
    return result


def _page(snapshot: Snapshot, name: str, where: str) -> Page:
    page = snapshot.pages.get(name)
    if page is None:
        raise ArgumentError(
            where,
            f"no endpoint {name}. It contains {', '.join(list(snapshot.pages)[:_MAX_NAMES]) or 'none'}.",
        )
    if page.failure is not None:
        raise ArgumentError(where, f"no readings of {name}: {page.failure.message}")
    return page


def _same_process(after: Page, before: Page | None) -> None:
    reason = restart_reason(before.identity, after.identity) if before else ""
    if reason:
        raise ArgumentError(
            after.name, f"{reason}, so its counters started at 0 again. Take a new earlier snapshot."
        )


def _reads_histograms(page: Page) -> bool:
    """Return whether histograms were read, even if there are none."""
    return all(samples.selection.histograms for samples in page.sources.values())


def _histograms(page: Page, stat: str) -> dict[str, Histogram]:
    return {
        key: histogram
        for source, samples in page.sources.items()
        for key, histogram in samples.histograms.items()
        if key == stat or (source == "prometheus" and prometheus_text.parse_series(key)[0] == stat)
    }


def _named(key: str, source: str, endpoint: str, used_names: dict[str, str]) -> tuple[str, dict[str, str]]:
    if source == "prometheus":
        name, labels = prometheus_text.parse_series(key)
        if "endpoint" in labels:  # Prometheus renames a label that it adds itself in this way
            labels["exported_endpoint"] = labels.pop("endpoint")
        return name, {**labels, "endpoint": endpoint}
    name, labels = f"envoy_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}", {"endpoint": endpoint}
    # a.b and a_b become one name, and Prometheus refuses a page with two equal series.
    if used_names.setdefault(prometheus_text.series(name, labels), key) != key:
        labels["stat"] = key
    return name, labels


def _counted(samples: Samples) -> frozenset[str]:
    """Return the series that are written as part of a histogram: sums and counts."""
    families = [prometheus_text.parse_series(key) for key in samples.histograms]
    return frozenset(
        prometheus_text.series(f"{name}{suffix}", labels)
        for name, labels in families
        for suffix in ("_sum", "_count")
    )


def _buckets(name: str, labels: dict[str, str], histogram: Histogram) -> list[str]:
    lines: list[str] = []
    total = 0.0
    for _lower, upper, count in histogram.buckets:
        total += count
        if upper != float("inf"):
            bounded = prometheus_text.series(f"{name}_bucket", {**labels, "le": _digits(upper)})
            lines.append(f"{bounded} {_digits(total)}")
    lines.append(f"{prometheus_text.series(f'{name}_bucket', {**labels, 'le': '+Inf'})} {_digits(total)}")
    if histogram.total is not None:
        lines.append(f"{prometheus_text.series(f'{name}_sum', labels)} {_digits(histogram.total)}")
    return [*lines, f"{prometheus_text.series(f'{name}_count', labels)} {_digits(total)}"]


def _digits(number: int | float) -> str:
    """Return the number with all of its digits."""
    return str(
        int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 2**53 else number
    )
