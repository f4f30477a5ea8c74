# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of fleets in a file: what is written is what is read, as far as somebody looks at it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import differences
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Page,
    Selection,
    Snapshot,
    SpecError,
    load_snapshot,
    parse_assertions,
    parse_endpoints,
    read_snapshot,
    required_queries,
    write_snapshot,
)

ENDPOINTS = parse_endpoints([{"name": name, "url": "http://127.0.0.1:1"} for name in ("a", "b", "gone")])
ASSERTIONS = parse_assertions(
    [
        {"stat": "wanted", "of": "delta", "op": "eq", "value": 1},
        {"stat": "time", "of": "delta", "quantile": 0.5, "op": "lt", "value": 1},
    ]
)
WANTED = required_queries(ASSERTIONS, ENDPOINTS)


def snapshot() -> Snapshot:
    histogram = Histogram(((0.0, 1.0, 3),))
    pages = {
        name: Page(
            name,
            "envoy",
            100.5,
            {
                "stats": Samples(
                    Selection(everything=True),
                    {"wanted": number, 'odd\n"name" {': "text", "other": 2**70},
                    {"time": histogram, "other time": histogram},
                )
            },
            Identity("1.40.0", "LIVE", 5.0, 95.5, 0),
        )
        for number, name in enumerate(("a", "b", "not asked"))
    }
    pages["gone"] = Page("gone", "envoy", 100.0, failure=Failure("unreachable", "it was gone"))
    return Snapshot(100.0, pages)


def test_what_is_written_is_one_json_document_and_the_same_snapshot(tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    target.write_text("what was there before")
    write_snapshot(str(target), snapshot())
    assert json.loads(target.read_text()) == snapshot().as_data()
    assert read_snapshot(json.loads(target.read_text())) == snapshot()
    assert target.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["snapshot.json"]


def test_only_what_is_looked_at_is_kept(tmp_path: Path) -> None:
    written = write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    for given in (written["file"], written, {"snapshot": written, "changed": False}):
        read = load_snapshot(given, WANTED)
        assert {name: page.identity for name, page in read.pages.items()} == {
            name: page.identity for name, page in snapshot().pages.items()
        }
        assert read.pages["gone"].failure == Failure("unreachable", "it was gone")
        assert [page.sources["stats"].values for name, page in read.pages.items() if name != "gone"] == [
            {"wanted": 0},
            {"wanted": 1},
            {},
        ]
        assert list(read.pages["a"].sources["stats"].histograms) == ["time"]
        assert read.pages["a"].sources["stats"].selection == Selection(everything=True)


def test_data_is_taken_as_ever() -> None:
    assert load_snapshot(snapshot().as_data(), WANTED) == snapshot()
    assert load_snapshot({"snapshot": snapshot().as_data()}, WANTED) == snapshot()


def test_a_snapshot_that_a_play_wrote_by_itself(tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    target.write_text(json.dumps(snapshot().as_data(), indent=2))
    assert load_snapshot(str(target), WANTED) == snapshot()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "it is on the host that wrote it"),
        ("", "is no snapshot"),
        ("# a page", "is no snapshot"),
        ('{"version": 1, "time": 1, "endpoints": {\n', "cut off"),
        ('{"version": 9, "time": 1, "endpoints": {\n}}\n', "version 9"),
        ('{"version": 1, "time": 1, "endpoints": {\n"a": 5\n}}\n', "damaged"),
    ],
)
def test_a_file_that_is_none(content: str | None, words: str, tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    if content is not None:
        target.write_text(content)
    with pytest.raises(SpecError, match=words):
        load_snapshot(str(target), WANTED)


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"snapshot_file: .* cannot be written: No such file"):
        write_snapshot(str(tmp_path / "nowhere" / "snapshot.json"), snapshot())


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").mkdir()
    with pytest.raises(SpecError, match=r"snapshot_file: .* cannot be written: Is a directory"):
        write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    assert [one.name for one in tmp_path.iterdir()] == ["snapshot.json"]


@pytest.mark.parametrize("small", [True, False], ids=["at the end", "in the middle"])
def test_no_space_left(small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is /dev/full; a small snapshot is written to it when the file is closed, and a large one before."""
    many = snapshot()
    if not small:
        many.pages["a"].sources["stats"].values = {f"stat{number}": number for number in range(10_000)}
    opened = os.fdopen

    def full(descriptor: int, *arguments: Any, **more: Any) -> Any:
        os.close(descriptor)
        return opened(os.open("/dev/full", os.O_WRONLY), *arguments, **more)

    monkeypatch.setattr("os.fdopen", full)
    with pytest.raises(SpecError, match=r"snapshot_file: .* cannot be written: No space left on device"):
        write_snapshot(str(tmp_path / "snapshot.json"), many)
    assert list(tmp_path.iterdir()) == []


def test_the_controller_says_that_it_cannot_read_it(tmp_path: Path) -> None:
    written: dict[str, Any] = write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    with pytest.raises(SpecError, match="only envoy_stats there reads it"):
        differences(written, written)
