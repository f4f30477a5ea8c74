# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays ask of snapshots that they hold: differences, quantiles, and a page in Prometheus' format."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import number
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings import prometheus_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Histogram,
    HistogramError,
    together,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.restart_detection import restarted
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Snapshot,
    read_snapshot,
)


def differences(later: Any, earlier: Any) -> dict[str, dict[str, int | float]]:
    """By endpoint and by name, how much each number changed. What the earlier one looked for and did not find was 0 there."""
    after, before = read_snapshot(later, "the later snapshot"), read_snapshot(earlier, "the earlier snapshot")
    return {
        name: _difference(page, _page(before, name, "the earlier snapshot"))
        for name, page in after.pages.items()
    }


def quantile(
    data: Any, share: Any, stat: str, endpoint: str | None = None, since: Any = None
) -> float | None:
    """A quantile of a histogram, of all endpoints' samples together or of one's; None where no sample was counted."""
    wanted = number(share, "quantile")
    if not 0 <= wanted <= 1:
        raise SpecError(f"quantile is a share from 0 to 1, not {share!r}")
    snapshot = read_snapshot(data, "the snapshot")
    before = None if since is None else read_snapshot(since, "since")
    names = list(snapshot.pages) if endpoint is None else [endpoint]
    found: list[Histogram] = []
    for name in names:
        page = _page(snapshot, name, "the snapshot")
        earlier = _page(before, name, "since") if before else None
        _same_process(page, earlier)
        for one, where in ((page, "the snapshot"), (earlier, "since")):
            if one is not None and not _histograms(one, stat) and not _has_histograms(one):
                raise SpecError(
                    f"{where} was taken without histograms of {name}, so a quantile cannot be told; take it with them"
                )
        for key, histogram in _histograms(page, stat).items():
            old = _histograms(earlier, stat).get(key) if earlier else None
            try:
                found.append(histogram.minus(old) if old else histogram)
            except HistogramError as error:
                raise SpecError(f"{stat} at {name}: {error}: it was reset since") from None
    if not found:
        raise SpecError(
            f"there is no histogram {stat} in the snapshot; take it with histograms, and with this stat selected"
        )
    estimate = together(found).quantile(wanted)
    return None if estimate is None else estimate.value


def page_in_prometheus(data: Any) -> str:
    """All numbers in Prometheus' text format, with the endpoint as a label."""
    families: dict[str, list[str]] = {}
    types: dict[str, str] = {}
    taken: dict[str, str] = {}
    for page in read_snapshot(data, "the snapshot").pages.values():
        for source in ("stats", "prometheus"):
            samples = page.sources.get(source)
            if samples is None:
                continue
            counted = _counted(samples) if source == "prometheus" else frozenset()
            for key, value in samples.values.items():
                if not isinstance(value, str) and key not in counted:
                    name, labels = _named(key, source, page.name, taken)
                    types.setdefault(name, samples.kinds.get(key, "untyped"))
                    families.setdefault(name, []).append(
                        f"{prometheus_text.series(name, labels)} {_written(value)}"
                    )
            for key, histogram in samples.histograms.items():
                name, labels = _named(key, source, page.name, taken)
                types[name] = "histogram"
                families.setdefault(name, []).extend(_buckets(name, labels, histogram))
    lines: list[str] = []
    for name in sorted(families):
        lines += [f"# TYPE {name} {types[name]}", *families[name]]
    return "\n".join([*lines, ""])


def _difference(after: Page, before: Page) -> dict[str, int | float]:
    _same_process(after, before)
    answer: dict[str, int | float] = {}
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
                raise SpecError(
                    f"{name} at {after.name} went back from {then} to {value}: its counters were reset, so a difference says nothing"
                )
            answer[name] = value - then
    return answer


def _page(snapshot: Snapshot, name: str, where: str) -> Page:
    page = snapshot.pages.get(name)
    if page is None:
        raise SpecError(f"{where} knows no endpoint {name}; it has {', '.join(list(snapshot.pages)[:20])}")
    if page.failure is not None:
        raise SpecError(f"{where} has no numbers of {name}: {page.failure.message}")
    return page


def _same_process(after: Page, before: Page | None) -> None:
    words = restarted(before.identity, after.identity) if before else ""
    if words:
        raise SpecError(
            f"{after.name}: {words}, so its counters began anew and a difference across that says nothing"
        )


def _has_histograms(page: Page) -> bool:
    """Whether they were read, be there some or none."""
    return all(samples.selection.histograms for samples in page.sources.values())


def _histograms(page: Page, stat: str) -> dict[str, Histogram]:
    return {
        key: histogram
        for source, samples in page.sources.items()
        for key, histogram in samples.histograms.items()
        if key == stat or (source == "prometheus" and prometheus_text.parse_series(key)[0] == stat)
    }


def _named(key: str, source: str, endpoint: str, taken: dict[str, str]) -> tuple[str, dict[str, str]]:
    if source == "prometheus":
        name, labels = prometheus_text.parse_series(key)
        if "endpoint" in labels:  # called as Prometheus calls a label that it has another of
            labels["exported_endpoint"] = labels.pop("endpoint")
        return name, {**labels, "endpoint": endpoint}
    name, labels = f"envoy_{re.sub(r'[^a-zA-Z0-9_]', '_', key)}", {"endpoint": endpoint}
    # a.b and a_b become one name, and a page with one series twice is refused as a whole.
    if taken.setdefault(prometheus_text.series(name, labels), key) != key:
        labels["stat"] = key
    return name, labels


def _counted(samples: Samples) -> frozenset[str]:
    """The series of a page that its histograms are written with anyway: their sums and counts."""
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
            bounded = prometheus_text.series(f"{name}_bucket", {**labels, "le": _written(upper)})
            lines.append(f"{bounded} {_written(total)}")
    lines.append(f"{prometheus_text.series(f'{name}_bucket', {**labels, 'le': '+Inf'})} {_written(total)}")
    if histogram.total is not None:
        lines.append(f"{prometheus_text.series(f'{name}_sum', labels)} {_written(histogram.total)}")
    return [*lines, f"{prometheus_text.series(f'{name}_count', labels)} {_written(total)}"]


def _written(number: int | float) -> str:
    """All of its digits."""
    return str(
        int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 2**53 else number
    )
