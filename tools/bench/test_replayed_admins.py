# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the replayed responses of an Envoy admin interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from replayed_admins import Replay

STATS = [{"name": "cluster.a.upstream_rq", "value": 1}, {"name": "server.live", "value": 1}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stats.json").write_text(json.dumps({"stats": STATS}))
    (tmp_path / "server_info.json").write_text('{"state": "LIVE"}')
    return tmp_path


def names(response: bytes) -> list[str]:
    head, _blank, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    size, _end, rest = body.partition(b"\r\n")
    return [one["name"] for one in json.loads(rest[: int(size, 16)])["stats"]]


def test_filter_selects_stats(folder: Path) -> None:
    assert names(Replay(folder, whole=False).response(b"/stats?format=json&filter=%5Ecluster")) == [
        "cluster.a.upstream_rq"
    ]


def test_whole_response_ignores_the_filter(folder: Path) -> None:
    replay = Replay(folder, whole=True)
    assert names(replay.response(b"/stats?format=json&filter=%5Ecluster")) == [one["name"] for one in STATS]


def test_seen_returns_the_last_path(folder: Path) -> None:
    replay = Replay(folder, whole=False)
    assert b'"LIVE"' in replay.response(b"/server_info")
    assert b"\r\n/server_info\r\n" in replay.response(b"/seen")
