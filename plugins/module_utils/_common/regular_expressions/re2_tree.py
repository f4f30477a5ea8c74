# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax trees of RE2 patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

# Inclusive ranges of code points.
Ranges = tuple[tuple[int, int], ...]

DIGIT = ((0x30, 0x39),)
WORD = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))


@dataclass(frozen=True)
class Characters:
    """One character of a set."""

    ranges: Ranges
    excluded: tuple[Ranges, ...] = ()
    """Sets whose complements are part of this set, as of `[\\D]`."""
    negated: bool = False
    ignore_case: bool = False

    @property
    def literal(self) -> str:
        """Return the character if the set has exactly one, whose case counts; otherwise an empty string."""
        if self.negated or self.ignore_case or self.excluded or len(self.ranges) != 1:
            return ""
        first, last = self.ranges[0]
        return chr(first) if first == last else ""

    def contains(self, character: str) -> bool:
        """Return whether the set contains a character."""
        if self.ignore_case and character.isascii():
            found = self._listed(ord(character.lower())) or self._listed(ord(character.upper()))
        else:
            found = self._listed(ord(character))
        return found is not self.negated

    def _listed(self, code: int) -> bool:
        return any(first <= code <= last for first, last in self.ranges) or any(
            not any(first <= code <= last for first, last in ranges) for ranges in self.excluded
        )


@dataclass(frozen=True)
class Position:
    """A test of the position between two characters."""

    kind: str
    """`text_start`, `text_end`, `line_start`, `line_end`, `word_boundary` or `no_word_boundary`."""


@dataclass(frozen=True)
class Repeat:
    """A part that occurs between `least` and `most` times; None has no upper limit."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True)
class Concatenation:
    """Parts that follow one another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Alternation:
    """Parts of which one occurs."""

    branches: tuple[Node, ...]


Node = Union[Characters, Position, Repeat, Concatenation, Alternation]  # Python 3.9 evaluates it
