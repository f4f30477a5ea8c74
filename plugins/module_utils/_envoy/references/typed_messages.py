# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages in a message with their types, at any depth, by the definition of Envoy's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.any_types import type_name
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import (
    ANY,
    field_named,
    is_message,
    snake_case,
)

Path = tuple["str | int", ...]  # in quotes for Python 3.9


@dataclass(frozen=True)
class TypedMessage:
    """One message.

    Attributes:
        path: The steps from the outermost message to this one.
        type: The full name of its type.
        value: Its fields as their author wrote them, with `@type` for an Any.
        above: The messages that contain it, the nearest first.
    """

    path: Path
    type: str
    value: Mapping[str, Any]
    above: tuple[TypedMessage, ...] = ()

    def get(self, name: str) -> tuple[Path, Any]:
        """Return the path and the value of a field, whose name is in snake_case. None: the message does not have it."""
        for key, value in self.value.items():
            field = field_named(self.type, str(key))
            if field is not None and field.name == name:
                return (*self.path, str(key)), value
        return self.path, None

    def is_in(self, message_type: str) -> bool:
        """Return whether a message of a type contains this one."""
        return any(one.type == message_type for one in self.above)


def typed_messages(value: Any, message_type: str) -> Iterator[TypedMessage]:
    """Yield each message in a message, or in a list of messages, the outer ones first.

    A message whose type the supported versions of Envoy do not have is left out, with everything in it.

    Args:
        value: The message or the list as data.
        message_type: The full name of its type.

    Example:
        >>> route = {"match": {"prefix": "/"}, "route": {"cluster": "web"}}
        >>> [one.type.rpartition(".")[2] for one in typed_messages([route], "envoy.config.route.v3.Route")]
        ['Route', 'RouteMatch', 'RouteAction']
    """
    yield from _below(value, message_type, (), ())


def snake_case_message(value: Any) -> dict[str, Any]:
    """Return the fields of a message with names in snake_case. Of another value, none."""
    return {snake_case(str(name)): one for name, one in value.items()} if isinstance(value, Mapping) else {}


def messages(value: Any) -> list[Mapping[str, Any]]:
    """Return the messages of a repeated field. Envoy accepts one message in place of a list of one message."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [one for one in listed if isinstance(one, Mapping)]


def _below(value: Any, kind: str, path: Path, above: tuple[TypedMessage, ...]) -> Iterator[TypedMessage]:
    if isinstance(value, (list, tuple)):
        for position, one in enumerate(value):
            yield from _below(one, kind, (*path, position), above)
        return
    if not isinstance(value, Mapping):
        return
    if kind == ANY:
        kind = type_name(value.get("@type", ""))
    if not is_message(kind):
        return
    message = TypedMessage(path, kind, value, above)
    yield message
    inner = (message, *above)
    for name, one in value.items():
        field = field_named(kind, str(name))
        if field is None:
            continue
        where = (*path, str(name))
        if field.shape == "{":
            for key, entry in one.items() if isinstance(one, Mapping) else ():
                yield from _below(entry, field.type, (*where, str(key)), inner)
        else:
            yield from _below(one, field.type, where, inner)
