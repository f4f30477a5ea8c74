# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of envoy_stats_info without Ansible: look once, and say what is there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import endpoints_data
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import compile_pattern
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


def inspect(
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
    """One look at endpoints, as the data that the module returns. What goes to a file is not in it, and not kept in memory."""
    compiled = tuple(compile_pattern(one, f"match[{position}]") for position, one in enumerate(patterns))
    chosen = Selection(frozenset(names), compiled, not names and not compiled, usedonly)
    everything = Selection(everything=True)
    wanted = Query({one: chosen if one == "stats" else everything for one in sources}, histograms)
    began = time.monotonic()
    file = SnapshotFile(snapshot_file, time.time()) if snapshot_file else None
    try:
        snapshot = scrape(endpoints, wanted, timeout, limits, partial(_put_away, file) if file else None)
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


def _put_away(file: SnapshotFile, page: Page) -> None:
    file.add(page)
    page.sources.clear()


def summary(histogram: Histogram) -> dict[str, Any]:
    """A histogram with the quantiles that people look at."""
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
        name: summary(one) for samples in page.sources.values() for name, one in samples.histograms.items()
    }
