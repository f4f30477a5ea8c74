# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stats and the endpoints that an assertion selects."""

from __future__ import annotations

from typing import Any

import pytest
from fake_snapshots import ALL, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Samples,
)


def test_labels_select_series() -> None:
    one = fake_page("e")
    one.sources["prometheus"] = Samples(
        ALL, {'m{a="1",b="2"}': 3, 'm{a="1",b="3"}': 4, 'm{a="2"}': 9, "mm": 1}
    )
    assert verdict_of(
        {"stat": "m", "labels": {"a": "1"}, "across": "sum", "op": "eq", "value": 7}, fake_snapshot(one)
    ).ok
    assert verdict_of(
        {"stat": "m", "labels": {"a": "1", "b": "3"}, "op": "eq", "value": 4}, fake_snapshot(one)
    ).ok
    assert not verdict_of({"stat": "m", "labels": {"a": "3"}, "op": "ge", "value": 0}, fake_snapshot(one)).ok


REQUESTS = {
    'rq_xx{cluster="a",code="2"}': 90,
    'rq_xx{cluster="a",code="5"}': 10,
    'rq_xx{cluster="b",code="5"}': 50,
    'rq_done{cluster="a"}': 100,
    'rq_done{cluster="b"}': 50,
    'other_xx{code="5"}': 1,
}


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ({"labels": {"code": "5"}, "across": "sum"}, 61),
        ({"labels": {"code": "5"}, "across": "count"}, 3),
        ({"labels": {"code": "4"}, "across": "sum"}, 0),
        ({"match": "rq_.*", "labels": {"cluster": "a"}, "across": "sum"}, 200),
        # The share of a cluster's answers: what counts all of them has no code.
        ({"stat": "rq_xx", "labels": {"cluster": "a", "code": "5"}, "over": "rq_done"}, 0.1),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_done"}, 0.4),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_xx", "over_labels": {}}, 0.4),
        ({"stat": "rq_xx", "labels": {"code": "5"}, "over": "rq_xx", "over_labels": {"cluster": "a"}}, 0.6),
        ({"match": ".*_xx", "labels": {"code": "5"}, "over_match": ".*_xx", "over_labels": {}}, 61 / 151),
        ({"labels": {"code": "5"}, "over_match": "rq_done", "across": "sum"}, 61 / 150),
    ],
)
def test_labels_with_patterns_and_ratios(asked: dict[str, Any], value: float) -> None:
    one = fake_page("e")
    one.sources["prometheus"] = Samples(ALL, dict(REQUESTS))
    verdict = verdict_of({**asked, "op": "eq", "value": value}, fake_snapshot(one))
    assert verdict.ok, verdict.message(0)
