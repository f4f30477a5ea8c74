# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse Envoy's `/stats?format=json`, with each of its four histogram formats."""

from __future__ import annotations

import json
import math
import re
from collections import deque
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

# A response of stats only, without an escape in any string, so that each name has one spelling. Envoy writes no blanks between
# tokens; a response with blanks is read by the general parser.
_TEXT = rb'[^"\\\x00-\x1f]*'
_STAT = rb'\{"name":"%b","value":(?:-?(?:0|[1-9][0-9]{0,19})|"%b")\}' % (_TEXT, _TEXT)
# Python 3.9 has no possessive quantifiers. The limit of 500 bounds the memory that a match needs to backtrack.
_SOME_STATS = re.compile(rb"(?:%b,){1,500}" % _STAT)
_LAST_STAT = re.compile(rb"%b\]\}[ \t\r\n]*" % _STAT)
_NO_STATS = re.compile(rb'\{"stats":\[\]\}[ \t\r\n]*')
_ENTRY = re.compile(rb'\{"name":"(%b)","value":(-?(?:0|[1-9][0-9]{0,19})|"%b")\}' % (_TEXT, _TEXT))
_BEGIN_OF_STATS = b'{"stats":['
_BEGIN = b'{"name":"'
# The parts of such a response without its digits, if all values are numbers, and the number of quotes.
_DIGITS, _FIRST, _BETWEEN, _LAST = (
    b"0123456789",
    b'{"stats":[{"name":"',
    b'","value":},{"name":"',
    b'","value":}]}',
)
_QUOTES_AROUND, _QUOTES_EACH = 2, 6
# Bytes. A longer response with a small selection is searched instead of decoded.
_LONG = 4_096
_MAX_NAMES = 50_000
_MAX_COUNTED = 500_000  # bytes of each response in _counted
# The last responses without their digits that have stats only, such as those of an edge proxy and of a sidecar.
_counted: deque[bytes] = deque(maxlen=4)
_LARGEST = 10**300  # larger integers cannot be averaged as floats
_MAX_DIGITS = 300


def parse_stats(body: bytes, selection: Selection, histograms: bool = True) -> Samples:
    """Return the selected stats of a response. Of duplicate names the last one counts.

    Args:
        body: The response body.
        selection: The stats to return.
        histograms: Whether to read histograms. Without them, a long response is searched instead of decoded.

    Raises:
        ScrapeError: Kind `unparsable`.
    """
    samples = Samples(selection if histograms else _without_histograms(selection))
    if not histograms and len(body) > _LONG and _pickable(selection) and _only_stats(body):
        if _pick(body, selection, samples.values):
            return samples
        samples.values.clear()
    known, values = _known(selection), samples.values
    for entry in _entries(load(body, None)):
        if "histograms" in entry:
            for histogram_name, total, interval in _histograms(entry["histograms"]):
                if selection.covers(histogram_name):
                    samples.histograms[histogram_name] = total
                    samples.intervals[histogram_name] = interval
            continue
        raw_name, value = entry.get("name"), entry.get("value")
        if not isinstance(raw_name, str):
            raise ScrapeError("unparsable", "a stat in the response has no name")
        name = known.get(raw_name)
        if name is None and raw_name not in known:
            name = _remember(raw_name, selection, known)
        if name is not None:
            scalar = _scalar(value)
            if scalar is not None:
                values[name] = scalar
    return samples


@lru_cache(maxsize=16)  # the endpoints of a fleet have equal selections
def _without_histograms(selection: Selection) -> Selection:
    return replace(selection, histograms=False)


def _pickable(selection: Selection) -> bool:
    """Return whether each selected stat contains known bytes."""
    return (
        not selection.everything
        and all(pattern.literal for pattern in selection.patterns)
        and all(name.isascii() for name in selection.names)
    )


def _only_stats(body: bytes) -> bool:
    """Return whether a response has stats only.

    If all values are numbers, counting takes a fifth of the time of matching. What is counted does not depend on digits, so a response
    that differs from an earlier one only in digits needs no count: the endpoints of a fleet have equal names.
    """
    bare = body.translate(None, _DIGITS).rstrip()
    if bare in _counted:
        return True
    if (
        bare.startswith(_FIRST)
        and bare.endswith(_LAST)
        and bare.count(b'"') == _QUOTES_AROUND + _QUOTES_EACH * (bare.count(_BETWEEN) + 1)
        and b"\\" not in bare
    ):
        if len(bare) <= _MAX_COUNTED:
            _counted.appendleft(bare)
        return True
    return _matches_stats(body)


def _matches_stats(body: bytes) -> bool:
    position = len(_BEGIN_OF_STATS)
    if not body.startswith(_BEGIN_OF_STATS):
        return False
    while some := _SOME_STATS.match(body, position):
        position = some.end()
    return (_LAST_STAT.fullmatch(body, position) or _NO_STATS.fullmatch(body)) is not None


