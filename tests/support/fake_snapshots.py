# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots of Envoys that do not exist, and the verdicts of assertions about them."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
    Snapshot,
)

ALL = Selection(everything=True)


def fake_endpoints(*names: str) -> list[Endpoint]:
    """Return Envoys with these names."""
    return parse_endpoints([{"name": name, "url": f"http://{name}"} for name in names])


def fake_page(name: str, time: float = 100.0, started: float = 0.0, epoch: int = 0, **values: Any) -> Page:
    """Return the page of an Envoy with these stats; a value can be a Histogram."""
    histograms = {key: values.pop(key) for key in list(values) if isinstance(values[key], Histogram)}
    samples = Samples(ALL, values, histograms)
    identity = Identity("1.40.0", "LIVE", time - started, started, epoch)
    return Page(name, "envoy", time, {"stats": samples}, identity)


def fake_snapshot(*pages: Page) -> Snapshot:
    """Return a snapshot with these pages."""
    return Snapshot(pages[0].time if pages else 0.0, {page.name: page for page in pages})


def verdict_of(entry: dict[str, Any], now: Snapshot, since: Snapshot | None = None) -> Verdict:
    """Return the verdict of one assertion about all endpoints of a snapshot."""
    return evaluate(parse_assertions([entry])[0], fake_endpoints(*now.pages), now, since)


FLEET = fake_snapshot(fake_page("a", x=10, y=1), fake_page("b", x=20, y=0), fake_page("c", x=30))
