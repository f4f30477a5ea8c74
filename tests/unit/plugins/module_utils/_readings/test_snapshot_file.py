# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots in files: writing, reading, and reading a part."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity, Samples
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import differences
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Page,
    Selection,
    Snapshot,
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
        {"stat": "selected", "of": "delta", "op": "eq", "value": 1},
        {"stat": "time", "of": "delta", "quantile": 0.5, "op": "lt", "value": 1},
    ]
)
QUERIES = required_queries(ASSERTIONS, ENDPOINTS)


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
                    {"selected": number, 'odd\n"name" {': "text", "other": 2**70},
                    {"time": histogram, "other time": histogram},
                )
            },
            Identity("1.40.0", "LIVE", 5.0, 95.5, 0),
        )
        for number, name in enumerate(("a", "b", "without a query"))
    }
    pages["gone"] = Page("gone", "envoy", 100.0, failure=Failure("unreachable", "connection refused"))
    return Snapshot(100.0, pages)


def test_file_is_the_json_of_the_snapshot(tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    target.write_text("an earlier snapshot")
    write_snapshot(str(target), snapshot())
    data, written = snapshot().as_data(), json.loads(target.read_text())
    # A file has the selections of each endpoint on its line, because it is written before all of them are known.
    assert written == {
        "version": data["version"],
        "time": data["time"],
        "endpoints": {name: page.as_data() for name, page in snapshot().pages.items()},
    }
    assert read_snapshot(json.loads(target.read_text())) == snapshot()
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.json"]


def test_only_queried_readings_are_kept(tmp_path: Path) -> None:
    written = write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    for given in (written["file"], written, {"snapshot": written, "changed": False}):
        read = load_snapshot(given, QUERIES)
        assert {name: page.identity for name, page in read.pages.items()} == {
            name: page.identity for name, page in snapshot().pages.items()
        }
        assert read.pages["gone"].failure == Failure("unreachable", "connection refused")
        assert [page.sources["stats"].values for name, page in read.pages.items() if name != "gone"] == [
            {"selected": 0},
            {"selected": 1},
            {},
        ]
        assert list(read.pages["a"].sources["stats"].histograms) == ["time"]
        assert read.pages["a"].sources["stats"].selection == Selection(everything=True)


def test_data_is_read_as_a_whole() -> None:
    assert load_snapshot(snapshot().as_data(), QUERIES) == snapshot()
    assert load_snapshot({"snapshot": snapshot().as_data()}, QUERIES) == snapshot()


def test_file_without_lines_is_read(tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    target.write_text(json.dumps(snapshot().as_data(), indent=2))
    assert load_snapshot(str(target), QUERIES) == snapshot()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: no such file or directory. The file is on the host that wrote it"),
        ("", "is not a snapshot"),
        ("# a page", "is not a snapshot"),
        ('{"version": 1, "time": 1, "endpoints": {\n', "cut off"),
        ('{"version": 9, "time": 1, "endpoints": {\n}}\n', "expected a snapshot of version 1, got 9"),
        ('{"version": 1, "time": 1, "endpoints": {\n"a": 5\n}}\n', "damaged"),
    ],
)
def test_wrong_file_is_refused(content: str | None, message: str, tmp_path: Path) -> None:
    target = tmp_path / "snapshot.json"
    if content is not None:
        target.write_text(content)
    with pytest.raises(ArgumentError, match=message):
        load_snapshot(str(target), QUERIES)


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"snapshot_file: .* cannot be written: no such file"):
        write_snapshot(str(tmp_path / "nowhere" / "snapshot.json"), snapshot())


def test_folder_at_the_path_is_reported(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").mkdir()
    with pytest.raises(ArgumentError, match=r"snapshot_file: .* cannot be written: is a directory"):
        write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot.json"]


@pytest.mark.parametrize("small", [True, False], ids=["at the end", "in the middle"])
def test_full_disk_is_reported(small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is /dev/full. A small snapshot is written when the file is closed, and a large one before."""
    many = snapshot()
    if not small:
        many.pages["a"].sources["stats"].values = {f"stat{number}": number for number in range(10_000)}
    opened = os.fdopen

    def full(descriptor: int, *arguments: Any, **more: Any) -> Any:
        os.close(descriptor)
        return opened(os.open("/dev/full", os.O_WRONLY), *arguments, **more)

    monkeypatch.setattr("os.fdopen", full)
    with pytest.raises(ArgumentError, match=r"snapshot_file: .* cannot be written: no space left on device"):
        write_snapshot(str(tmp_path / "snapshot.json"), many)
    assert list(tmp_path.iterdir()) == []


def test_filter_refuses_a_snapshot_in_a_file(tmp_path: Path) -> None:
    written: dict[str, Any] = write_snapshot(str(tmp_path / "snapshot.json"), snapshot())
    with pytest.raises(ArgumentError, match="Use it as since of envoy_stats on that host"):
        differences(written, written)