def _pick(body: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Search the selected stats and store their values; return False if the response has to be decoded.

    Quotes occur only around strings, so `_BEGIN` is the beginning of a stat.
    """
    for name in selection.names:
        position = body.rfind(_BEGIN + name.encode() + b'","value":')
        if position >= 0:
            entry = _ENTRY.match(body, position)
            if entry is None:
                return False
            values[name] = _value(entry.group(2))
    return all(
        _pick_by_literal(body, pattern.literal.encode(), selection, values) for pattern in selection.patterns
    )


def _pick_by_literal(body: bytes, literal: bytes, selection: Selection, values: dict[str, Scalar]) -> bool:
    """Store the values of the selected stats that contain a pattern's literal; the other stats are not decoded."""
    position = body.find(literal, len(_FIRST))
    while position >= 0:
        entry = _ENTRY.match(body, body.rfind(_BEGIN, 0, position))
        if entry is None:
            return False
        name = _text(entry.group(1))
        if selection.covers(name):
            values[name] = _value(entry.group(2))
        position = body.find(literal, max(entry.end(), position + 1))
    return True


def _value(raw: bytes) -> Scalar:
    return raw[1:-1].decode("utf-8", "replace") if raw[:1] == b'"' else int(raw)


@lru_cache(maxsize=50_000)
def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


@lru_cache(maxsize=16)
def _known(selection: Selection) -> dict[str, str | None]:
    """Return the cache of a selection: each stat's name as it is stored, or None if it is not selected.

    The endpoints of a fleet have equal names: each is stored once, and compared with the selection once.
    """
    del selection
    return {}


def _remember(raw_name: str, selection: Selection, known: dict[str, str | None]) -> str | None:
    text = _printable(raw_name)
    name = text if selection.covers(text) else None
    if len(known) < _MAX_NAMES:
        known[raw_name] = name
    return name


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def load(body: bytes, integer: Callable[[str], int | float] | None = _integer) -> Any:
    """Return the decoded JSON. Bytes that are not UTF-8 become U+FFFD. Raises ScrapeError with one sentence."""
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=integer)
    except RecursionError:
        raise ScrapeError("unparsable", "the response is JSON that is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ScrapeError(
            "unparsable", f"the response is not JSON ({error}): it begins with {glimpse(body)}"
        ) from None
    except ValueError:  # an integer with more digits than Python's int accepts; int is faster than _integer
        return load(body)


def glimpse(body: bytes) -> str:
    """Return the beginning of a response for a message."""
    return repr(body[:60].decode("ascii", "replace").strip()) if body else "nothing"


def _entries(data: Any) -> Iterator[Mapping[str, Any]]:
    stats = data.get("stats") if isinstance(data, Mapping) else None
    if not isinstance(stats, list):
        raise ScrapeError("unparsable", "the response is JSON, but not Envoy's: it has no list `stats`")
    for entry in stats:
        if not isinstance(entry, dict):
            raise ScrapeError("unparsable", "the response is JSON, but not Envoy's: a stat is not an object")
        yield entry


def _scalar(value: Any) -> Scalar | None:
    """Return a number or a string; None for null, NaN and numbers that are too large for a float."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value if -_LARGEST < value < _LARGEST else None
    return _printable(value) if isinstance(value, str) else None


def _printable(text: str) -> str:
    """Return the text with U+FFFD in place of half surrogate pairs, which cannot be encoded."""
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
            "unparsable", f"a histogram in the response cannot be parsed ({type(error).__name__}: {error})"
        ) from None


def _named(entry: Any) -> str:
    name = entry["name"]
    if not isinstance(name, str):
        raise HistogramError("no name")
    return _printable(name)


def _detailed(buckets: Any) -> Histogram:
    read: list[Bucket] = []
    for bucket in buckets:
        lower, width, count = float(bucket["lower_bound"]), float(bucket["width"]), _count(bucket["count"])
        if not math.isfinite(lower + width):
            raise HistogramError("a bucket is not a number")
        # For negative numbers, Envoy's lower_bound is the bound nearer to zero. The rounding makes equal bounds equal floats.
        other = float(f"{lower + width:.9g}")
        read.append((min(lower, other), max(lower, other), count))
    return Histogram(tuple(sorted(read)), lower_inclusive=True)


def _bounded(buckets: Any) -> tuple[Histogram, Histogram]:
    bounds = [
        (float(bucket["upper_bound"]), _count(bucket["cumulative"] or 0), _count(bucket["interval"] or 0))
        for bucket in buckets
    ]
    if any(math.isnan(bound) for bound, _total, _interval in bounds):
        raise HistogramError("a bucket is not a number")
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
        raise HistogramError("a bucket is not a number")
    return value
