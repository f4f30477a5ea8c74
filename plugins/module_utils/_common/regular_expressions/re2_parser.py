# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Parse the part of RE2's syntax that this collection supports.

Envoy matches names with RE2 (https://github.com/google/re2/wiki/Syntax). Python's `re` reads some patterns differently, and its parser
is private. The supported part is what both read alike, with RE2's meaning where a detail differs:

- Literals: each character except `\ . ^ $ * + ? ( ) [ |`; `{` is a literal unless it begins a repetition.
- Escapes: `\` before a character that is not a letter or digit; `\a \f \n \r \t \v`; `\xHH` with two hexadecimal digits.
- Any character: `.`, except a line feed; with the flag `s`, a line feed too.
- Classes: `[abc]`, `[a-z]`, `[^a]`, with escapes in them. `]` is a literal if it comes first.
- Perl classes, in ASCII: `\d \D \w \W \s \S`. As in RE2, `\s` is `[\t\n\f\r ]`, without the vertical tab.
- Alternation `a|b`, groups `(a)`, `(?:a)`, `(?P<name>a)`, and flags for a group `(?i:a)`.
- Flags at the beginning: `(?i)` ignores the case of ASCII letters, `(?m)` makes `^` and `$` match at lines, `(?s)` see above.
- Repetitions `* + ? {n} {n,} {n,m}` of at most 1,000 times, greedy or lazy (`*?`), which makes no difference for a whole match.
- Positions: `^`, `$`, `\A`, `\b`, `\B`. As in RE2, `$` is the end of the text, and not also before a final line feed, and `\B` matches an
  empty text.

Everything else is refused with a `PatternError`: look-around, back references, possessive repetitions, atomic groups, comments,
`\z \Z \Q \p`, `[[:alpha:]]`, `{,n}`, set operations such as `[a&&b]`, and flags elsewhere.
"""

from __future__ import annotations

import re

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2_tree import (
    DIGIT,
    SPACE,
    WORD,
    Alternation,
    Characters,
    Concatenation,
    Node,
    Position,
    Ranges,
    Repeat,
)

MAX_REPEAT = 1_000  # RE2's limit

_PERL_CLASSES = {"d": DIGIT, "w": WORD, "s": SPACE}
_CONTROL_ESCAPES = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_POSITION_ESCAPES = {"b": "word_boundary", "B": "no_word_boundary", "A": "text_start"}
_GROUP = re.compile(r"\(\?(?::|P<([A-Za-z_][A-Za-z0-9_]*)>|([ims]+):|([ims]+)\))")
_REPEAT = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")
_SET_OPERATIONS = ("--", "&&", "~~", "||")


class PatternError(ValueError):
    """The pattern is wrong or not supported. The message has the error and an alternative."""


_NOT_LINE_FEED = Characters(((0x0A, 0x0A),), negated=True)
_EVERY_CHARACTER = Characters((), negated=True)


def parse(source: str) -> Node:
    """Return the syntax tree of a pattern.

    Raises:
        PatternError: The pattern is wrong, or outside the supported part of RE2.
        RecursionError: Groups are nested too deeply.

    Example:
        >>> tree = parse("ab*")
        >>> [type(part).__name__ for part in tree.parts]
        ['Characters', 'Repeat']
    """
    return _Parser(source).pattern()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.names: set[str] = set()

    def pattern(self) -> Node:
        flags = ""
        found = _GROUP.match(self.source)
        if found is not None and found.group(3):
            flags, self.position = found.group(3), found.end()
        tree = self._alternation(flags)
        if self.position < len(self.source):
            raise PatternError("a ) has no (. Write \\) for the character")
        return tree

    def _next(self) -> str:
        return self.source[self.position : self.position + 1]

    def _alternation(self, flags: str) -> Node:
        branches = [self._sequence(flags)]
        while self._next() == "|":
            self.position += 1
            branches.append(self._sequence(flags))
        return branches[0] if len(branches) == 1 else Alternation(tuple(branches))

    def _sequence(self, flags: str) -> Concatenation:
        parts: list[Node] = []
        while self._next() not in ("", "|", ")"):
            begin = self.position
            repeat = self._repeat()
            if repeat is None:
                parts.append(self._part(flags))
                continue
            text = self.source[begin : self.position]
            if not parts or isinstance(parts[-1], Position):
                raise PatternError(
                    f"there is nothing that {text} repeats. Write \\{text[0]} for the character"
                )
            if isinstance(parts[-1], Repeat):
                raise PatternError(
                    f"RE2 has no repetition of a repetition ({text}). Put the first one in (?: )"
                )
            parts[-1] = Repeat(parts[-1], *repeat)
        return Concatenation(tuple(parts))

    def _repeat(self) -> tuple[int, int | None] | None:
        """Return the limits of the repetition at this position, or None if there is none."""
        character = self._next()
        found = _REPEAT.match(self.source, self.position) if character == "{" else None
        limits: tuple[int, int | None]
        if character in ("*", "+", "?"):
            limits = {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
            self.position += 1
        elif found is not None and (found.group(1) or found.group(2)):
            limits = self._limits(*found.groups())
            self.position = found.end()
        else:
            return None
        if self._next() == "+":
            raise PatternError(
                "RE2 has no possessive repetition (a + after a repetition). Put what repeats in ( )"
            )
        if self._next() == "?":  # lazy
            self.position += 1
        return limits

    @staticmethod
    def _limits(least: str, comma: str, most: str) -> tuple[int, int | None]:
        if not least:
            raise PatternError("RE2 reads {,n} as text. Write {0,n}")
        if max(int(least), int(most or 0)) > MAX_REPEAT:
            raise PatternError(f"RE2 repeats at most {MAX_REPEAT} times")
        if most and int(most) < int(least):
            raise PatternError(f"{{{least},{most}}} has a lower limit above its upper limit")
        upper = int(most) if most else None if comma else int(least)
        return int(least), upper

    def _part(self, flags: str) -> Node:
        character = self._next()
        if character == "(":
            return self._group(flags)
        if character == "[":
            return self._class(flags)
        if character == "\\":
            return self._escape(flags)
        self.position += 1
        if character == ".":
            return _EVERY_CHARACTER if "s" in flags else _NOT_LINE_FEED
        if character == "^":
            return Position("line_start" if "m" in flags else "text_start")
        if character == "$":
            return Position("line_end" if "m" in flags else "text_end")
        return self._character(character, flags)

    @staticmethod
    def _character(character: str, flags: str) -> Characters:
        fold = "i" in flags and character.isascii() and character.isalpha()
        return Characters(((ord(character), ord(character)),), ignore_case=fold)

    def _group(self, flags: str) -> Node:
        begin = self.position
        if self.source.startswith("(?", begin):
            found = _GROUP.match(self.source, begin)
            if found is None:
                raise PatternError(
                    f"{self.source[begin : begin + 4]} is not supported by RE2 or by Python. Use ( ) or (?: )"
                )
            name, group_flags, global_flags = found.groups()
            if global_flags:
                raise PatternError(
                    f"{found.group()} is only supported at the beginning. Write (?{global_flags}:…) here"
                )
            if name in self.names:
                raise PatternError(f"two groups have the name {name}. Rename one")
            if name:
                self.names.add(name)
            flags += group_flags or ""
            self.position = found.end()
        else:
            self.position += 1
        tree = self._alternation(flags)
        if self._next() != ")":
            raise PatternError("a ( has no ). Write \\( for the character")
        self.position += 1
        # A repetition can follow a group even if the group is a position or a repetition.
        return tree if isinstance(tree, Alternation) else Concatenation((tree,))

    def _escape(self, flags: str) -> Node:
        self.position += 1
        character = self._next()
        if character in _POSITION_ESCAPES:
            self.position += 1
            return Position(_POSITION_ESCAPES[character])
        perl = self._perl_class()
        if perl is not None:
            ranges, negated = perl
            return Characters(ranges, negated=negated)
        return self._character(self._escaped(), flags)

    def _perl_class(self) -> tuple[Ranges, bool] | None:
        """Return the ranges of a Perl class at this position, and whether it is their complement."""
        character = self._next()
        if not character or character.lower() not in _PERL_CLASSES:
            return None
        self.position += 1
        return _PERL_CLASSES[character.lower()], character.isupper()

    def _escaped(self) -> str:
        """Return the character that an escape stands for; the position is after the backslash."""
        character = self._next()
        found = _HEX.match(self.source, self.position)
        if found is not None:
            self.position = found.end()
            return chr(int(found.group(1), 16))
        if not character:
            raise PatternError("the pattern ends with a backslash. Write \\\\ for the character")
        self.position += 1
        if character in _CONTROL_ESCAPES:
            return _CONTROL_ESCAPES[character]
        if character.isalnum():
            raise PatternError(
                f"RE2 and Python read \\{character} differently, or do not support it. Write the characters themselves"
            )
        return character

    def _class(self, flags: str) -> Characters:
        self.position += 1
        negated = self._next() == "^"
        self.position += negated
        ranges: list[tuple[int, int]] = []
        excluded: list[Ranges] = []
        first = True
        while first or self._next() != "]":
            first = False
            item = self._class_item()
            if isinstance(item, tuple):
                class_ranges, complement = item
                if complement:
                    excluded.append(class_ranges)
                else:
                    ranges.extend(class_ranges)
                if self._range_follows():
                    raise PatternError(
                        "a class such as \\d cannot begin a range. Write \\- for the character"
                    )
                continue
            last = item
            if self._range_follows():
                self.position += 1
                end = self._class_item()
                if isinstance(end, tuple):
                    raise PatternError("a class such as \\d cannot end a range. Write \\- for the character")
                if end < item:
                    raise PatternError(f"the range {item}-{end} ends before it begins. Exchange its ends")
                last = end
            ranges.append((ord(item), ord(last)))
        self.position += 1
        return Characters(tuple(ranges), tuple(excluded), negated, "i" in flags)

    def _range_follows(self) -> bool:
        """Return whether a range's - and its end follow; a - before the ] is a literal."""
        self._refuse_set_operation()
        return self._next() == "-" and self.source[self.position + 1 : self.position + 2] not in ("]", "")

    def _refuse_set_operation(self) -> None:
        pair = self.source[self.position : self.position + 2]
        if pair in _SET_OPERATIONS:
            raise PatternError(
                f"RE2 and Python read {pair} inside [ ] differently. Write a backslash before it"
            )

    def _class_item(self) -> str | tuple[Ranges, bool]:
        """Return one character of a class, or the ranges of a Perl class and whether it is their complement."""
        character = self._next()
        if not character:
            raise PatternError("a [ has no ]. Write \\[ for the character")
        if self.source.startswith("[:", self.position):
            raise PatternError("[:name:] is RE2's only. Write the characters out, such as [A-Za-z]")
        self._refuse_set_operation()
        self.position += 1
        if character != "\\":
            return character
        return self._perl_class() or self._escaped()
