# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's /stats?format=json: all four ways in which it writes histograms, and numbers only where there are numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.stats.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.histogram import (
    Bucket,
    Histogram,
    HistogramError,
    from_bounds,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.reading import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils.stats.snapshot import Samples, Selection

# Envoy writes no blanks between these; whoever does is read by the general parser.
_TEXT = rb'[^"\\]*(?:\\.[^"\\]*)*'
_ENTRY = re.compile(rb'\{"name":"(%b)","value":(-?[0-9]{1,20}|"%b")\}' % (_TEXT, _TEXT))
_HEAD, _TAIL = b'{"stats":[', b"]}"
# A long answer of which little is wanted is worth being searched instead of being built.
_LONG = 4_096
_BEGIN = b'{"name":"'
_AROUND = len(b'{"name":"","value":},')
_MOST_NAMES = 50_000
_MOST_DIGITS = 300  # no average can be taken of what no float holds


def parse_stats(body: bytes, selection: Selection, histograms: bool = True) -> Samples:
    """Reads what is wanted out of an answer; the last of duplicate names counts."""
    samples = Samples(selection)
    if not histograms and _plain(body):
        pick = _picked if len(body) > _LONG else _short
        if pick(body, selection, samples.values):
            return samples
    for entry in _entries(load(body)):
        if "histograms" in entry:
            for name, total, interval in _histograms(entry["histograms"]):
                if selection.covers(name):
                    samples.histograms[name] = total
                    samples.intervals[name] = interval
            continue
        own, value = entry.get("name"), entry.get("value")
        if not isinstance(own, str):
            raise ScrapeError("unparsable", "a stat has no name")
        name = _printable(own)
        if selection.covers(name):
            scalar = _scalar(value)
            if scalar is not None:
                samples.values[name] = scalar
    return samples


def _picked(body: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Finds what is wanted without building the rest; False where only reading all of it tells."""
    literals = [pattern.literal.encode() for pattern in selection.patterns]
    if selection.everything or not all(literals) or (literals and b"\\" in body):
        _sort(_ENTRY.findall(body), selection, values)
        return True
    for name in selection.names:
        if not (name.isascii() and name.isprintable()) or '"' in name or "\\" in name:
            values.clear()
            return False  # more than one way to write it
        # In JSON a quote inside a text is escaped, so this is found nowhere but where a stat begins.
        place = body.rfind(_BEGIN + name.encode() + b'","value":')
        entry = _ENTRY.match(body, place) if place >= 0 else None
        if entry is None:
            values.clear()
            return False
        values[name] = _value(entry.group(2))
    for literal in literals:
        _with_literal(body, literal, selection, values)
    return True


def _short(body: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Reads an answer that holds stats and nothing else, which every byte of it has to bear out."""
    entries = _ENTRY.findall(body)
    lengths = sum(len(raw) + len(value) for raw, value in entries)
    if lengths + _AROUND * len(entries) + len(_HEAD) + len(_TAIL) - bool(entries) != len(body.rstrip()):
        return False
    _sort(entries, selection, values)
    return True


def _sort(entries: list[tuple[bytes, bytes]], selection: Selection, values: dict[str, Scalar]) -> None:
    names = _chosen(selection)
    for raw, value in entries:
        name = names.get(raw)
        if name is None and raw not in names:
            name = _text(raw)
            name = name if selection.covers(name) else None
            if len(names) < _MOST_NAMES:
                names[raw] = name
        if name is not None:
            values[name] = _value(value)


def _with_literal(body: bytes, literal: bytes, selection: Selection, values: dict[str, Scalar]) -> None:
    """Reads only those stats that hold what a pattern cannot do without: most of an answer is so never taken apart."""
    place = body.find(literal)
    while place >= 0:
        entry = _ENTRY.match(body, max(0, body.rfind(_BEGIN, 0, place)))
        if entry is not None:
            name = _remembered(entry.group(1))
            if selection.covers(name):
                values[name] = _value(entry.group(2))
        place = body.find(literal, max(entry.end() if entry else 0, place + 1))


def _value(raw: bytes) -> Scalar:
    return _text(raw[1:-1]) if raw[:1] == b'"' else int(raw)


@lru_cache(maxsize=16)
def _chosen(selection: Selection) -> dict[bytes, str | None]:
    """A fleet's endpoints have the same names: one text each, and one look at the selection; None for what is not wanted."""
    del selection
    return {}


@lru_cache(maxsize=50_000)
def _remembered(raw: bytes) -> str:
    return _text(raw)


def load(body: bytes) -> Any:
    """JSON, with what is wrong said in one sentence. Bytes that are no UTF-8 become U+FFFD."""
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=_integer)
    except RecursionError:
        raise ScrapeError("unparsable", "the answer is no sensible JSON: it is nested too deeply") from None
    except ValueError as error:
        raise ScrapeError(
            "unparsable", f"the answer is no JSON ({error}); it begins with {glimpse(body)}"
        ) from None


