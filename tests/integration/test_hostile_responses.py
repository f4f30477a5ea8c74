# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile responses of a fake server: the modules end in time, and take less than 100 MB with their default limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_server
import pytest
from peak_memory import run_measured

MEGABYTES = 100
TIMEOUT = 4.0
# Seconds beyond the timeout: the module's own start, and a machine that is busy.
MARGIN = 5.0


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    program = Path(hostile_server.__file__)
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


def kinds(*fast: str) -> list[Any]:
    """Return all kinds of response as parameters, of which those in `fast` are part of `make test`."""
    return [
        pytest.param(kind, marks=() if kind in fast else pytest.mark.slow) for kind in hostile_server.kinds()
    ]


def address(port: int, kind: str) -> str:
    return f"http://127.0.0.1:{port}/{kind.replace(' ', '-')}"


@pytest.mark.parametrize("kind", kinds("bomb", "wide", "accepted objects", "zeros after gzip"))
def test_stats_of_a_hostile_server_take_little_memory(port: int, kind: str) -> None:
    is_text = kind in ("series", "short series", "buckets", "histograms")
    endpoint = {"name": "odd", "url": address(port, kind), "format": "prometheus" if is_text else "envoy"}
    selected = {"match": ".*", "op": "ge", "value": 0}
    assertions = [selected, {**selected, "quantile": 0.5}] if is_text else [selected]
    measured = run_measured(
        "envoy_stats", endpoints=[endpoint], assertions=assertions, request_timeout=TIMEOUT, wait=False
    )
    assert measured.megabytes < MEGABYTES
    assert measured.seconds < TIMEOUT + MARGIN
    assert len(measured.result["msg"]) < 2_000


@pytest.mark.parametrize("kind", kinds("bomb", "long header"))
def test_traffic_to_a_hostile_server_takes_little_memory(port: int, kind: str) -> None:
    traffic = {
        "url": address(port, kind),
        "requests": 16,
        "concurrency": 16,
        "timeout": TIMEOUT,
        "expect": [{"body": "[^ ]x", "op": "ge", "value": 0}],
    }
    measured = run_measured("http_traffic", traffic=[traffic])
    assert measured.megabytes < MEGABYTES
    assert measured.seconds < TIMEOUT + MARGIN


def test_bytes_after_gzip_data_are_refused(port: int) -> None:
    for kind in ("zeros after gzip", "members after gzip"):
        endpoint = {"name": "odd", "url": address(port, kind)}
        # At once on an idle machine. The timeout is long, so that a busy one does not reach it.
        measured = run_measured("envoy_stats_info", endpoints=[endpoint], request_timeout=60.0)
        assert "the response continues after the end of its gzip data" in str(measured.result)
