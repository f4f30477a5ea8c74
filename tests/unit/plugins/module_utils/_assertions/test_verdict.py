# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message and the data of a verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_snapshots import ALL, FLEET, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.evaluate import evaluate
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Samples,
    Snapshot,
)


@pytest.mark.parametrize(
    ("entry", "mentioned"),
    [
        ({"bucket": "inf", "op": "eq", "value": 50}, True),
        ({"bucket": "inf", "op": "gt", "value": 40}, True),
        ({"bucket": 5, "op": "between", "value": [41, 50], "across": "sum"}, True),
        ({"bucket": "inf", "op": "eq", "value": 39}, False),
        ({"bucket": "inf", "op": "lt", "value": 40}, False),
        ({"bucket": "inf", "op": "ne", "value": 40}, False),
        ({"quantile": 0.5, "op": "gt", "value": 50}, False),
    ],
)
def test_missing_samples_mention_the_flush(entry: dict[str, Any], mentioned: bool) -> None:
    now = fake_snapshot(fake_page("e", h=Histogram(((1.0, 2.0, 40),))))
    hint = "Envoy updates histograms at its flush, every 5 s, unless stats_flush_on_admin is set."
    assert (hint in verdict_of({"stat": "h", **entry}, now).message(1)) is mentioned
    # Another program's page is as it is.
    (elsewhere,) = parse_endpoints([{"name": "e", "url": "http://e", "format": "prometheus"}])
    samples = Samples(ALL, {}, {"h": Histogram(((1.0, 2.0, 40),))})
    other = Snapshot(1.0, {"e": Page("e", "prometheus", 1.0, {"prometheus": samples})})
    verdict = evaluate(parse_assertions([{"stat": "h", **entry}])[0], [elsewhere], other)
    assert not verdict.ok
    assert hint not in verdict.message(1)


@pytest.mark.parametrize(
    ("entry", "mentioned"),
    [
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 3}, True),
        ({"bucket": "inf", "of": "rate", "op": "lt", "value": 0.01}, True),
        ({"quantile": 0.5, "of": "delta", "op": "gt", "value": 50}, True),
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 5}, False),
        ({"bucket": "inf", "of": "delta", "op": "eq", "value": 6}, False),
        ({"bucket": "inf", "op": "eq", "value": 3}, False),
    ],
)
def test_histogram_delta_mentions_earlier_samples(entry: dict[str, Any], mentioned: bool) -> None:
    then, now = (
        fake_snapshot(fake_page("e", time, h=Histogram(((1.0, 2.0, count),))))
        for time, count in ((100, 40), (200, 45))
    )
    hint = "Samples from before the earlier snapshot can be included, because Envoy updates histograms every 5 s,"
    verdict = verdict_of({"stat": "h", **entry}, now, then)
    assert (hint in verdict.message(1)) is mentioned
    if verdict.is_final:
        assert "A counter does not fall, so waiting ended." in verdict.message(1)


def test_result_has_the_same_keys_on_failure() -> None:
    good = verdict_of({"stat": "x", "op": "ge", "value": 1, "name": "why"}, FLEET).as_data(1)
    bad = verdict_of({"stat": "x", "op": "ge", "value": 99, "name": "why"}, FLEET).as_data(1)
    assert good.keys() == bad.keys()
    assert bad["message"] == "why: expected at least 99, got 10 (x at a) after 1.0 s. 2 more readings fail."
    assert json.loads(json.dumps(bad)) == bad


CANARY = {"stat": "v2", "over": "all", "op": "eq", "value": 0.1, "tolerance": "binomial"}


@pytest.mark.parametrize(
    ("change", "seen", "text"),
    [
        ({}, (37, 200), "expected 3 to 43 of 200 for a share of 10 %, got 37 (ratio of v2 to all at edge)"),
        (
            {},
            (50, 200),
            "expected 3 to 43 of 200 for a share of 10 %, got 50 (ratio of v2 to all at edge) after 0.5 s",
        ),
        ({}, (2, 200), "got 2 (ratio of v2 to all at edge) after"),
        (
            {"tolerance": {"binomial": 1e-12}},
            (50, 200),
            "expected 0 to 56 of 200 for a share of 10 %, got 50",
        ),
        ({"op": "ge"}, (200, 200), "expected 3 to 200 of 200 for a share of at least 10 %, got 200"),
        (
            {"op": "le"},
            (50, 200),
            "expected 0 to 43 of 200 for a share of at most 10 %, got 50 (ratio of v2 to all at edge) after",
        ),
        (
            {"op": "between", "value": [0.1, 0.5]},
            (135, 200),
            "expected 3 to 134 of 200 for a share of 10 % to 50 %, got 135 (ratio of v2 to all at edge) after",
        ),
        (
            {"value": 0},
            (1, 200),
            "expected 0 to 0 of 200 for a share of 0 %, got 1 (ratio of v2 to all at edge) after",
        ),
        ({"value": 1}, (200, 200), "expected 200 to 200 of 200 for a share of 100 %, got 200"),
        ({}, (300, 200), "got 300 (ratio of v2 to all at edge) after"),
        (
            {},
            (0, 0),
            "expected 0.1 (binomial), got no value (ratio of v2 to all at edge) after 0.5 s: all is 0, so there is no ratio to it",
        ),
        (
            {},
            (1, 2.5),
            " after 0.5 s: a binomial tolerance needs 1 to 1e+12 trials, and there were 2.5 (all)",
        ),
    ],
)
def test_message_of_a_binomial_tolerance(
    change: dict[str, Any], seen: tuple[float, float], text: str
) -> None:
    verdict = verdict_of({**CANARY, **change}, fake_snapshot(fake_page("edge", v2=seen[0], all=seen[1])))
    written = {**CANARY, **change}
    if not isinstance(written["value"], list):  # a template makes it text
        written["value"] = str(written["value"])
    as_text = verdict_of(written, fake_snapshot(fake_page("edge", v2=seen[0], all=seen[1])))
    assert as_text.message(0.5) == verdict.message(0.5)
    assert text in verdict.message(0.5)
    assert verdict.ok is (" after" not in text)
    json.dumps(verdict.as_data(0.5))
