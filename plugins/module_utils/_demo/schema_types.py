# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversion of one value of a demo file to the type of its option."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.boolean import to_boolean
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.host_address import host_address
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import Option

TYPE_NAMES = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "dict": "a mapping",
    "list": "a list",
}


def convert(value: Any, option: Option, file: str, path: str) -> Any:
    """Return a copy of `value` in the type of its option.

    Text that spells a number or a boolean is converted, because a template can produce such text.

    Raises:
        DemoError: The value has another type, is not one of the choices, or is out of range.
    """
    value = _converted(deepcopy(value), option["type"], file, path)
    if "elements" in option:
        return [
            _converted(one, option["elements"], file, f"{path}[{position}]")
            for position, one in enumerate(value)
        ]
    if "choices" in option:
        check_known(value, option["choices"], file, path, "choice")
    if option.get("host") and value:
        return host_address(value, file, path, option.get("unix_socket", False))
    if "between" in option:
        _check_range(value, option["between"], file, path)
    return value


def _converted(value: Any, kind: str, file: str, path: str) -> Any:
    if kind == "str" and _is_number(value):
        return str(value)
    if kind == "int" and isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    if kind == "bool" and isinstance(value, str) and (boolean := to_boolean(value)) is not None:
        return boolean
    fits = {
        "str": isinstance(value, str),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "dict": isinstance(value, Mapping),
        "list": isinstance(value, (list, tuple)),
    }[kind]
    if not fits:
        remedy = " Put it in quotes." if kind == "str" and isinstance(value, bool) else ""
        raise DemoError(file, f"{path}: expected {TYPE_NAMES[kind]}, got {_as_written(value)}.{remedy}")
    return value


def _check_range(value: int, between: tuple[int, int], file: str, path: str) -> None:
    lowest, highest = between
    if not lowest <= value <= highest:
        reason = " (a port below 1024 needs root)" if lowest == 1024 and value < 1024 else ""
        raise DemoError(file, f"{path}: expected a number from {lowest} to {highest}, got {value}{reason}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_written(value: Any) -> str:
    """Return `value` as the demo file spells it."""
    return ("true" if value else "false") if isinstance(value, bool) else f"'{value}'"
