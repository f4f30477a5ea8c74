# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default mappings of statsd_exporter: each stat of the demos' Envoys gets a valid name and labels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Deployment
from live import Home, supported_demos
from rotation import names_of_week
from statsd_exporter import MAPPINGS, assert_no_errors, own, sent

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import parse_series
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Page,
    Query,
    Selection,
    parse_endpoints,
    scrape,
)

EVERYTHING = Selection(everything=True)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(sorted(names_of_week(supported_demos("local"), weeks=6)), id="this-week"),
        pytest.param(supported_demos("local"), id="all", marks=pytest.mark.slow),
    ],
)
def read(request: pytest.FixtureRequest) -> Iterator[tuple[dict[str, Page], str]]:
    """Return the pages of all Envoys of the demos after their traffic, and the path of statsd_exporter."""
    home = Home("local")
    pages_by_name: dict[str, Page] = {}
    try:
        for name in request.param:
            demo = Deployment(home, name)
            plan = demo.plan()
            try:
                started = demo.run(plan)
                assert not started["failed"], started
                demo.verify(plan, timeout=10)
                envoys = [
                    {"name": f"{name}/{one['name']}", "url": one["url"]}
                    for one in plan["endpoints"]
                    if one["format"] == "envoy"
                ]
                query = Query({"stats": EVERYTHING, "prometheus": EVERYTHING}, histograms=True)
                pages = scrape(parse_endpoints(envoys), query).pages
                assert [page.failure for page in pages.values()] == [None] * len(envoys)
                pages_by_name |= pages
            finally:
                demo.run(plan, state="absent")
        yield pages_by_name, home.exporter
    finally:
        home.close()


def expected_series(page: Page) -> Iterator[tuple[str, tuple[tuple[str, str], ...], bool]]:
    """Yield the name and the labels of each metric of Envoy's Prometheus page, and whether it is a histogram."""
    samples = page.sources["prometheus"]
    parts = {f"{parse_series(key)[0]}_{part}" for key in samples.histograms for part in ("sum", "count")}
    for key in [*samples.values, *samples.histograms]:
        name, labels = parse_series(key)
        if name not in parts and name.startswith("envoy_"):
            yield name, tuple(sorted(labels.items())), key in samples.histograms


def counted(series: tuple[str, tuple[tuple[str, str], ...], bool]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Return the name that counts the samples of a histogram, and the labels as statsd sends them, without colons."""
    name, labels, is_histogram = series
    return f"{name}_count" if is_histogram else name, tuple(
        (key, one.replace(":", "_")) for key, one in labels
    )


def test_statsd_mapping_restores_names_and_labels(read: tuple[dict[str, Page], str]) -> None:
    """The metrics are those of Envoy's own Prometheus page."""
    envoys, program = read
    lines: dict[str, None] = {}
    expected = set()
    for page in envoys.values():
        values, histograms = page.sources["stats"].values, page.sources["stats"].histograms
        numbers = [name for name, number in values.items() if not isinstance(number, str)]
        lines |= {f"envoy.{name.replace(':', '_')}:1|g": None for name in numbers}
        lines |= {f"envoy.{name.replace(':', '_')}:5|ms": None for name in histograms}
        expected |= {counted(series) for series in expected_series(page)}
    demos = {name.partition("/")[0] for name in envoys}
    assert len(lines) > 5000 * len(demos) / len(supported_demos("local"))
    shown = sent(program, MAPPINGS / "statsd.yaml", list(lines))
    assert_no_errors(shown, list(lines))
    found = {(name, tuple(sorted(labels.items()))) for name, labels in own(shown)}
    missing = sorted(expected - found)
    assert not missing, missing[:20]
    further = sorted(one for one in found - expected if not one[0].endswith(("_sum", "_bucket")))
    assert not further, further[:20]


def test_dog_statsd_keeps_names_and_tags(read: tuple[dict[str, Page], str]) -> None:
    """The metrics are those of Envoy's own Prometheus page."""
    envoys, program = read
    expected: dict[tuple[str, tuple[tuple[str, str], ...]], None] = {}
    lines: dict[str, None] = {}
    for page in envoys.values():
        for name, labels, timer in expected_series(page):
            tags = ",".join(f"{label}:{text}" for label, text in labels)
            lines[
                f"envoy.{name.removeprefix('envoy_')}:{'5|ms' if timer else '1|g'}{'|#' if tags else ''}{tags}"
            ] = None
            expected[f"{name}_count" if timer else name, labels] = None
    assert len(lines) > 500
    shown = sent(program, MAPPINGS / "dog_statsd.yaml", list(lines))
    assert_no_errors(shown, list(lines))
    found = {(name, tuple(sorted(labels.items()))) for name, labels in own(shown)}
    assert set(expected) <= found, sorted(set(expected) - found)[:10]
