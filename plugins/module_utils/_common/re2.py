# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Regular expressions as Envoy reads them (RE2), in Python: what the two read differently is refused, and none can hang."""

from __future__ import annotations

import re
import sys
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2_automaton import Automaton

# Escapes that mean the same in both; any other letter or digit after a backslash does not.
_SAME = set("dDwWsSbBAafnrtv")
_HEX = re.compile(r"x[0-9A-Fa-f]{2}")
_GROUP = re.compile(r"\(\?(:|P<[A-Za-z_][A-Za-z0-9_]*>|[ims]+:|[ims]+\))")
_REPEAT = re.compile(r"\{(\d*)(,?)(\d*)\}")
_LONGEST = 2_000
_MOST_REPEATS = 1_000  # RE2's own limit
_NOT_AT_ALL = -1
_SHORT = 500  # with two repeats time grows with the square of the length


class Pattern:
    """A pattern that has to match a whole name. Answers are remembered: a thousand endpoints have the same names."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._compiled = re.compile(source, re.ASCII)
        self._longest = _longest(source)
        if self._longest == _NOT_AT_ALL:
            self._automaton = Automaton(source)
        self._seen: dict[str, bool] = {}
        #: what is in every name that matches, as it is written; empty where nothing is known to be
        self.literal = _literal(source)

    def matches(self, name: str) -> bool:
        answer = self._seen.get(name)
        if answer is None:
            if len(name) <= self._longest:
                answer = self._compiled.fullmatch(name) is not None
            else:
                answer = self._automaton.fullmatch(name)
            if len(self._seen) < 100_000:
                self._seen[name] = answer
        return answer

    @cached_property
    def _automaton(self) -> Automaton:
        return Automaton(self.source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


def compile_pattern(source: str, where: str) -> Pattern:
    """Compiles a pattern, or says what is wrong with it."""
    if len(source) > _LONGEST:
        raise SpecError(f"{where} is {len(source)} characters long; at most {_LONGEST} are read")
    problem = difference(source)
    if problem:
        raise SpecError(f"{where}: {problem}, in {source!r}")
    try:
        return Pattern(source)
    except (re.error, RecursionError, OverflowError) as error:
        raise SpecError(f"{where}: {source!r} is no regular expression: {error}") from None


def difference(source: str) -> str:
    """What Python and RE2 would read differently in a pattern; empty where there is nothing."""
    position, in_class = 0, False
    while position < len(source):
        character = source[position]
        if character == "\\":
            following = source[position + 1 : position + 2]
            if following.isalnum() and following not in _SAME and not _HEX.match(source, position + 1):
                return f"\\{following} is not the same to Python and to RE2; write it without"
            if in_class and following in set("bBA"):
                return f"\\{following} inside [ ] is not the same to Python and to RE2; write it without"
            position += 2
            continue
        if in_class:
            if source.startswith("[:", position):
                return "[:name:] is known to RE2 only; write the characters out, e.g. [A-Za-z]"
            if source[position : position + 2] in ("--", "&&", "~~", "||"):
                return f"{source[position : position + 2]} inside [ ] is not the same to Python and to RE2; escape it"
            in_class = character != "]"
        elif character == "[":
            in_class = True
            # A ']' that comes first is a character of the class.
            position += 1 + source.startswith("^", position + 1)
            position += source.startswith("]", position)
            continue
        elif source.startswith("(?", position):
            group = _GROUP.match(source, position)
            if group is None:
                return f"{source[position : position + 4]} is not known to RE2 and to Python alike; use ( ) or (?: )"
            if group.group(1).endswith(")") and position:
                return "a flag such as (?i) may stand at the beginning only"
        elif character in "*+?}" and source[position + 1 : position + 2] in ("*", "+"):
            if character != "}" or _REPEAT.search(source[: position + 1]):
                return f"{source[position : position + 2]} is not the same to Python and to RE2; use ( ) around what repeats"
        elif character == "{":
            repeat = _REPEAT.match(source, position)
            if repeat and not repeat.group(1):
                return "{,n} is not the same to Python and to RE2; write {0,n}"
            if repeat and max(int(repeat.group(1)), int(repeat.group(3) or 0)) > _MOST_REPEATS:
                return f"RE2 repeats at most {_MOST_REPEATS} times"
        position += 1
    return ""


def _literal(source: str) -> str:
    """The longest text that a match cannot do without. Where that would take thought (alternatives, flags), none."""
    if "|" in source or "(?" in source:
        return ""
    runs = [""]
    depth = position = 0
    while position < len(source):
        character = source[position]
        position += 1
        plain = character.isalnum() or character in "_-,:/ "
        if character == "\\":
            character = source[position : position + 1]
            plain = character in set(".-/_:, ")
            position += 1
        elif character == "[":
            # A ']' that comes first is a character of the class.
            first = position + source.startswith("^", position)
            position = first + source.startswith("]", first)
            while position < len(source) and source[position] != "]":
                position += 2 if source[position] == "\\" else 1
            position += 1
        elif character in "()":
            depth += 1 if character == "(" else -1
        if character == "{":
            position = max(position, source.find("}", position) + 1)
        repeated = source[position : position + 1] in ("*", "?", "+", "{")
        if plain and character.isascii() and not depth and not repeated:
            runs[-1] += character
        else:
            runs.append("")
    return max(runs, key=len)


def _longest(source: str) -> int:
    """How long a text Python's engine is trusted with: it means what RE2 means, and does not go back and try again for long."""
    plain = re.sub(r"\\.", "x", source)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", plain)
    repeats = len(re.findall(r"[*+?{]", plain))
    # To Python \s holds \v, and $ is before a last line's end, too.
    differs = "\\b" in source.lower() or "\\s" in source.lower() or "$" in plain[:-1]
    if differs or repeats > 2 or re.search(r"\)[*+?{]", plain):
        return _NOT_AT_ALL
    return _SHORT if repeats == 2 else sys.maxsize
