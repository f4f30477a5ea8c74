# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mistake in a text that is not YAML, its line and the lines around it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, which reads no YAML
    yaml = None  # type: ignore[assignment]

CLOSING = {"{": "}", "[": "]"}
# The problems of PyYAML and of libyaml, and what to do about them.
PROBLEMS = (
    (r"undefined alias", "an alias (*name) has no anchor (&name). Put the text in quotes, or define the anchor."),
    (r"expected alphabetic or numeric character", "'*' and '&' begin an alias or an anchor. Put the text in quotes."),
    (r"unknown escape|escape", "a backslash in double quotes begins an escape sequence. Use single quotes."),
    (r"special characters|unacceptable character", "the file contains a control character. Remove it."),
    (r"unexpected ':'|mapping values are not allowed", "a value contains ': '. Put the value in quotes."),
)  # fmt: skip
EXCERPT = 2  # lines before and after the faulty one


@dataclass(frozen=True)
class YamlMistake:
    """The mistake in a text that is not YAML.

    Attributes:
        line: Its line, counted from 1. None when it is not known.
        problem: What is wrong and what to do, as sentences, and the lines around it.
    """

    line: int | None
    problem: str


def yaml_mistake(text: str, error: Exception, secret: bool = False) -> YamlMistake:
    r"""Return the mistake behind an error of PyYAML.

    A parser reports the first place that it cannot continue from, which is often the line after the mistake.

    Args:
        text: The text.
        error: The yaml.YAMLError or UnicodeDecodeError.
        secret: Whether the text was encrypted, so that no line of it is shown.

    Example:
        >>> import yaml
        >>> try:
        ...     yaml.safe_load("a: {b: 1\nc: 2\n")
        ... except yaml.YAMLError as error:
        ...     print(yaml_mistake("a: {b: 1\nc: 2\n", error).problem.splitlines()[0])
        the '{' in this line is not closed. Add '}'.
    """
    if isinstance(error, UnicodeDecodeError):
        return YamlMistake(None, "the file is not UTF-8 text. Save it in this encoding.")
    with contextlib.suppress(ValueError):
        try:
            list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        except yaml.YAMLError as detailed:
            error = detailed  # libyaml names fewer lines
    lines = text.splitlines()
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return YamlMistake(None, f"invalid YAML: {error}. Correct the file.")
    number, problem = _mistake(lines, error, mark)
    return YamlMistake(number + 1, problem if secret else f"{problem}\n{excerpt(lines, number)}")


def excerpt(lines: Sequence[str], number: int) -> str:
    """Return the lines around a line, which is counted from 0, with their numbers and a mark."""
    numbers = range(max(number - EXCERPT, 0), min(number + EXCERPT + 1, len(lines)))
    width = len(str(numbers[-1] + 1)) if numbers else 1
    return "\n".join(
        f"{'>' if one == number else ' '} {one + 1:{width}} | {_visible(lines[one])}" for one in numbers
    )


def _mistake(lines: Sequence[str], error: Any, mark: Any) -> tuple[int, str]:
    """Return the line, counted from 0, and the problem."""
    context, problem, start = str(error.context or ""), str(error.problem or ""), error.context_mark
    number = min(mark.line, max(len(lines) - 1, 0))
    line = lines[number] if lines else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return number, "a tab indents this line. YAML needs blanks: replace the tab."
    if "quoted scalar" in context and "end of" in problem and start is not None:
        return start.line, "the quote that begins in this line is not closed. Add the closing quote."
    bracket = _open_bracket(lines, mark.line, mark.column) if "flow" in context else None
    if bracket is not None:
        line_number, opening = bracket[0], bracket[1]
        closing = CLOSING[opening]
        if line_number != number or closing not in line[mark.column :]:
            return line_number, f"the '{opening}' in this line is not closed. Add '{closing}'."
        expected = f"expected ',' or '{closing}' in the list or mapping in this line."
        return number, f"{expected} Put text with special characters in quotes."
    if "simple key" in context and start is not None:
        return (
            start.line,
            "this line has no ':' after its key. Add it, or indent the line as part of the value above.",
        )
    if "block end" in problem or "expected key" in problem or "block" in context:
        return (
            number,
            "the indentation of this line fits none of the lines above. Indent it like its neighbors.",
        )
    if "mapping values" in problem and ": " not in line[: mark.column].strip():
        return _value_above(lines, number)
    if "cannot start any token" in problem:
        return number, f"a value cannot begin with '{line[mark.column : mark.column + 1]}'. Put it in quotes."
    known = next((text for pattern, text in PROBLEMS if re.search(pattern, problem)), "")
    return number, known or f"invalid YAML: {problem}. Correct this line."


def _open_bracket(lines: Sequence[str], last: int, column: int) -> tuple[int, str] | None:
    """Return the line and the character of the innermost bracket that is open at a position. Brackets in quotes do not count."""
    stack: list[tuple[int, str]] = []
    for number, line in enumerate(lines[: last + 1]):
        text = re.sub(
            r"""(?<![^\s,:\[{-])("[^"]*"|'[^']*')|(?:^|\s)#.*""", lambda quoted: " " * len(quoted[0]), line
        )
        for character in text[: column if number == last else None]:
            if character in CLOSING:
                stack.append((number, character))
            elif stack and character == CLOSING[stack[-1][1]]:
                stack.pop()
    return stack[-1] if stack else None


def _value_above(lines: Sequence[str], number: int) -> tuple[int, str]:
    """Return the problem of a line that is deeper than the line above, which has a value."""
    above = next(
        (
            one
            for one in range(number - 1, -1, -1)
            if lines[one].strip() and not lines[one].lstrip().startswith("#")
        ),
        number,
    )
    key = lines[above].strip().lstrip("- ")
    return (
        above,
        f"'{key}' has a value, so line {number + 1} cannot be indented below it. Indent both lines alike.",
    )


def _visible(line: str) -> str:
    return line.replace("\t", "→   ")
