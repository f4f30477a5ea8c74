# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Match a pattern as an automaton: the time grows with the length of the text, for every pattern, as with RE2.

Python's `re` backtracks, which for a pattern such as ``(a+)+b`` takes time that doubles with each character. This automaton reads each
character once.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_parser import (
    PatternError,
    parse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_tree import (
    WORD,
    Alternation,
    Characters,
    Node,
    Position,
    Repeat,
)

_MAX_STATES = 20_000
_MAX_STEPS = 5_000  # steps that are kept for later texts
_WORD = frozenset(chr(code) for first, last in WORD for code in range(first, last + 1))

States = frozenset[int]
# A test of the position in a text.
Condition = Callable[[str, int], bool]


class Automaton:
    """States with edges. A text matches if the accepting state is reached at its end."""

    def __init__(self, source: str) -> None:
        """Build the automaton. Raises PatternError, also if the pattern needs more than 20,000 states."""
        self._edges: list[
            tuple[Characters, int] | None
        ] = []  # per state: the characters that lead on, and to which state
        self._free: list[list[tuple[Condition | None, int]]] = []  # per state: edges that read no character
        self._start = self._state()
        self._accept = self._add(parse(source), self._start)
        self._steps: dict[tuple[States, str], States] = {}
        self._has_conditions = any(
            condition is not None for edges in self._free for condition, _target in edges
        )

    def fullmatch(self, text: str) -> bool:
        """Return whether the whole text matches."""
        if self._has_conditions:
            return self._match_with_conditions(text)
        current = self._closure(frozenset([self._start]), "", 0)
        steps = self._steps
        for character in text:
            key = (current, character)
            following = steps.get(key)
            if following is None:
                following = self._closure(self._move(current, character), "", 0)
                if len(steps) < _MAX_STEPS:
                    steps[key] = following
            current = following
            if not current:
                return False
        return self._accept in current

    def _match_with_conditions(self, text: str) -> bool:
        current = self._closure(frozenset([self._start]), text, 0)
        for position, character in enumerate(text):
            current = self._closure(self._move(current, character), text, position + 1)
            if not current:
                return False
        return self._accept in current

    def _move(self, states: States, character: str) -> States:
        found = []
        for state in states:
            edge = self._edges[state]
            if edge is not None and edge[0].contains(character):
                found.append(edge[1])
        return frozenset(found)

    def _closure(self, states: States, text: str, position: int) -> States:
        """Return the states that are reached without reading a character."""
        reached, waiting = set(states), list(states)
        while waiting:
            for condition, target in self._free[waiting.pop()]:
                if target not in reached and (condition is None or condition(text, position)):
                    reached.add(target)
                    waiting.append(target)
        return frozenset(reached)

    def _state(self) -> int:
        if len(self._edges) >= _MAX_STATES:
            raise PatternError(
                f"the pattern needs more than {_MAX_STATES} states with its repetitions written out. Repeat less"
            )
        self._edges.append(None)
        self._free.append([])
        return len(self._edges) - 1

    def _link(self, source: int, target: int, condition: Condition | None = None) -> None:
        self._free[source].append((condition, target))

    def _add(self, node: Node, start: int) -> int:
        """Add the states of a node after the state `start`, and return the state at its end."""
        if isinstance(node, Characters):
            end = self._state()
            self._edges[start] = (node, end)
            return end
        if isinstance(node, Position):
            end = self._state()
            self._link(start, end, _CONDITIONS[node.kind])
            return end
        if isinstance(node, Repeat):
            return self._repeat(node, start)
        if isinstance(node, Alternation):
            end = self._state()
            for branch in node.branches:
                begin = self._state()
                self._link(start, begin)
                self._link(self._add(branch, begin), end)
            return end
        for part in node.parts:
            start = self._add(part, start)
        return start

    def _repeat(self, node: Repeat, start: int) -> int:
        for _time in range(node.least):
            start = self._add(node.part, start)
        if node.most is None:
            loop, end = self._state(), self._state()
            self._link(start, loop)
            self._link(loop, end)
            begin = self._state()
            self._link(loop, begin)
            self._link(self._add(node.part, begin), loop)
            return end
        end = self._state()
        self._link(start, end)
        for _time in range(node.most - node.least):
            begin = self._state()
            self._link(start, begin)
            start = self._add(node.part, begin)
            self._link(start, end)
        return end


def _at_word_boundary(text: str, position: int) -> bool:
    return (text[position - 1 : position] in _WORD) != (text[position : position + 1] in _WORD)


_CONDITIONS: dict[str, Condition] = {
    "text_start": lambda _text, position: position == 0,
    "text_end": lambda text, position: position == len(text),
    "line_start": lambda text, position: position == 0 or text[position - 1] == "\n",
    "line_end": lambda text, position: position == len(text) or text[position] == "\n",
    "word_boundary": _at_word_boundary,
    "no_word_boundary": lambda text, position: not _at_word_boundary(text, position),
}
