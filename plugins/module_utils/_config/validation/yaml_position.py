# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines of a path or a token in a YAML or JSON text in block style, found by indentation without a YAML library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KEY = re.compile(r"""(?:"([^"]+)"|'([^']+)'|([^\s"'#][^:]*?))\s*:(?:\s|$)""")
Lines = Sequence[str]
Path = list["str | int"]  # in quotes for Python 3.9


@dataclass(frozen=True)
class Span:
    """A range of lines.

    Attributes:
        start: The first line, counted from 0.
        end: The line after the last one.
        column: The column at which the content begins.
    """

    start: int
    end: int
    column: int


def parse_path(path: str) -> Path:
    """Return the steps of a path.

    Example:
        >>> parse_path("static_resources.listeners[0]")
        ['static_resources', 'listeners', 0]
    """
    return [int(index) if index else key for key, index in STEP.findall(path)]


def follow_path(lines: Lines, path: Sequence[str | int], within: Span | None = None) -> tuple[Span, int]:
    """Follow `path` as far as the text has it; return the lines of the last step found and the number of steps found."""
    current = within or Span(0, len(lines), 0)
    for count, step in enumerate(path):
        found = _item(lines, current, step) if isinstance(step, int) else _key(lines, current, step)
        if not found:
            return current, count
        current = found
    return current, len(path)


def resource_name(lines: Lines, span: Span) -> str:
    """Return the value of the key `name` of the mapping in `span`, or an empty string."""
    found = _key(lines, span, "name")
    if not found:
        return ""
    return lines[found.start].partition(":")[2].split(" #")[0].strip().strip("\"',")


def find_token(lines: Lines, token: str, span: Span | None = None, occurrence: int = 0) -> int | None:
    """Return the line, counted from 0, in which `token` occurs as a whole: as a key, or else anywhere.

    Args:
        lines: The lines of the text.
        token: The token.
        span: The lines to search. None searches all.
        occurrence: Which occurrence to return, counted from 0; the last one when there are fewer.
    """
    numbers = range(span.start, span.end) if span else range(len(lines))
    quoted = re.escape(token)
    for pattern in (rf"""(^|[\s{{,"'-]){quoted}["']?\s*:(\s|$)""", rf"(?<![\w./-]){quoted}(?![\w/-]|\.\w)"):
        found = [
            number
            for number in numbers
            if re.search(pattern, lines[number]) and not lines[number].lstrip().startswith("#")
        ]
        if found:
            return found[min(occurrence, len(found) - 1)]
    return None


def token_lines(lines: Lines, token: str) -> list[int]:
    """Return the lines, counted from 0, whose value is `token` or contains it as a whole."""
    pattern = re.compile(rf"(?<![\w./-]){re.escape(token)}(?![\w/-]|\.\w)")
    return [number for number, line in enumerate(lines) if pattern.search(line)]


def path_at(lines: Lines, number: int) -> Path:
    """Return the path of the value in a line, in a text in block style. A line of a longer text belongs to its key.

    Example:
        >>> path_at(["a:", "- b: 1", "  c:", "    - d"], 3)
        ['a', 0, 'c', 0]
    """
    path: Path = []
    column: int | None = None  # where the current value begins
    index: int | None = None  # the items of the list at `column` that follow this line
    for current in range(number, -1, -1):
        line = lines[current]
        if not _content(line):
            continue
        text, indent = line.lstrip(" "), _indent(line)
        starts = [indent]
        while text.startswith("- "):
            inner = text[2:].lstrip(" ")
            indent += len(text) - len(inner)
            text = inner
            starts.append(indent)
        key = _KEY.match(text)
        # From the innermost position of the line outwards.
        for position, start in reversed(list(enumerate(starts))):
            is_item = position < len(starts) - 1
            if is_item:
                if column is None or start < column:
                    path.append(0)
                    column, index = start, len(path) - 1
                elif start == column and index is not None:
                    path[index] = int(path[index]) + 1
            elif key and (column is None or start < column or (index is not None and start == column)):
                path.append(key[1] or key[2] or key[3])
                column, index = start, None
            elif column is None and not key:
                column = start + 1  # a scalar item, or a line of a longer text
    return path[::-1]


def _key(lines: Lines, span: Span, key: str) -> Span | None:
    """Return the lines of the value of `key` in the mapping whose keys begin at the column of the span."""
    pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*:(\s|$)""")
    for number in range(span.start, span.end):
        line = lines[number]
        # The first key of a list item is behind the dash.
        if (
            len(line) > span.column
            and not line[: span.column].strip(" -")
            and pattern.match(line[span.column :])
        ):
            end = _end(lines, number + 1, span.end, span.column, True)
            child = next((child for child in range(number + 1, end) if _content(lines[child])), None)
            return Span(number, end, _indent(lines[child]) if child is not None else span.column)
    return None


def _item(lines: Lines, span: Span, index: int) -> Span | None:
    """Return the lines of item `index` of the block sequence below the key in `span`."""
    found = items(lines, span)
    return found[index] if index < len(found) else None


def items(lines: Lines, span: Span) -> list[Span]:
    """Return the lines of each item of the block sequence below the key in `span`."""
    first = next(
        (
            n
            for n in range(span.start + 1, span.end)
            if lines[n].lstrip().startswith("- ") and _content(lines[n])
        ),
        None,
    )
    if first is None:
        return []
    column = _indent(lines[first])
    starts = [
        n
        for n in range(first, span.end)
        if _indent(lines[n]) == column and lines[n].lstrip().startswith("- ")
    ]
    ends = [*starts[1:], _end(lines, starts[-1] + 1, span.end, column, False)]
    dashes = [lines[start][column + 1 :] for start in starts]
    return [
        Span(start, end, column + 1 + len(dash) - len(dash.lstrip()))
        for start, end, dash in zip(starts, ends, dashes)
    ]


def _end(lines: Lines, start: int, limit: int, column: int, dashes: bool) -> int:
    """Return the end of a block that began at `column`; with `dashes`, a list at the same column belongs to it."""
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
