# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a message that an author writes: what each supported Envoy refuses because of the definition of its messages.

What this module does not know, such as the types of other builds of Envoy, has no fault: Envoy itself validates it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api import any_types, field_names
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import (
    ANY,
    Field,
    field_named,
    fields_of,
    is_message,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.scalar_faults import scalar_fault

Path = tuple["str | int", ...]  # in quotes for Python 3.9
# Messages whose JSON form is not a mapping of their fields (the JSON mapping of protobuf), or that take any content.
_WELL_KNOWN = "google.protobuf."
_MAPPINGS = ("google.protobuf.Struct", "google.protobuf.Empty", ANY)
_FREE_FORM = ("google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue")


@dataclass(frozen=True)
class Fault:
    """One fault of a message.

    Attributes:
        path: The steps from the message to the faulty field.
        problem: The fault and what to do, as sentences.
    """

    path: Path
    problem: str


def message_faults(
    value: Any,
    message_type: str,
    complete: bool = True,
    outer: Sequence[tuple[str, Sequence[str]]] = (),
) -> Iterator[Fault]:
    """Yield the faults of a message, in the order of its fields.

    Args:
        value: The message, or a list of such messages, as data, which Envoy reads as JSON.
        message_type: The full name of its type.
        complete: Whether the message is the whole one. The fields of an overlay are a part, so no field is missing.
        outer: Where a misplaced field can belong outside the message: places and the names that are valid in each, the nearest first.

    Example:
        >>> route = {"match": {"prefix": "/"}, "route": {"cluster": "web"}, "retry_policy": {"retry_on": "5xx"}}
        >>> [fault] = message_faults(route, "envoy.config.route.v3.Route")
        >>> fault.path
        ('retry_policy',)
        >>> fault.problem
        "unknown field 'retry_policy' of a Route. It is a field of 'route': move it there."
    """
    if isinstance(value, (list, tuple)):
        yield from _value(value, Field("", message_type, "["), (), complete, tuple(outer), "")
    else:
        yield from _message(value, message_type, (), complete, tuple(outer))


def _message(
    value: Any, kind: str, path: Path, complete: bool, outer: tuple[tuple[str, Sequence[str]], ...]
) -> Iterator[Fault]:
    if value is None:
        return
    if kind == ANY:
        yield from _any(value, path, complete, "")
        return
    if not isinstance(value, Mapping):
        problem = f"expected a mapping with the fields of {field_names.article(kind)}, got {field_names.shown(value)}."
        yield Fault(path, f"{problem} {_keys(kind)}")
        return
    fields = fields_of(kind)
    given: dict[str, Any] = {}
    has_unknown = False
    for name, one in value.items():
        field = field_named(kind, str(name))
        if field is None:
            has_unknown = True
            yield Fault((*path, str(name)), field_names.unknown_field(str(name), kind, value, outer))
            continue
        given[field.name] = one
        extension = str(value.get("name") or "")
        inner = (("one level up", list(fields)), *outer)
        yield from _value(one, field, (*path, str(name)), complete, inner, extension)
    is_whole = complete and not has_unknown  # an unknown field is often the misspelt name of the missing one
    yield from _oneofs(given, fields, kind, path, is_whole)
    if is_whole:
        for field in fields.values():
            if field.required and given.get(field.name) is None:
                yield Fault(
                    path, f"{field_names.article(kind, True)} needs the field '{field.name}'. Add it."
                )


def _value(
    value: Any,
    field: Field,
    path: Path,
    complete: bool,
    outer: tuple[tuple[str, Sequence[str]], ...],
    extension: str,
) -> Iterator[Fault]:
    if value is None:
        return
    if field.shape == "[":
        if not isinstance(value, (list, tuple)):
            # Envoy accepts one value as a list of one item.
            yield from _single(value, field, path, True, outer, extension)
            return
        for index, one in enumerate(value):
            if isinstance(one, (list, tuple)):  # Envoy accepts a list in a list as its items
                yield from _value(one, field, (*path, index), True, outer, extension)
                continue
            faults = list(_single(one, field, (*path, index), True, outer, extension))
            yield from (_with_next_item(fault, value, index, path) for fault in faults)
    elif field.shape == "{":
        if not isinstance(value, Mapping):
            yield Fault(
                path, f"expected a mapping, got {field_names.shown(value)}. Write 'name: value' pairs."
            )
            return
        for name, one in value.items():
            yield from _single(one, field, (*path, str(name)), True, outer, str(name))
    else:
        yield from _single(value, field, path, complete, outer, extension)


def _single(
    value: Any,
    field: Field,
    path: Path,
    complete: bool,
    outer: tuple[tuple[str, Sequence[str]], ...],
    extension: str,
) -> Iterator[Fault]:
    if value is None or field.type in _FREE_FORM:
        return
    if field.type == ANY:
        yield from _any(value, path, complete, extension)
    elif is_message(field.type):
        yield from _message(value, field.type, path, complete, outer)
    elif field.type in _MAPPINGS:
        if not isinstance(value, Mapping):
            yield Fault(
                path, f"expected a mapping, got {field_names.shown(value)}. Write its fields as keys."
            )
    elif problem := scalar_fault(value, field.type):
        yield Fault(path, problem)


def _any(value: Any, path: Path, complete: bool, extension: str) -> Iterator[Fault]:
    """Check a message with its own type. `extension` is the name of the extension that it configures."""
    if not isinstance(value, Mapping):
        yield Fault(
            path,
            f"expected a mapping with '@type', got {field_names.shown(value)}. Write the fields of the extension as keys.",
        )
        return
    if not value:
        return  # Envoy accepts it where a message is optional
    if "@type" not in value:
        yield Fault(path, any_types.missing_type(value, extension))
        return
    if problem := any_types.type_fault(value["@type"]):
        yield Fault((*path, "@type"), problem)
        return
    kind = any_types.type_name(value["@type"])
    if is_message(kind):
        fields = {name: one for name, one in value.items() if name != "@type"}
        yield from _message(fields, kind, path, complete, ())


def _oneofs(
    given: Mapping[str, Any], fields: Mapping[str, Field], kind: str, path: Path, complete: bool
) -> Iterator[Fault]:
    """Check that at most one field of each oneof is set, and exactly one of a required oneof."""
    groups: dict[int, list[Field]] = {}
    for field in fields.values():
        if field.oneof:
            groups.setdefault(field.oneof, []).append(field)
    for group in groups.values():
        present = [field.name for field in group if given.get(field.name) is not None]
        if len(present) > 1:
            names = field_names.listed(present, "and")
            yield Fault(
                (*path, present[-1]),
                f"{names} exclude each other in {field_names.article(kind)}. Keep one of them.",
            )
        elif not present and complete and any(field.oneof_required for field in group):
            names = field_names.listed([field.name for field in group], "or")
            yield Fault(
                path,
                f"{field_names.article(kind, True)} needs {'one of ' if len(group) > 1 else ''}{names}. Add it.",
            )


def _with_next_item(fault: Fault, items: Sequence[Any], index: int, path: Path) -> Fault:
    """Return the fault of an incomplete item, with the remedy for a '- ' that splits one item in two."""
    following = items[index + 1] if index + 1 < len(items) else None
    if not (fault.path == (*path, index) and " needs " in fault.problem and isinstance(following, Mapping)):
        return fault
    mine = items[index]
    lacking = [key for key in following if f"'{key}'" in fault.problem]
    if not lacking or not isinstance(mine, Mapping) or mine.keys() & following.keys():
        return fault
    remedy = f"The next item begins with '{lacking[0]}': replace the '-' before it by a blank if both are one item."
    return Fault(fault.path, f"{fault.problem} {remedy}")


def _keys(kind: str) -> str:
    names = list(fields_of(kind))[:3]
    return (
        f"Write its fields as keys, such as {field_names.listed(names, 'and')}." if names else "Write '{}'."
    )
