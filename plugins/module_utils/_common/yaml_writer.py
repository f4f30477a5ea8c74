# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A writer of block-style YAML that is several times as fast as PyYAML, and returns the text of PyYAML.

PyYAML represents each value as a node and resolves each text against the patterns of all tags. Most texts of an Envoy configuration are
plain words, which this writer recognizes by one pattern. PyYAML writes the other texts, once each. `Unusual` is raised for data whose
text depends on more than each value alone: the caller writes it with PyYAML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

# Texts that are the same in YAML without quotes. PyYAML quotes further texts if their first character is that of a number, a date or an
# indicator, or if a word is a constant.
_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./%=@+~()-]|:(?=[A-Za-z0-9_/])| (?=[A-Za-z0-9_./]))*")
_CONSTANTS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
# Characters that a literal block cannot contain, or that break a line elsewhere: all but space to ~, \n, and further printable ones.
# The negated set takes Python four times as long to compile.
_UNPRINTABLE = re.compile("[\0-\t\x0b-\x1f\x7f-\u00a0\u2000-\u202f\ud800-\U0010ffff]")
# PyYAML folds longer lines, and writes a longer key, or a key of several lines, with `?`.
_LONGEST_LINE, _LONGEST_KEY = 2000, 120
# Characters whose bytes never exceed _LONGEST_KEY.
_SHORT_KEY = 30

Scalar = Callable[[Any], str]


class Unusual(Exception):
    """The data contains a value that only PyYAML can write."""


class YamlWriter:
    """Writes data as block-style YAML.

    Args:
        scalar: Returns the text of a number or of a string as an item of a list, by PyYAML.
        plain: Returns data with the types of JSON for a value of another type.
    """

    def __init__(self, scalar: Scalar, plain: Callable[[Any], Any]) -> None:
        self._scalar = scalar
        self._plain = plain
        self._text = lru_cache(maxsize=4096)(self._new_text)

    def write(self, data: Any) -> str:
        """Return a mapping or a list as YAML.

        Raises:
            Unusual: The data is neither, or contains a value that only PyYAML can write.
        """
        lines: list[str] = []
        if not data:
            raise Unusual
        if isinstance(data, Mapping):
            self._mapping(data, "", "", lines)
        elif isinstance(data, (list, tuple)):
            self._sequence(data, "", "", lines)
        else:
            raise Unusual
        lines.append("")
        return "\n".join(lines)

    def _mapping(self, mapping: Mapping[Any, Any], first: str, indentation: str, lines: list[str]) -> None:
        """Append the lines of a mapping. `first` precedes its first key, `indentation` the other keys."""
        for key, value in mapping.items():
            text = str(key)
            if (len(text) > _SHORT_KEY and len(text.encode()) > _LONGEST_KEY) or "\n" in text:
                raise Unusual
            name = self._text(text)
            self._value(f"{first}{name}:", value, indentation, indentation, lines)
            first = indentation

    def _sequence(self, sequence: Any, first: str, indentation: str, lines: list[str]) -> None:
        """Append the lines of a list. `first` precedes its first dash, `indentation` the other dashes."""
        inner = f"{indentation}  "
        for item in sequence:
            kind = type(item)
            if kind is dict and item:
                self._mapping(item, f"{first}- ", inner, lines)
            elif kind is list and item:
                self._sequence(item, f"{first}- ", inner, lines)
            else:
                self._value(f"{first}-", item, indentation, inner, lines)
            first = indentation

    def _value(self, label: str, value: Any, indentation: str, dashes: str, lines: list[str]) -> None:
        """Append a value after a label, which is a key or a dash. A list within a list has the dashes at `dashes`."""
        kind = type(value)
        if kind is str:
            if "\n" in value:
                self._several_lines(label, value, indentation, lines)
            else:
                lines.append(f"{label} {self._text(value)}")
        elif kind is dict:
            if value:
                lines.append(label)
                inner = f"{indentation}  "
                self._mapping(value, inner, inner, lines)
            else:
                lines.append(f"{label} {{}}")
        elif kind is list:
            if value:
                lines.append(label)
                self._sequence(value, dashes, dashes, lines)
            else:
                lines.append(f"{label} []")
        elif value is True:
            lines.append(f"{label} true")
        elif value is False:
            lines.append(f"{label} false")
        elif kind is int:
            lines.append(f"{label} {value}")
        elif value is None:
            lines.append(f"{label} null")
        elif kind is float:
            lines.append(f"{label} {self._scalar(value)}")
        else:
            self._other(label, value, indentation, dashes, lines)

    def _other(self, label: str, value: Any, indentation: str, dashes: str, lines: list[str]) -> None:
        """Append a value of another type than those of JSON."""
        item = self._plain(value)
        if label.endswith("-") and item and type(item) in (dict, list):
            self._sequence([item], label[:-1], indentation, lines)
        else:
            self._value(label, item, indentation, dashes, lines)

    def _new_text(self, text: str) -> str:
        """Return a text as YAML, as an item of a list without indentation."""
        if len(text) > _LONGEST_LINE or _UNPRINTABLE.search(text):
            raise Unusual
        if _PLAIN.fullmatch(text) and text.lower() not in _CONSTANTS:
            return text
        return self._scalar(text)

    def _several_lines(self, label: str, text: str, indentation: str, lines: list[str]) -> None:
        """Append a text of several lines: as a literal block, or as PyYAML quotes it."""
        inner = f"{indentation}  "
        body = text[:-1] if text[-1] == "\n" else text
        if (
            "\n" not in body
            or body[-1] in " \n"
            or text[0].isspace()
            or " \n" in text
            or _UNPRINTABLE.search(text)
        ):
            written = self._text(text)
            if written.startswith("|"):
                raise Unusual
            lines.append(f"{label} " + written.replace("\n  ", f"\n{inner}"))
            return
        lines.append(f"{label} |" if body is not text else f"{label} |-")
        if "\n\n" in body:
            lines.extend(inner + line if line else "" for line in body.split("\n"))
        else:
            lines.append(inner + body.replace("\n", f"\n{inner}"))
