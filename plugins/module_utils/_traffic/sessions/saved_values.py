# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of a response that later requests use: where each is read, and the placeholders that stand for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    header_name,
    mapping,
    optional,
    pattern,
    scalar_text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

# The form of Envoy's own operators, such as %REQ(:authority)%. No URL has this text: `%SA` is no percent-encoding.
_PLACEHOLDER = re.compile(r"%SAVED\(([^()%]*)\)%")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
SOURCES = ("header", "cookie", "json")
LONGEST_VALUE = 65_536  # characters


class Saved(NamedTuple):
    """A value that is read from a response."""

    name: str
    source: str  # one of SOURCES
    key: str  # of the header, the cookie, or the path of the JSON value: `user.roles.0`
    pattern: re.Pattern[str] | None = None  # whose first group, or whole match, is the value


class NotSaved(ValueError):
    """A response does not have the value. The message has the reason."""


def parse_save(data: Mapping[str, Any], where: str) -> tuple[Saved, ...]:
    """Return the values that the key `save` of a traffic names. Raises ArgumentError."""
    where = f"{where}.save"
    found = []
    for name, entry in mapping(data.get("save") or {}, where).items():
        if not _NAME.fullmatch(name):
            raise ArgumentError(f"{where}.{name}", "not a name. Use letters, digits, '.', '-' and '_'.")
        rule = mapping(entry, f"{where}.{name}", (*SOURCES, "matches"))
        sources = [source for source in SOURCES if source in rule]
        if len(sources) != 1:
            raise ArgumentError(
                f"{where}.{name}",
                f"expected exactly one of {', '.join(SOURCES)}, got {' and '.join(sources) or 'none'}.",
            )
        [source] = sources
        read = header_name if source == "header" else scalar_text
        key = read(rule[source], f"{where}.{name}.{source}")
        found.append(Saved(name, source, key, optional(rule, "matches", f"{where}.{name}", pattern)))
    return tuple(found)


def value_of(
    rule: Saved, headers: Mapping[str, str], body: bytes, cookie: Callable[[str], str | None]
) -> str:
    """Return a value of a response. Raises NotSaved."""
    if rule.source == "json":
        value = _json_value(body, rule.key)
    else:
        found = headers.get(rule.key) if rule.source == "header" else cookie(rule.key)
        if found is None:
            raise NotSaved(f"the response has no {rule.source} {rule.key}")
        value = found
    if rule.pattern is not None:
        match = rule.pattern.search(value)
        if match is None:
            raise NotSaved(f"the {rule.source} {rule.key} does not match {rule.pattern.pattern!r}")
        value = match[1] if rule.pattern.groups else match[0]
    if value is None or len(value) > LONGEST_VALUE or not value.isprintable():
        raise NotSaved(
            f"the {rule.source} {rule.key} is no text of one line with at most {LONGEST_VALUE} characters"
        )
    return value


def saved_names(value: Any) -> Iterator[str]:
    """Yield the names of all placeholders in the texts of a value."""
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from saved_names(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from saved_names(one)


def with_saved(text: str, values: Mapping[str, str], quote: Callable[[str], str] = str) -> str:
    """Return a text with the saved values in place of their placeholders, each quoted. Raises NotSaved for a missing value."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise NotSaved(f"the user has no saved value {found[1]}, because no previous response had it")
        return quote(values[found[1]])

    return _PLACEHOLDER.sub(replaced, text)


def _json_value(body: bytes, path: str) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise NotSaved("the body of the response is not JSON") from None
    for key in path.split("."):
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise NotSaved(f"the body of the response has no value {path}")
    return found if isinstance(found, str) else json.dumps(found)
