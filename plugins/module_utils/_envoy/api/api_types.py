# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages and enums of Envoy's API, which the supported versions of Envoy accept: the parser of the table `api_fields`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_fields import API

ANY = "google.protobuf.Any"
_FIELD = re.compile(
    r"(?P<name>\w+)(?P<required>!?):(?P<shape>[\[{]?)(?P<type>[\w.]+)(?:\*(?P<oneof>\d+)(?P<oneof_required>!?))?"
)


@dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        name: Its name in the protobuf definition, in snake_case.
        type: `s` (text), `n` (whole number), `f` (number), `b` (boolean), `y` (bytes), or the full name of a message or an enum.
        shape: `[` for a list, `{` for a map, empty for one value.
        required: Whether Envoy refuses the message without the field.
        oneof: Number of the oneof in the message. 0: none.
        oneof_required: Whether Envoy refuses the message without any field of the oneof.
    """

    name: str
    type: str
    shape: str = ""
    required: bool = False
    oneof: int = 0
    oneof_required: bool = False


def is_message(name: str) -> bool:
    """Return whether a supported Envoy has the message `name`."""
    return name in _table()[0]


@cache
def fields_of(message_type: str) -> Mapping[str, Field]:
    """Return the fields of a message by name; of an unknown message, none."""
    package, text = _table()[0].get(message_type, ("", ""))
    fields = {}
    for found in map(_FIELD.fullmatch, text.split()):
        if found:
            kind = package + found["type"] if found["type"].startswith(".") else found["type"]
            fields[found["name"]] = Field(
                found["name"],
                kind,
                found["shape"],
                bool(found["required"]),
                int(found["oneof"] or 0),
                bool(found["oneof_required"]),
            )
    return fields


def enum_values(name: str) -> tuple[str, ...]:
    """Return the values of an enum; of another type, none."""
    return _table()[1].get(name, ())


def field_named(message_type: str, name: str) -> Field | None:
    """Return the field that a configuration names in snake_case or in lowerCamelCase, as Envoy accepts it."""
    return fields_of(message_type).get(name) or _camel_case_fields(message_type).get(name)


@cache
def _camel_case_fields(message_type: str) -> Mapping[str, Field]:
    """Return the fields of a message by their names in JSON, such as `alpnProtocols`."""
    return {
        re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name): field
        for name, field in fields_of(message_type).items()
    }


def snake_case(name: str) -> str:
    """Return the name of a field in the protobuf definition.

    Example:
        >>> snake_case("alpnProtocols")
        'alpn_protocols'
    """
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def extension_types() -> Iterator[str]:
    """Yield the names of the messages outside other messages, one of which can be the type of an Any."""
    for name, (package, _text) in _table()[0].items():
        if "." not in name[len(package) + 1 :]:
            yield name


def packages() -> set[str]:
    """Return the packages of all messages."""
    return {package for package, _text in _table()[0].values()}


@cache
def _table() -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, ...]]]:
    """Return the package and the fields of each message, and the values of each enum, by full name."""
    messages: dict[str, tuple[str, str]] = {}
    enums: dict[str, tuple[str, ...]] = {}
    package = ""
    for line in API.replace("\n   ", " ").splitlines():
        name, _blank, rest = line.strip().partition(" ")
        if line.startswith("  "):
            enums[f"{package}.{name}"] = tuple(rest.split())
        elif line.startswith(" "):
            messages[f"{package}.{name}"] = (package, rest)
        else:
            package = name
    return messages, enums
