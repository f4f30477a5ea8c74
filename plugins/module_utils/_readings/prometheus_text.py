# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse and write Prometheus' text format: counters, gauges, histograms and summaries, each series by name and labels."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import (
    HistogramError,
    from_bounds,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Samples, Selection

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:.]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,?)')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_ESCAPE = re.compile(r"\\.")
_BUCKET = "_bucket"
_MAX_HISTOGRAMS = 20_000  # of one page; each takes 1.4 kB

Labels = dict[str, str]


def parse_text(body: bytes, selection: Selection) -> Samples:
    """Return the selected series of a page.

    Args:
        body: The page.
        selection: Names of metrics without labels; for a histogram, its name without `_bucket`.

    Returns:
        Values, histograms and kinds by series, as `series` writes it.

    Raises:
        ScrapeError: The page is not in Prometheus' format (kind `unparsable`).
    """
    types: dict[str, str] = {}
    buckets: dict[tuple[str, tuple[tuple[str, str], ...]], list[tuple[float, float]]] = {}
    sums: dict[str, float] = {}
    samples = Samples(selection)
    for raw_line in io.BytesIO(body):  # shares the memory of the body
        line = raw_line.decode("utf-8", "replace").removesuffix("\n")
        if line.startswith("#"):
            words = line.split(None, 3)
            if len(words) == 4 and words[1] == "TYPE":
                types[words[2]] = words[3].strip()
            continue
        if not line.strip():
            continue
        name, labels, value = parse_line(line)
        family = _family(name, types)
        if family is not None and "le" in labels and name.endswith(_BUCKET):
            if selection.covers(family):
                bound = _number(labels.pop("le"))
                buckets.setdefault((family, tuple(sorted(labels.items()))), []).append((bound, value))
                if len(buckets) > _MAX_HISTOGRAMS:
                    raise ScrapeError(
                        "too_large",
                        f"more than {_MAX_HISTOGRAMS} histograms are selected; select fewer of them",
                    )
            continue
        if family is not None and name == f"{family}_sum" and selection.covers(family):
            sums[series(family, labels)] = value
        if not (selection.covers(name) or (family is not None and selection.covers(family))):
            continue
        if math.isnan(value) or math.isinf(value):
            continue
        key = series(name, labels)
        samples.values[key] = int(value) if value.is_integer() and abs(value) < 2**53 else value
        kind = types.get(name) or ("counter" if family is not None and name != family else "")
        if kind in ("counter", "gauge"):
            samples.kinds[key] = kind
    for (family, pairs), bounds in buckets.items():
        key = series(family, dict(pairs))
        total = sums.get(key)
        try:
            samples.histograms[key] = from_bounds(
                bounds, total if total is None or math.isfinite(total) else None
            )
        except HistogramError as error:
            raise ScrapeError("unparsable", f"histogram {key} cannot be parsed: {error}") from None
    return samples


def parse_line(line: str) -> tuple[str, Labels, float]:
    """Return the name, labels and value of a sample; a timestamp or exemplar after it is ignored. Raises ScrapeError."""
    found = _NAME.match(line)
    if found is None:
        raise _unreadable(line)
    name, position = found.group(), found.end()
    labels: Labels = {}
    if line[position : position + 1] == "{":
        labels, position = _labels(line, position + 1)
    fields = line[position:].split()
    # A timestamp can follow the value, and in OpenMetrics an exemplar.
    if not fields or (len(fields) > 2 and "#" not in fields[1:3]):
        raise _unreadable(line)
    return name, labels, _number(fields[0])


def series(name: str, labels: Mapping[str, str]) -> str:
    """Return the text of a series, with its labels sorted by name."""
    if not labels:
        return name
    written = ",".join(f'{key}="{_escaped(labels[key])}"' for key in sorted(labels))
    return f"{name}{{{written}}}"


def parse_series(text: str) -> tuple[str, Labels]:
    """Return the name and labels in a text that `series` returned."""
    name, brace, _rest = text.partition("{")
    return (name, _labels(text, len(name) + 1)[0]) if brace else (text, {})


def _labels(line: str, position: int) -> tuple[Labels, int]:
    labels: Labels = {}
    while True:
        found = _LABEL.match(line, position)
        if found is None:
            break
        labels[found.group(1)] = _ESCAPE.sub(
            lambda escape: _ESCAPES.get(escape.group(), escape.group()), found.group(2)
        )
        position = found.end()
        if not found.group(3):
            break
    closing = re.compile(r"\s*\}").match(line, position)
    if closing is None:
        raise _unreadable(line)
    return labels, closing.end()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _family(name: str, types: Mapping[str, str]) -> str | None:
    """Return the name of the histogram or summary that a sample belongs to; None if it is neither."""
    if types.get(name) == "summary":
        return name
    for suffix in (_BUCKET, "_sum", "_count"):
        if name.endswith(suffix) and types.get(name[: -len(suffix)]) in ("histogram", "summary"):
            return name[: -len(suffix)]
    return None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ScrapeError("unparsable", f"{text[:40]!r} is not a number in Prometheus' format") from None


def _unreadable(line: str) -> ScrapeError:
    return ScrapeError(
        "unparsable", f"the response is not in Prometheus' format: a line begins with {line[:60]!r}"
    )


def select(
    values: Iterable[str], named: Callable[[str], bool], labels: Mapping[str, str], loosely: bool = False
) -> Iterator[str]:
    """Yield the series that have these labels, among others.

    Args:
        values: The series to select from.
        named: Whether a name is selected.
        labels: Names and values of labels.
        loosely: Whether a label that a series does not have is ignored.
    """
    for key in values:
        if named(key.partition("{")[0]):
            own = parse_series(key)[1] if labels else {}
            if all(own.get(label, value if loosely else None) == value for label, value in labels.items()):
                yield key
