# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots for the tests of filters."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import Page, Selection, Snapshot

FAST, SLOW = (1.0, 2.0, 90), (100.0, 200.0, 10)


def snapshot(started: float = 0, *buckets: tuple[float, float, float], **values: Any) -> dict[str, Any]:
    """Return the data of a snapshot of the endpoint `edge`, whose process started at `started`."""
    samples = Samples(Selection(everything=True), values, {"h.time": Histogram(buckets)} if buckets else {})
    page = Page("edge", "envoy", 100.0, {"stats": samples}, Identity("1", "LIVE", 1.0, started, 0))
    data: dict[str, Any] = json.loads(json.dumps(Snapshot(100.0, {"edge": page}).as_data()))
    return data
