# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of the fuzzer: each parser reads any bytes or raises its own exception, and two ways to read the same bytes agree."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import cast

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.clusters_info import read_clusters
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import (
    Automaton,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_parser import (
    PatternError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import (
    HttpResponse,
    send_request,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.admin_pages import parse_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import parse_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import parse_identity
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.prometheus_text import (
    parse_series,
    parse_text,
    series,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.promql import parse_response
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Selection,
    read_snapshot,
)

EVERYTHING = Selection(everything=True)
PATTERNS = (compile_pattern(".*a.*", "match"), compile_pattern(r"cluster\..*", "match"))
PADDING = b" " * 4_096  # makes a response long
PAGES = ("server_info", "clusters", "listeners", "certs", "config", "runtime")


class PiecewiseStream(Stream):
    """A connection that returns a response in pieces of a fixed size."""

    def __init__(self, response: bytes, size: int) -> None:
        super().__init__(cast(socket.socket, None))
        self._pieces = iter([response[start : start + size] for start in range(0, len(response), size)])

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self) -> bytes:
        return next(self._pieces, b"")


def parse_http(response: bytes, size: int, limit: int = 4_096) -> HttpResponse | str:
    """Return the parsed response or the kind of its failure. The coroutine never waits, so it needs no event loop."""
    coroutine = send_request(PiecewiseStream(response, size), "/stats", "localhost", (), limit)
    try:
        while True:
            coroutine.send(None)
    except StopIteration as done:
        parsed: HttpResponse = done.value
        return parsed
    except ScrapeError as error:
        return error.kind
    except EOFError:
        return "end of stream"


def http(data: bytes) -> None:
    """Parse a response at once and in pieces, whose size is the first byte."""
    whole, pieces = parse_http(data[1:], len(data) or 1), parse_http(data[1:], 1 + (data[0] if data else 0))
    if whole != pieces:
        raise AssertionError(f"at once {whole!r}, in pieces {pieces!r}")


def envoy_json(data: bytes) -> None:
    """Compare the complete parse of a page with the selective parse, of a short and of a long page."""
    try:
        whole = parse_stats(data, EVERYTHING, histograms=True)
    except ScrapeError:
        return
    json.dumps(whole.as_data(), allow_nan=False)
    picked = parse_stats(data, EVERYTHING, histograms=False)
    if picked.values != whole.values:
        raise AssertionError(f"expected {whole.values!r}, got {picked.values!r}")
    selection = Selection(frozenset([*list(whole.values)[:3], "missing"]), PATTERNS)
    expected = {name: value for name, value in whole.values.items() if selection.covers(name)}
    found = parse_stats(data + PADDING, selection, histograms=False)
    if found.values != expected:
        raise AssertionError(f"expected {expected!r}, got {found.values!r}")


def prometheus_text(data: bytes) -> None:
    """Parse a page, and compare each series with its own text."""
    with contextlib.suppress(ScrapeError):
        for key in parse_text(data, EVERYTHING).values:
            if series(*parse_series(key)) != key:
                raise AssertionError(f"{key!r} is not parsed back")


def promql(data: bytes) -> None:
    """Parse a response, and write its samples as JSON."""
    with contextlib.suppress(ScrapeError):
        json.dumps(parse_response(data, "query").as_data(), allow_nan=False)


def admin_pages(data: bytes) -> None:
    """Parse each page, and write its readings as JSON."""
    with contextlib.suppress(ScrapeError):
        parse_identity(data, 1.0, 0.1)
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    for source in PAGES:
        with contextlib.suppress(ScrapeError):
            json.dumps(parse_data(source, decoded), allow_nan=False)
    with contextlib.suppress(ScrapeError):
        json.dumps(read_clusters(decoded), allow_nan=False)


def snapshot(data: bytes) -> None:
    """Read data as a snapshot."""
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(ArgumentError):
        read_snapshot(decoded).as_data()


def pattern(data: bytes) -> None:
    """Match a name with a pattern, separated by a newline: both engines agree, and a matching name contains the literal."""
    source, _end, name = data.decode("utf-8", "replace").partition("\n")
    try:
        compiled = compile_pattern(source[:60], "match")
        automaton = Automaton(source[:60])
    except (ArgumentError, PatternError):
        return
    matches = compiled.matches(name[:60])
    if matches != automaton.fullmatch(name[:60]):
        raise AssertionError(f"the engines differ on {source[:60]!r} and {name[:60]!r}")
    if matches and compiled.literal not in name[:60]:
        raise AssertionError(f"{compiled.literal!r} is not in {name[:60]!r}, which {source[:60]!r} matches")


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (http, envoy_json, prometheus_text, promql, admin_pages, snapshot, pattern)
}
__all__ = ["TARGETS", "parse_http"]
