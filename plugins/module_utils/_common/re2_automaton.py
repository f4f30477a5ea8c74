# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A regular expression run as an automaton: time grows with the text's length, whatever the pattern, as with RE2.

Python's own engine goes back and tries again, which for a pattern such as ``(a+)+b`` takes longer than anybody waits. This one reads each
character once. The pattern is parsed by Python's parser; where the two mean something else, as by \\s and $, it means what RE2 means.
"""

from __future__ import annotations

import re

# There is no public way to the parsed pattern; these names are those of Python 3.11 and newer.
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_MOST_STATES = 20_000
_MOST_REMEMBERED = 5_000
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_SPACE = frozenset(" \t\n\r\f")  # RE2's
_DIGIT = frozenset("0123456789")

# An edge is a test of one character; a condition is a test of a place between two characters.
States = frozenset[int]


class Automaton:
    """States with edges: the text matches when the last state is reached at its end."""

    def __init__(self, source: str) -> None:
        self._tests: list[tuple[Any, int] | None] = []  # per state: (test of a character, next state)
        self._free: list[list[tuple[Any, int]]] = []  # per state: (condition or None, next state)
        tree = parser.parse(source, re.ASCII)
        self._flags: int = tree.state.flags
        start = self._state()
        self._accept = self._add(tree, start, self._flags)
        self._start = start
        self._steps: dict[tuple[States, str], States] = {}
        self._conditional = any(condition is not None for edges in self._free for condition, _target in edges)

    def fullmatch(self, text: str) -> bool:
        if self._conditional:
            return self._slow(text)
        current = self._closure(frozenset([self._start]), "", 0)
        steps = self._steps
        for character in text:
            key = (current, character)
            following = steps.get(key)
            if following is None:
                following = self._closure(self._move(current, character), "", 0)
                if len(steps) < _MOST_REMEMBERED:
                    steps[key] = following
            current = following
            if not current:
                return False
        return self._accept in current

    def _slow(self, text: str) -> bool:
        current = self._closure(frozenset([self._start]), text, 0)
        for position, character in enumerate(text):
            current = self._closure(self._move(current, character), text, position + 1)
            if not current:
                return False
        return self._accept in current

    def _move(self, states: States, character: str) -> States:
        found = []
        for state in states:
            edge = self._tests[state]
            if edge is not None and edge[0](character):
                found.append(edge[1])
        return frozenset(found)

    def _closure(self, states: States, text: str, position: int) -> States:
        seen, waiting = set(states), list(states)
        while waiting:
            for condition, target in self._free[waiting.pop()]:
                if target not in seen and (condition is None or condition(text, position)):
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)

    def _state(self) -> int:
        if len(self._tests) >= _MOST_STATES:
            raise OverflowError("it is too large once its repetitions are written out")
        self._tests.append(None)
        self._free.append([])
        return len(self._tests) - 1

    def _link(self, source: int, target: int, condition: Any = None) -> None:
        self._free[source].append((condition, target))

    def _add(self, tree: Any, start: int, flags: int) -> int:
        for operation, argument in tree:
            start = self._add_one(operation, argument, start, flags)
        return start

    def _add_one(self, operation: Any, argument: Any, start: int, flags: int) -> int:
        if operation is sre.SUBPATTERN:
            _group, added, removed, tree = argument
            return self._add(tree, start, (flags | added) & ~removed)
        if operation is sre.BRANCH:
            end = self._state()
            for branch in argument[1]:
                begin = self._state()
                self._link(start, begin)
                self._link(self._add(branch, begin, flags), end)
            return end
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._repeat(argument, start, flags)
        if operation is sre.AT:
            end = self._state()
            self._link(start, end, _place(argument, flags))
            return end
        end = self._state()
        self._tests[start] = (_test(operation, argument, flags), end)
        return end

    def _repeat(self, argument: Any, start: int, flags: int) -> int:
        least, most, tree = argument
        for _again in range(least):
            start = self._add(tree, start, flags)
        if most is sre.MAXREPEAT:
            loop, end = self._state(), self._state()
            self._link(start, loop)
            self._link(loop, end)
            begin = self._state()
            self._link(loop, begin)
            self._link(self._add(tree, begin, flags), loop)
            return end
        end = self._state()
        self._link(start, end)
        for _again in range(most - least):
            begin = self._state()
            self._link(start, begin)
            start = self._add(tree, begin, flags)
            self._link(start, end)
        return end


def _test(operation: Any, argument: Any, flags: int) -> Any:
    """The test of one character that a piece of a pattern stands for."""
    if operation is sre.ANY:
        return (lambda _character: True) if flags & re.DOTALL else (lambda character: character != "\n")
    if operation in (sre.LITERAL, sre.NOT_LITERAL):
        wanted = _cases(chr(argument), flags)
        if operation is sre.LITERAL:
            return lambda character: character in wanted
        return lambda character: character not in wanted
    if operation is sre.IN:
        negated = bool(argument) and argument[0][0] is sre.NEGATE
        members = [_member(kind, value) for kind, value in argument[negated:]]

        def inside(character: str) -> bool:
            found = any(member(variant) for member in members for variant in _cases(character, flags))
            return found is not negated

        return inside
    raise re.error(f"{str(operation).lower()} is not known to RE2")


def _member(kind: Any, value: Any) -> Any:
    if kind is sre.LITERAL:
        return lambda character: ord(character) == value
    if kind is sre.RANGE:
        lowest, highest = value
        return lambda character: lowest <= ord(character) <= highest
    if kind is sre.CATEGORY:
        name = str(value)
        characters = _DIGIT if "DIGIT" in name else _SPACE if "SPACE" in name else _WORD
        wanted = "NOT" not in name
        return lambda character: (character in characters) is wanted
    raise re.error(f"{str(kind).lower()} is not known to RE2")


def _cases(character: str, flags: int) -> tuple[str, ...]:
    if flags & re.IGNORECASE and character.isascii():
        return (character.lower(), character.upper())
    return (character,)


def _place(argument: Any, flags: int) -> Any:
    """The test of a place between two characters: ^ $ and word boundaries."""
    name = str(argument)
    if "BOUNDARY" in name:
        wanted = "NON" not in name
        return lambda text, at: ((text[at - 1 : at] in _WORD) != (text[at : at + 1] in _WORD)) is wanted
    if name == "AT_BEGINNING" and flags & re.MULTILINE:
        return lambda text, at: at == 0 or text[at - 1] == "\n"
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return lambda _text, at: at == 0
    if flags & re.MULTILINE:
        return lambda text, at: at == len(text) or text[at] == "\n"
    # Not before a last line's end, which is where Python's $ is, too.
    return lambda text, at: at == len(text)
