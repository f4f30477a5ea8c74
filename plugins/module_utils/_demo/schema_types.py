# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conversion of one value of a demo file to the type of its option."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.boolean import to_boolean
from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.addresses.host_address import host_address
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import author_file
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_proxy import author_config
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import Option
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.servers.python_packages import (
    python_packages,
)

TYPE_NAMES = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "dict": "a mapping",
    "list": "a list",
    "file": "a file",
}
TYPE_REMEDIES = {
    "int": "Write digits only.",
    "bool": "Write one of them.",
    "dict": "Write 'key: value' pairs below the key.",
    "list": "Write items that begin with '- ' below the key.",
}
NO_SOURCE = DemoSource()


def convert(value: Any, option: Option, file: str, path: str, source: DemoSource = NO_SOURCE) -> Any:
    """Return a copy of `value` in the type of its option.

    Text that spells a number or a boolean is converted, because a template can produce such text. A value of a demo file that
    becomes text is the text as the file has it, such as `1.10` or `yes`.

    Raises:
        DemoError: The value has another type, is not one of the choices, or is out of range.
    """
    value = _converted(copied(value), option["type"], file, path, source)
    if "elements" in option:
        return [
            _converted(one, option["elements"], file, f"{path}[{position}]", source)
            for position, one in enumerate(value)
        ]
    if "values" in option:
        return {
            str(key): _converted(one, option["values"], file, f"{path}.{key}", source)
            for key, one in value.items()
        }
    if "choices" in option:
        check_known(value, option["choices"], file, path, "choice")
    if option.get("host") and value:
        return host_address(value, file, path, option.get("unix_socket", False))
    if "between" in option:
        _check_range(value, option["between"], file, path)
    return value


def _converted(value: Any, kind: str, file: str, path: str, source: DemoSource) -> Any:
    if kind == "file":
        return author_file(value, file, path, source)
    if kind == "config":
        return author_config(value, file, path, source)
    if kind == "packages":
        return python_packages(value, file, path, source)
    if kind == "str":
        return text_value(value, file, path, source)
    if kind == "int" and isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    if kind == "bool" and isinstance(value, str) and (boolean := to_boolean(value)) is not None:
        return boolean
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "dict": isinstance(value, Mapping),
        "list": isinstance(value, (list, tuple)),
    }[kind]
    if not fits:
        raise DemoError(
            file, f"{path}: expected {TYPE_NAMES[kind]}, got {_as_written(value)}. {TYPE_REMEDIES[kind]}"
        )
    return value


def text_value(value: Any, file: str, path: str, source: DemoSource) -> str:
    """Return a value as text: as the demo file has it, or a whole number in decimal.

    Raises:
        DemoError: The value is a mapping, a list or null, or YAML has replaced its text and the text is unknown.
    """
    written = source.written_text(path)
    if written is not None and value is not None:
        return written
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    remedies = {bool: " Put it in quotes.", float: " Put it in quotes, so that no digit is lost."}
    remedy = remedies.get(type(value), "")
    if value is None:
        remedy = " Write '' for an empty text, or remove the key."
    raise DemoError(file, f"{path}: expected {TYPE_NAMES['str']}, got {_as_written(value)}.{remedy}")


def _check_range(value: int, between: tuple[int, int], file: str, path: str) -> None:
    lowest, highest = between
    if not lowest <= value <= highest:
        reason = " (the block of a demo begins at 1024 or above)" if lowest == 1024 and value < 1024 else ""
        raise DemoError(file, f"{path}: expected a number from {lowest} to {highest}, got {value}{reason}.")


def _as_written(value: Any) -> str:
    """Return `value` as the demo file spells it."""
    if value is None:
        return "null"
    return ("true" if value else "false") if isinstance(value, bool) else f"'{value}'"
