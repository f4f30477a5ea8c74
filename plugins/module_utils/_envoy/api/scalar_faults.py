# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults of a single value in an Envoy message: numbers, booleans, durations and the values of an enum."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import enum_values
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.field_names import near, shown

_WRAPPERS = {
    "google.protobuf.UInt32Value": "n",
    "google.protobuf.UInt64Value": "n",
    "google.protobuf.Int32Value": "n",
    "google.protobuf.Int64Value": "n",
    "google.protobuf.DoubleValue": "f",
    "google.protobuf.FloatValue": "f",
    "google.protobuf.BoolValue": "b",
    "google.protobuf.StringValue": "s",
    "google.protobuf.BytesValue": "y",
}
_EXPECTED = {"n": "a whole number", "f": "a number", "b": "true or false", "s": "text", "y": "text"}
_DURATION = "google.protobuf.Duration"
_BOOLEAN_TEXTS = ("true", "false", "yes", "no", "on", "off", "y", "n")
_UNITS = {"ms": 0.001, "m": 60, "min": 60, "h": 3600, "sec": 1, "s": 1, "": 1}
_NUMBER_TEXT = re.compile(r"\s*[+-]?(\d[\d.eE+-]*|\.\d+|NaN|Infinity|inf(inity)?|nan)\s*")


def scalar_fault(value: Any, kind: str) -> str:
    """Return the fault of a value, or an empty string. `kind` is the type of its field, as in `api_types.Field`.

    The accepted forms are those of Envoy 1.36 to 1.40, which accept more than the JSON mapping of protobuf (observed).
    """
    if isinstance(value, str) and "${" in value:
        return ""  # a placeholder, whose value is another text
    if isinstance(value, Mapping) and set(value) == {"value"} and kind in _WRAPPERS:
        value = value["value"]
    kind = _WRAPPERS.get(kind, kind)
    if kind == _DURATION:
        return _duration_fault(value)
    if values := enum_values(kind):
        return _enum_fault(value, values)
    if kind not in _EXPECTED:
        return ""
    got = f"expected {_EXPECTED[kind]}, got {shown(value)}."
    if isinstance(value, (list, tuple)) or (isinstance(value, Mapping) and value):
        return f"{got} Write one value."
    if isinstance(value, Mapping):
        return ""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Envoy's YAML parser leaves a number with a decimal point as text.
    if kind == "s" and isinstance(value, int):
        return f"{got} Put it in quotes."
    if kind in "nf" and not is_number and not (isinstance(value, str) and _NUMBER_TEXT.fullmatch(value)):
        return f"{got} Write a number without a unit."
    if kind == "n" and isinstance(value, float) and not value.is_integer():
        return f"{got} Write it without a decimal point."
    if kind == "b" and not isinstance(value, bool) and str(value).lower() not in _BOOLEAN_TEXTS:
        return f"{got} Write one of them."
    return ""


def _duration_fault(value: Any) -> str:
    if isinstance(value, Mapping) or (isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?s", value)):
        return ""
    number = (
        None if isinstance(value, bool) else re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value))
    )
    if number and number[2] in _UNITS:
        seconds = f"{float(number[1]) * _UNITS[number[2]]:.9f}".rstrip("0").rstrip(".")
        return f"{shown(value)} is not a duration. Write it in seconds, with the unit: {seconds}s."
    return (
        f"expected a duration such as 0.25s, got {shown(value)}. Write a number of seconds with the unit s."
    )


def _enum_fault(value: Any, values: tuple[str, ...]) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return ""
    names = {one.lower(): one for one in values}
    if isinstance(value, str) and (value.lower() in names or re.fullmatch(r"-?\d+", value)):
        return ""
    if isinstance(value, str) and (spelled := near(value.lower(), names, 0.7)):
        return f"unknown value {shown(value)}. Did you mean {names[spelled]}?"
    return f"unknown value {shown(value)}. Use one of: {', '.join(values)}."
