# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where in a YAML or JSON text, written in block style, a path or a word is: line by line, by indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
Lines = Sequence[str]


@dataclass(frozen=True)
class Span:
    """Lines `start` (counted from 0) up to and without `end`, and the column at which their content begins."""

    start: int
    end: int
    column: int


def steps(path: str) -> list[str | int]:
    """`static_resources.listeners[0]` → ['static_resources', 'listeners', 0]."""
    return [int(index) if index else key for key, index in STEP.findall(path)]


def walk(lines: Lines, path: Sequence[str | int], within: Span | None = None) -> tuple[Span, int]:
    """Follow `path` as far as it can be followed; return the last place found and how many steps led there."""
    here = within or Span(0, len(lines), 0)
    for count, step in enumerate(path):
        found = _item(lines, here, step) if isinstance(step, int) else _key(lines, here, step)
        if not found:
            return here, count
        here = found
    return here, len(path)


def resource_name(lines: Lines, span: Span) -> str:
    """Return the value of the `name:` that belongs to the mapping in `span`, '' where there is none."""
    found = _key(lines, span, "name")
    if not found:
        return ""
    return lines[found.start].partition(":")[2].split(" #")[0].strip().strip("\"',")


def word(lines: Lines, token: str, span: Span | None = None, nth: int = 0) -> int | None:
    """Return the line (from 0) of the `nth` place where `token` stands by itself: first as a key, then as anything."""
    numbers = range(span.start, span.end) if span else range(len(lines))
    quoted = re.escape(token)
    for pattern in (rf"""(^|[\s{{,"'-]){quoted}["']?\s*:(\s|$)""", rf"(?<![\w./-]){quoted}(?![\w/-]|\.\w)"):
        found = [
            number
            for number in numbers
            if re.search(pattern, lines[number]) and not lines[number].lstrip().startswith("#")
        ]
        if found:
            return found[min(nth, len(found) - 1)]
    return None


def _key(lines: Lines, span: Span, key: str) -> Span | None:
    """Return the value of `key` in the mapping whose keys stand at the span's column."""
    pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*:(\s|$)""")
    for number in range(span.start, span.end):
        line = lines[number]
        # The first key of a list's item stands behind the dash.
        if (
            len(line) > span.column
            and not line[: span.column].strip(" -")
            and pattern.match(line[span.column :])
        ):
            end = _end(lines, number + 1, span.end, span.column, True)
            child = next((one for one in range(number + 1, end) if _content(lines[one])), None)
            return Span(number, end, _indent(lines[child]) if child is not None else span.column)
    return None


def _item(lines: Lines, span: Span, index: int) -> Span | None:
    """Return item `index` of the block sequence that the span's key holds."""
    first = next(
        (
            n
            for n in range(span.start + 1, span.end)
            if lines[n].lstrip().startswith("- ") and _content(lines[n])
        ),
        None,
    )
    if first is None:
        return None
    column = _indent(lines[first])
    starts = [
        n
        for n in range(first, span.end)
        if _indent(lines[n]) == column and lines[n].lstrip().startswith("- ")
    ]
    if index >= len(starts):
        return None
    start = starts[index]
    end = starts[index + 1] if index + 1 < len(starts) else _end(lines, start + 1, span.end, column, False)
    dash = lines[start][column + 1 :]
    return Span(start, end, column + 1 + len(dash) - len(dash.lstrip()))


def _end(lines: Lines, start: int, limit: int, column: int, dashes: bool) -> int:
    """Return where something that began at `column` ends; with `dashes` a list at the same column still belongs to it."""
    for number in range(start, limit):
        line = lines[number]
        if not _content(line) or _indent(line) > column:
            continue
        if dashes and _indent(line) == column and line.lstrip().startswith("- "):
            continue
        return number
    return limit


def _content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
