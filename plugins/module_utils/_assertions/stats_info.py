# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read stats once: the work of the module envoy_stats_info, without Ansible."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import endpoints_data
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    DEFAULT_LIMITS,
    Limits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import scrape
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Selection
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import (
    SnapshotFile,
    file_reference,
)

QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


def read_stats(
    endpoints: Sequence[Endpoint],
    names: Sequence[str] = (),
    patterns: Sequence[str] = (),
    sources: Sequence[str] = ("stats",),
    histograms: bool = True,
    usedonly: bool = False,
    timeout: float = 30.0,
    limits: Limits = DEFAULT_LIMITS,
    snapshot_file: str | None = None,
) -> dict[str, Any]:
    """Read endpoints once.

    Args:
        endpoints: The endpoints to read.
        names: The stats to read; without `names` and `patterns` all stats are read.
        patterns: Regular expressions of further stats to read, each for a whole name.
        sources: The sources to read. `names` and `patterns` select among stats only.
        histograms: Whether to read histograms.
        usedonly: Whether to leave out stats that Envoy has never used.
        timeout: Number of seconds for all endpoints.
        limits: Limits of the requests.
        snapshot_file: Path of a file for the snapshot; the result then has no readings, and memory keeps none of them.

    Returns:
        The result of the module envoy_stats_info, with `remarks` for its warnings.

    Raises:
        ArgumentError: A pattern or a time cannot be used, or the file cannot be written.
    """
    compiled = tuple(
        compile_pattern(pattern, f"match[{position}]") for position, pattern in enumerate(patterns)
    )
    chosen = Selection(frozenset(names), compiled, not names and not compiled, usedonly)
    everything = Selection(everything=True)
    query = Query({source: chosen if source == "stats" else everything for source in sources}, histograms)
    began = time.monotonic()
    file = SnapshotFile(snapshot_file, time.time()) if snapshot_file else None
    try:
        snapshot = scrape(endpoints, query, timeout, limits, partial(_write_page, file) if file else None)
        if file:
            file.finish()
    except BaseException:
        if file:
            file.discard()
        raise
    return {
        "readings": {} if file else {name: _values(page) for name, page in snapshot.pages.items()},
        "histograms": {} if file else {name: _histograms(page) for name, page in snapshot.pages.items()},
        "endpoints": endpoints_data(snapshot, {}),
        "snapshot": file_reference(file.path) if file else snapshot.as_data(),
        "remarks": snapshot.remarks,
        "failure": next((page.failure.kind for page in snapshot.pages.values() if page.failure), ""),
        "elapsed": round(time.monotonic() - began, 3),
    }


def _write_page(file: SnapshotFile, page: Page) -> None:
    file.add(page)
    page.sources.clear()


def histogram_data(histogram: Histogram) -> dict[str, Any]:
    """Return a histogram with the values of common quantiles."""
    quantiles: dict[str, Any] = {}
    for share in QUANTILES:
        estimate = histogram.quantile(share)
        quantiles[f"{share:g}"] = (
            None if estimate is None else {"value": estimate.value, "error": estimate.error}
        )
    return {**histogram.as_data(), "quantiles": quantiles}


def _values(page: Page) -> dict[str, Any]:
    return {source: samples.values for source, samples in page.sources.items()}


def _histograms(page: Page) -> dict[str, Any]:
    return {
        name: histogram_data(one)
        for samples in page.sources.values()
        for name, one in samples.histograms.items()
    }
