# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's /stats?format=json: all four ways in which it writes histograms, and numbers only where there are numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    Bucket,
    Histogram,
    HistogramError,
    from_bounds,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection

# An answer that is stats and nothing else, none of whose texts holds an escape: so there is one way to write each name. Envoy writes no
# blanks in between; whoever does is read by the general parser.
_TEXT = rb'[^"\\\x00-\x1f]*+'
_STAT = rb'\{"name":"%b","value":(?:-?(?:0|[1-9][0-9]{0,19}+)|"%b")\}' % (_TEXT, _TEXT)
_STATS = re.compile(rb'\{"stats":\[(?:%b(?:,%b)*+)?\]\}[ \t\r\n]*' % (_STAT, _STAT))
_ENTRY = re.compile(rb'\{"name":"(%b)","value":(-?(?:0|[1-9][0-9]{0,19}+)|"%b")\}' % (_TEXT, _TEXT))
_BEGIN = b'{"name":"'
# The same without its digits, where all stats are numbers, and how many quotes there are then.
_DIGITS, _FIRST, _BETWEEN, _LAST = (
    b"0123456789",
    b'{"stats":[{"name":"',
    b'","value":},{"name":"',
    b'","value":}]}',
)
_QUOTES_AROUND, _QUOTES_EACH = 2, 6
# A long answer of which little is wanted is worth being searched instead of being built.
_LONG = 4_096
_MOST_NAMES = 50_000
_LARGEST = 10**300  # no average can be taken of what no float holds
_MOST_DIGITS = 300


def parse_stats(body: bytes, selection: Selection, histograms: bool = True) -> Samples:
    """Reads what is wanted out of an answer; the last of duplicate names counts."""
    samples = Samples(selection if histograms else _without_histograms(selection))
    if not histograms and len(body) > _LONG and _pickable(selection) and _only_stats(body):
        if _pick(body, selection, samples.values):
            return samples
        samples.values.clear()
    known, values = _known(selection), samples.values
    for entry in _entries(load(body, None)):
        if "histograms" in entry:
            for name, total, interval in _histograms(entry["histograms"]):
                if selection.covers(name):
                    samples.histograms[name] = total
                    samples.intervals[name] = interval
            continue
        own, value = entry.get("name"), entry.get("value")
        if not isinstance(own, str):
            raise ScrapeError("unparsable", "a stat has no name")
        wanted = known.get(own)
        if wanted is None and own not in known:
            wanted = _remember(own, selection, known)
        if wanted is not None:
            scalar = _scalar(value)
            if scalar is not None:
                values[wanted] = scalar
    return samples


@lru_cache(maxsize=16)  # a fleet's endpoints are asked for the same
def _without_histograms(selection: Selection) -> Selection:
    return replace(selection, histograms=False)


def _pickable(selection: Selection) -> bool:
    """Whether what is wanted can be found by its bytes."""
    return (
        not selection.everything
        and all(pattern.literal for pattern in selection.patterns)
        and all(name.isascii() for name in selection.names)
    )


def _only_stats(body: bytes) -> bool:
    """Whether an answer is stats and nothing else. Counting tells it of numbers in a fifth of the time that matching takes."""
    bare = body.translate(None, _DIGITS).rstrip()
    return (
        bare.startswith(_FIRST)
        and bare.endswith(_LAST)
        and bare.count(b'"') == _QUOTES_AROUND + _QUOTES_EACH * (bare.count(_BETWEEN) + 1)
        and b"\\" not in bare
    ) or _STATS.fullmatch(body) is not None


def _pick(body: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Finds what is wanted without building the rest; False where only reading all of it tells.

    A quote is nowhere but around a text, so `_BEGIN` is where a stat begins.
    """
    for name in selection.names:
        place = body.rfind(_BEGIN + name.encode() + b'","value":')
        if place >= 0:
            entry = _ENTRY.match(body, place)
            if entry is None:
                return False
            values[name] = _value(entry.group(2))
    return all(_with_literal(body, one.literal.encode(), selection, values) for one in selection.patterns)


def _with_literal(body: bytes, literal: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Reads only those stats that hold what a pattern cannot do without: most of an answer is so never taken apart."""
    place = body.find(literal, len(_FIRST))
    while place >= 0:
        entry = _ENTRY.match(body, body.rfind(_BEGIN, 0, place))
        if entry is None:
            return False
        name = _text(entry.group(1))
        if selection.covers(name):
            values[name] = _value(entry.group(2))
        place = body.find(literal, max(entry.end(), place + 1))
    return True


def _value(raw: bytes) -> Scalar:
    return raw[1:-1].decode("utf-8", "replace") if raw[:1] == b'"' else int(raw)


@lru_cache(maxsize=50_000)
def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


@lru_cache(maxsize=16)
def _known(selection: Selection) -> dict[str, str | None]:
    """A fleet's endpoints have the same names: one text each, and one look at the selection; None for what is not wanted."""
    del selection
    return {}


def _remember(own: str, selection: Selection, known: dict[str, str | None]) -> str | None:
    name = _printable(own)
    wanted = name if selection.covers(name) else None
    if len(known) < _MOST_NAMES:
        known[own] = wanted
    return wanted


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def load(body: bytes, integer: Callable[[str], int | float] | None = _integer) -> Any:
    """JSON, with what is wrong said in one sentence. Bytes that are no UTF-8 become U+FFFD."""
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=integer)
    except RecursionError:
        raise ScrapeError("unparsable", "the answer is no sensible JSON: it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ScrapeError(
            "unparsable", f"the answer is no JSON ({error}); it begins with {glimpse(body)}"
        ) from None
    except ValueError:  # a number with more digits than Python reads by itself, which is quicker
        return load(body)


def glimpse(body: bytes) -> str:
    """The beginning of an answer, fit for a message."""
    return repr(body[:60].decode("ascii", "replace").strip()) if body else "nothing"


def _entries(data: Any) -> Iterator[Mapping[str, Any]]:
    stats = data.get("stats") if isinstance(data, Mapping) else None
    if not isinstance(stats, list):
        raise ScrapeError("unparsable", "the answer is JSON, but not Envoy's: it has no list named stats")
    for entry in stats:
        if not isinstance(entry, dict):
            raise ScrapeError("unparsable", "the answer is JSON, but not Envoy's: a stat is no object")
        yield entry


def _scalar(value: Any) -> Scalar | None:
    """A number or a text; null, NaN and what is as good as infinite are no readings."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value if -_LARGEST < value < _LARGEST else None
    return _printable(value) if isinstance(value, str) else None


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
    return Histogram(tuple(sorted(read)), lower_inclusive=True)


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
