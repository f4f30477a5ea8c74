# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selections, and the data of snapshots."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
    Snapshot,
    read_snapshot,
)

A = compile_pattern("a.*", "match")


@pytest.mark.parametrize(
    ("selection", "covered"),
    [
        (Selection(), []),
        (Selection(frozenset(["b"])), ["b"]),
        (Selection(patterns=(A,)), ["a", "ab"]),
        (Selection(everything=True), ["a", "ab", "b"]),
    ],
)
def test_names_that_a_selection_covers(selection: Selection, covered: list[str]) -> None:
    assert [name for name in ("a", "ab", "b") if selection.covers(name)] == covered


def test_union_selects_what_either_selects() -> None:
    left = Selection(frozenset(["b"]), (A,), usedonly=True, histograms=False)
    right = Selection(frozenset(["c"]), (A,), usedonly=True)
    assert left.union(right) == Selection(frozenset(["b", "c"]), (A,), usedonly=True)
    assert not left.union(Selection()).usedonly
    assert left.union(Selection(everything=True)).everything


def snapshot() -> Snapshot:
    samples = Samples(
        Selection(frozenset(["b"]), (A,), usedonly=True, histograms=True),
        {"b": 1, "text": "x"},
        {"time": Histogram(((0.0, 1.0, 3),))},
        {"time": Histogram(((0.0, 1.0, 1),))},
        {"b": "counter"},
    )
    edge = Page(
        "edge",
        "envoy",
        1.5,
        {"stats": samples},
        Identity("1.40.0", "LIVE", 5, 6, 0, loaded="t"),
        group="pods",
    )
    gone = Page("gone", "prometheus", 2.0, failure=Failure("timeout", "no response"))
    return Snapshot(1.0, {"edge": edge, "gone": gone})


def test_snapshot_is_read_back_from_its_json() -> None:
    data = json.loads(json.dumps(snapshot().as_data()))
    assert read_snapshot(data) == snapshot()
    assert read_snapshot({"snapshot": data, "changed": False}) == snapshot()


def test_common_selection_is_in_the_data_once() -> None:
    common, other = Selection(frozenset({"a"})), Selection(everything=True)
    pages = {
        name: Page(name, "envoy", 1.0, {"stats": Samples(selection)})
        for name, selection in (("web1", common), ("web2", Selection(frozenset({"a"}))), ("edge", other))
    }
    data = json.loads(json.dumps(Snapshot(1.0, pages).as_data()))
    assert data["selections"] == {"stats": common.as_data()}
    own = {name: page["sources"]["stats"].get("selection") for name, page in data["endpoints"].items()}
    assert own == {"web1": None, "web2": None, "edge": other.as_data()}
    assert read_snapshot(data) == Snapshot(1.0, pages)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "since: not a snapshot. Set it to the snapshot in an earlier task's result."),
        (
            {"version": 2, "endpoints": {}},
            "since: expected a snapshot of version 1, got 2. Take a new snapshot.",
        ),
        ({"version": 1, "endpoints": {}}, "since: the snapshot is damaged (KeyError: 'time')"),
        ({"file": "/a"}, "since: the snapshot is in the file /a on its host"),
    ],
)
def test_other_data_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        read_snapshot(data)
    assert str(raised.value).startswith(message)