def glimpse(body: bytes) -> str:
    """The beginning of an answer, fit for a message."""
    return repr(body[:60].decode("ascii", "replace").strip()) if body else "nothing"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _plain(body: bytes) -> bool:
    """Whether an answer is what Envoy writes, and whole."""
    return body.startswith(_HEAD) and body.rstrip().endswith(_TAIL)


def _text(raw: bytes) -> str:
    if b"\\" in raw:
        try:
            decoded = json.loads('"' + raw.decode("utf-8", "replace") + '"')
        except ValueError:
            raise ScrapeError("unparsable", f"the answer is no JSON, near {glimpse(raw)}") from None
        return _printable(str(decoded))
    return raw.decode("utf-8", "replace")


def _entries(data: Any) -> Iterator[Mapping[str, Any]]:
    stats = data.get("stats") if isinstance(data, Mapping) else None
    if not isinstance(stats, list):
        raise ScrapeError("unparsable", "the answer is JSON, but not Envoy's: it has no list named stats")
    for entry in stats:
        if not isinstance(entry, Mapping):
            raise ScrapeError("unparsable", "the answer is JSON, but not Envoy's: a stat is no object")
        yield entry


def _scalar(value: Any) -> Scalar | None:
    """A number or a text; null, NaN and the infinite are no readings."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return _printable(value)
    return value if isinstance(value, (int, float)) else None


def _printable(text: str) -> str:
    """Half a surrogate pair is nothing to print."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _histograms(data: Any) -> Iterator[tuple[str, Histogram, Histogram]]:
    try:
        if isinstance(data, list):
            for entry in data:
                if "buckets" in entry:
                    yield _named(entry), *_bounded(entry["buckets"])
        elif isinstance(data, Mapping):
            for entry in data.get("details", ()):
                yield _named(entry), _detailed(entry["totals"]), _detailed(entry["intervals"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ScrapeError(
            "unparsable", f"a histogram cannot be read ({type(error).__name__}: {error})"
        ) from None


def _named(entry: Any) -> str:
    name = entry["name"]
    if not isinstance(name, str):
        raise HistogramError("it has no name")
    return _printable(name)


def _detailed(buckets: Any) -> Histogram:
    read: list[Bucket] = []
    for bucket in buckets:
        lower, width, count = float(bucket["lower_bound"]), float(bucket["width"]), _count(bucket["count"])
        if not math.isfinite(lower + width):
            raise HistogramError("a bucket is no number")
        # Of negative numbers Envoy gives the bound nearer to zero; the rounding keeps 0.1 + 0.2 the same number each time.
        other = float(f"{lower + width:.9g}")
        read.append((min(lower, other), max(lower, other), count))
    return Histogram(tuple(sorted(read)))


def _bounded(buckets: Any) -> tuple[Histogram, Histogram]:
    bounds = [
        (float(one["upper_bound"]), _count(one["cumulative"] or 0), _count(one["interval"] or 0))
        for one in buckets
    ]
    if any(math.isnan(bound) for bound, _total, _interval in bounds):
        raise HistogramError("a bucket is no number")
    return (
        from_bounds([(bound, total) for bound, total, _interval in bounds]),
        from_bounds([(bound, interval) for bound, _total, interval in bounds]),
    )


def _count(value: Any) -> int | float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or value < 0
    ):
        raise HistogramError("a bucket is no number")
    return value
