# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fuzzed: each parser reads any bytes or refuses them by its own exception, and two ways of reading agree."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from typing import cast

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.clusters_info import read_clusters
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2_automaton import Automaton
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
MUCH = b" " * 4_096  # makes a long answer of it
FACTS = ("server_info", "clusters", "listeners", "certs", "config", "runtime")


class Pieces(Stream):
    """What a server says, in pieces of a size."""

    def __init__(self, said: bytes, size: int) -> None:
        super().__init__(cast(socket.socket, None))
        self._pieces = iter([said[place : place + size] for place in range(0, len(said), size)])

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self) -> bytes:
        return next(self._pieces, b"")


def asked(said: bytes, size: int, limit: int = 4_096) -> HttpResponse | str:
    """What `ask` makes of it: an answer, or the kind of a failure. Nothing is waited for, so that takes no loop."""
    asking = send_request(Pieces(said, size), "/stats", "localhost", (), limit)
    try:
        while True:
            asking.send(None)
    except StopIteration as done:
        answer: HttpResponse = done.value
        return answer
    except ScrapeError as error:
        return error.kind
    except EOFError:
        return "the end"


def http(data: bytes) -> None:
    """An answer is the same whether it comes at once or in pieces, whose size the first byte says."""
    whole, pieces = asked(data[1:], len(data) or 1), asked(data[1:], 1 + (data[0] if data else 0))
    if whole != pieces:
        raise AssertionError(f"at once {whole!r}, in pieces {pieces!r}")


def envoy_json(data: bytes) -> None:
    """What is found without building everything is what is there, in short answers and in long ones."""
    try:
        whole = parse_stats(data, EVERYTHING, histograms=True)
    except ScrapeError:
        return
    json.dumps(whole.as_data(), allow_nan=False)
    picked = parse_stats(data, EVERYTHING, histograms=False)
    if picked.values != whole.values:
        raise AssertionError(f"{picked.values!r} was picked, {whole.values!r} is there")
    wanted = Selection(frozenset([*list(whole.values)[:3], "not.there"]), PATTERNS)
    there = {name: value for name, value in whole.values.items() if wanted.covers(name)}
    found = parse_stats(data + MUCH, wanted, histograms=False)
    if found.values != there:
        raise AssertionError(f"{found.values!r} was found, {there!r} is there")


def prometheus_text(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        for key in parse_text(data, EVERYTHING).values:
            if series(*parse_series(key)) != key:
                raise AssertionError(f"{key!r} is not read back")


def promql(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        json.dumps(parse_response(data, "query").as_data(), allow_nan=False)


def facts(data: bytes) -> None:
    with contextlib.suppress(ScrapeError):
        parse_identity(data, 1.0, 0.1)
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    for source in FACTS:
        with contextlib.suppress(ScrapeError):
            json.dumps(parse_data(source, decoded), allow_nan=False)
    with contextlib.suppress(ScrapeError):
        json.dumps(read_clusters(decoded), allow_nan=False)


def snapshot(data: bytes) -> None:
    try:
        decoded = json.loads(data)
    except (ValueError, RecursionError):
        return
    with contextlib.suppress(SpecError):
        read_snapshot(decoded).as_data()


def pattern(data: bytes) -> None:
    """A pattern and a name, parted by a line's end: both engines agree, and the literal is in what matches."""
    source, _end, name = data.decode("utf-8", "replace").partition("\n")
    try:
        compiled = compile_pattern(source[:60], "match")
        automaton = Automaton(source[:60])
    except SpecError:
        return
    matches = compiled.matches(name[:60])
    if matches != automaton.fullmatch(name[:60]):
        raise AssertionError(f"the engines differ on {source[:60]!r} and {name[:60]!r}")
    if matches and compiled.literal not in name[:60]:
        raise AssertionError(f"{compiled.literal!r} is not in {name[:60]!r}, which {source[:60]!r} matches")


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (http, envoy_json, prometheus_text, promql, facts, snapshot, pattern)
}
__all__ = ["TARGETS", "asked"]
