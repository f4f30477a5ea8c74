# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the values of plain data (arguments of a task) into types, and says which key is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError

# Aliases are evaluated, and ansible-test reads module_utils as the oldest Python that it knows.
Number = Union[int, float]  # noqa: UP007
Scalar = Union[int, float, str]  # noqa: UP007


def dictionary(entry: Any, where: str, known: Iterable[str]) -> dict[str, Any]:
    """The entry's keys that have a value; a key that nobody knows is refused."""
    if not isinstance(entry, Mapping):
        raise SpecError(f"{where} has to be a dictionary, not {entry!r}")
    names = list(known)
    for key in entry:
        if key not in names:
            near = get_close_matches(str(key), names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
            raise SpecError(f"{where}: {key!r} is no key of it; {hint}")
    return {key: value for key, value in entry.items() if value is not None}


def text(data: Mapping[str, Any], key: str, where: str, default: str = "") -> str:
    value = data.get(key, default)
    if isinstance(value, (Mapping, list, tuple)):
        raise SpecError(f"{where}.{key} has to be text, not {value!r}")
    return str(value)


def choice(data: Mapping[str, Any], key: str, where: str, choices: Iterable[str], default: str) -> str:
    value = text(data, key, where, default)
    names = list(choices)
    if value not in names:
        seen = f"{value!r} is none of" if value else "is missing; it is one of"
        raise SpecError(f"{where}.{key} {seen} {', '.join(names)}")
    return value


def number(value: Any, where: str) -> Number:
    """A number, also where YAML or Jinja made it text."""
    if isinstance(value, bool):
        raise SpecError(f"{where} has to be a number, not {value!r}")
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                raise SpecError(f"{where} has to be a number, not {value!r}") from None
    if not isinstance(value, (int, float)) or math.isnan(value):
        raise SpecError(f"{where} has to be a number, not {value!r}")
    return value


def positive(value: Any, where: str, *, zero: bool = False) -> float:
    seconds = number(value, where)
    if seconds < 0 or (seconds == 0 and not zero) or math.isinf(seconds):
        raise SpecError(f"{where} has to be {'0 or more' if zero else 'more than 0'}, not {value!r}")
    return float(seconds)


def names(value: Any, where: str) -> tuple[str, ...]:
    """One name or a list of names."""
    if value is None:
        return ()
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)) or not all(
        isinstance(entry, str) and entry for entry in entries
    ):
        raise SpecError(f"{where} has to be a name or a list of names, not {value!r}")
    return tuple(entries)
