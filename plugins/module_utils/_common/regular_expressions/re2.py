# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions as Envoy reads them (RE2). `re2_parser` states the supported part; no pattern takes long."""

from __future__ import annotations

import re
import sys
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_automaton import (
    Automaton,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_parser import (
    PatternError,
    parse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_tree import (
    SPACE,
    Alternation,
    Characters,
    Concatenation,
    Node,
    Position,
    Repeat,
)

MAX_PATTERN = 2_000  # characters
# Texts of up to so many characters are matched with `re` if a pattern has two repetitions: the time grows with the square of the length.
_MAX_SQUARED = 500
_NEVER = -1
_MAX_RESULTS = 100_000
# Characters that have one spelling in Envoy's JSON.
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-,:/. ")


class Pattern:
    """A pattern that has to match a whole name. Results are kept: a thousand endpoints have the same names."""

    def __init__(self, source: str) -> None:
        """Compile the pattern. Raises PatternError."""
        self.source = source
        tree = parse(source)
        self._max_length = _max_length_for_python(tree)
        # Python warns of a [ that begins a class, since a later version may read it as a nested class.
        if "[[" in source:
            self._max_length = _NEVER
        if self._max_length == _NEVER:
            self._automaton = Automaton(source)
        else:
            self._compiled = re.compile(source, re.ASCII)
        self._results: dict[str, bool] = {}
        self.literal = _literal(tree)
        """A text that each matching name contains; empty if none is known."""

    def matches(self, name: str) -> bool:
        """Return whether the whole name matches."""
        result = self._results.get(name)
        if result is None:
            if len(name) <= self._max_length:
                result = self._compiled.fullmatch(name) is not None
            else:
                result = self._automaton.fullmatch(name)
            if len(self._results) < _MAX_RESULTS:
                self._results[name] = result
        return result

    @cached_property
    def _automaton(self) -> Automaton:
        return Automaton(self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __reduce__(self) -> tuple[type[Pattern], tuple[str]]:
        return Pattern, (self.source,)  # a copy for another process has no results

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


def compile_pattern(source: str, where: str) -> Pattern:
    r"""Compile a pattern of an option.

    Args:
        source: The pattern, in the part of RE2's syntax that `re2_parser` states.
        where: The option, for the message.

    Raises:
        ArgumentError: The pattern is wrong, not supported, or longer than 2,000 characters.

    Example:
        >>> compile_pattern(r"cluster\..*\.upstream_rq_5xx", "match").matches("cluster.web.upstream_rq_5xx")
        True
    """
    if len(source) > MAX_PATTERN:
        raise ArgumentError(
            where, f"expected at most {MAX_PATTERN} characters, got {len(source)}. Write a shorter pattern."
        )
    try:
        return Pattern(source)
    except PatternError as error:
        problem = str(error)
    except (re.error, RecursionError):
        problem = "the pattern is nested too deeply. Write fewer groups"
    raise ArgumentError(where, f"{source!r}: {problem}.")


def _literal(tree: Node) -> str:
    """Return the longest run of plain characters that a match contains, as far as the top level of the pattern shows it."""
    if not isinstance(tree, Concatenation):
        return ""
    runs = [""]
    for part in tree.parts:
        character = part.literal if isinstance(part, Characters) else ""
        if character in _PLAIN:
            runs[-1] += character
        else:
            runs.append("")
    return max(runs, key=len)


def _max_length_for_python(tree: Node) -> int:
    """Return the length of the longest text that is matched with `re`: it has RE2's meaning there, and does not backtrack for long."""
    # Python's $ also matches before a final line feed, which at the end of a pattern makes no difference to a whole match.
    inner = (
        Concatenation(tree.parts[:-1])
        if _ends_with_text_end(tree) and isinstance(tree, Concatenation)
        else tree
    )
    repeats = _count_repeats(inner)
    if repeats is None or repeats > 2:
        return _NEVER
    return _MAX_SQUARED if repeats == 2 else sys.maxsize


def _ends_with_text_end(tree: Node) -> bool:
    last = tree.parts[-1] if isinstance(tree, Concatenation) and tree.parts else None
    return isinstance(last, Position) and last.kind in ("text_end", "line_end")


def _count_repeats(tree: Node) -> int | None:
    """Return how many repetitions a tree has; None if `re` differs from RE2 in it, or repeats more than one character."""
    if isinstance(tree, Characters):
        # RE2's \s lacks the vertical tab.
        space = any(set(SPACE) <= set(ranges) for ranges in (tree.ranges, *tree.excluded))
        return None if space else 0
    if isinstance(tree, Position):
        return 0 if tree.kind in ("text_start", "line_start") else None
    if isinstance(tree, Repeat):
        one_character = isinstance(tree.part, Characters) and _count_repeats(tree.part) == 0
        return 1 if one_character else None
    counts = [
        _count_repeats(part) for part in (tree.branches if isinstance(tree, Alternation) else tree.parts)
    ]
    return None if None in counts else sum(count for count in counts if count is not None)
