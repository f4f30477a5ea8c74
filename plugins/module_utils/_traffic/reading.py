# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads plain data key by key; every refusal names the key and says what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

MOST = 1e15  # beyond it a float is no longer exact; infinite and no numbers are beyond it too
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


TrafficError = ArgumentError


def dictionary(entry: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
    """A dictionary without the keys that were left out; refuses a key that nobody knows."""
    if not isinstance(entry, Mapping):
        raise TrafficError(f"{where} has to be a dictionary with keys such as {', '.join(known[:3])}")
    for key in entry:
        if key not in known:
            raise TrafficError(f"{where}.{key} is unknown; {suggestion(str(key), known)}")
    return {key: value for key, value in entry.items() if value is not None}


def suggestion(word: str, known: Sequence[str]) -> str:
    import difflib  # here alone: not worth its time where nothing is wrong

    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def plain(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def text(data: Mapping[str, Any], key: str, where: str) -> str | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, (Mapping, bytes)) or not isinstance(value, (str, int, float)):
        raise TrafficError(f"{where}.{key} has to be text")
    return plain(value)


def choice(data: Mapping[str, Any], key: str, where: str, choices: Sequence[str], default: str | None) -> str:
    value = data.get(key, default)
    if value is None:
        raise TrafficError(f"{where}.{key} is missing: one of {', '.join(choices)}")
    if value not in choices:
        raise TrafficError(f"{where}.{key}: {value!r} is unknown; {suggestion(str(value), choices)}")
    return str(value)


def as_number(value: Any, where: str) -> float:
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = float(value) if re.search(r"[^0-9 +-]", value) else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < MOST:
        raise TrafficError(f"{where}: {value!r} is no number")
    return value


def number(data: Mapping[str, Any], key: str, where: str, above: float, most: float) -> float | None:
    if key not in data:
        return None
    value = as_number(data[key], f"{where}.{key}")
    if not above < value <= most:
        raise TrafficError(f"{where}.{key}: {value} has to be above {above:g} and at most {most:g}")
    return float(value)


def integer(data: Mapping[str, Any], key: str, where: str, least: int, most: int) -> int | None:
    if key not in data:
        return None
    value = as_number(data[key], f"{where}.{key}")
    if value != int(value) or not least <= value <= most:
        raise TrafficError(f"{where}.{key}: {value} has to be a whole number from {least} to {most}")
    return int(value)


def compiled(text: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise TrafficError(f"{where}: {text!r} is no regular expression: {error}") from None


def pattern(data: Mapping[str, Any], key: str, where: str) -> re.Pattern[str]:
    return compiled(text(data, key, where) or "", f"{where}.{key}")


def bytes_pattern(data: Mapping[str, Any], key: str, where: str) -> re.Pattern[bytes] | None:
    if key not in data:
        return None
    return re.compile(pattern(data, key, where).pattern.encode(), re.MULTILINE)


def header_name(name: str | None, where: str) -> str:
    if name is None or not TOKEN.fullmatch(name):
        raise TrafficError(f"{where}: {name!r} is no name of a header")
    return name.lower()
