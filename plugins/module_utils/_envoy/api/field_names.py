# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts about fields that a message does not have: a near name, or the message that has such a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import (
    ANY,
    field_named,
    fields_of,
    snake_case,
)

# The ratio of difflib from which on a field is the meant one: `max_request_byte` and `max_request_bytes` have 0.97.
NEAR = 0.75
LISTED = 12
# The levels below a message in which a misplaced field is searched.
DEPTH = 2


def unknown_field(
    name: str, kind: str, message: Mapping[str, Any], outer: Sequence[tuple[str, Sequence[str]]]
) -> str:
    """Return what is wrong with a field that a message does not have, and where it belongs.

    Args:
        name: The field, as its author wrote it.
        kind: The full name of the message's type.
        message: The message as data.
        outer: Where the field can belong outside the message: places and the names that are valid in each.
    """
    problem = f"unknown field '{name}' of {article(kind)}."
    if name == "@type":
        return f"{problem} The type of this message is known. Remove the field."
    if spelled := near(name, fields_of(kind), 0.9):
        return f"{problem} Did you mean '{spelled}'?"
    if inner := field_below(name, kind, message):
        return f"{problem} It is a field of '{inner}': move it there."
    for place, names in outer:
        if snake_case(name) in names or name in names:
            return f"{problem} It is a key {place}: move it there."
    if spelled := near(name, fields_of(kind)):
        return f"{problem} Did you mean '{spelled}'?"
    if inner := field_below(name, kind, message, similar=True):
        return f"{problem} Did you mean '{inner}'?"
    names = list(fields_of(kind))
    if not names:
        return f"{problem} This message has no fields. Remove the field."
    if len(names) > LISTED:
        return f"{problem} Correct its name, or move it to its message: https://www.envoyproxy.io/docs lists the fields of {kind}."
    return f"{problem} Use one of: {', '.join(names)}."


def field_below(name: str, kind: str, message: Mapping[str, Any], similar: bool = False) -> str:
    """Return the path of the field that contains a field `name`, or with `similar` the path of a field with a near name.

    Fields that the author wrote precede the other ones, and each level precedes the next one. Empty: no field.
    """
    level = [("", kind, message)]
    for _depth in range(DEPTH):
        below = []
        for path, one, value in level:
            given = {
                field.name: inner for key, inner in value.items() if (field := field_named(one, str(key)))
            }
            for field in sorted(fields_of(one).values(), key=lambda field: field.name not in given):
                if field.shape or field.type == ANY or not fields_of(field.type):
                    continue
                where = f"{path}{field.name}"
                if similar and field.name in given and (spelled := near(name, fields_of(field.type), 0.9)):
                    return f"{where}.{spelled}"
                if not similar and field_named(field.type, name):
                    return where
                inner = given.get(field.name)
                if isinstance(inner, Mapping):
                    below.append((f"{where}.", field.type, inner))
        level = below
    return ""


def near(name: str, known: Iterable[str], cutoff: float = NEAR) -> str:
    """Return the nearest known name, or an empty string."""
    import difflib  # only here: it costs 2 ms, and most runs have no mistake

    names = {one.replace("-", "_"): one for one in known}
    found = difflib.get_close_matches(snake_case(name).replace("-", "_"), names, 1, cutoff)
    return names[found[0]] if found else ""


def article(kind: str, capital: bool = False) -> str:
    """Return the short name of a type with its article: `a Route`."""
    short = kind.rpartition(".")[2]
    text = f"{'an' if short[:1] in 'AEIO' or short.startswith('Http') else 'a'} {short}"
    return text[0].upper() + text[1:] if capital else text


def listed(names: Sequence[str], conjunction: str) -> str:
    """Return names in quotes with `and` or `or` before the last one."""
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} {conjunction} {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)


def shown(value: Any) -> str:
    """Return a value as its author sees it, shortened: `the list [1, 2]`, `the text 'web'`."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        return f"a mapping with {listed(keys[:3], 'and')}" if keys else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)} {'item' if len(value) == 1 else 'items'}"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text[:40]}…'" if len(text) > 40 else f"'{text}'"
