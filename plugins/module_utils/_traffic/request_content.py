# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request sends: its method, its headers, and its bytes from text, Base64, or data as JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    HEADER_NAME,
    choice,
    expected,
    header_name,
    header_value,
    mapping,
    shown,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

ENCODINGS = ("text", "base64")
JSON_TYPE = "application/json"
# Headers that other keys set.
_SET_BY = {
    "host": "host",
    "connection": "connections",
    "content-length": "body",
    "transfer-encoding": "body",
}


def content_bytes(data: Mapping[str, Any], key: str, where: str) -> bytes:
    """Return the bytes of `body` or `payload`. A list and a mapping become JSON.

    Raises:
        ArgumentError: YAML has replaced the text of a value, or the text is not in the stated encoding.
    """
    value = data.get(key)
    encoding = choice(data, f"{key}_encoding", where, ENCODINGS, "text")
    if value is None:
        return b""
    if encoding == "base64":
        text = plain_text(value, f"{where}.{key}")
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ArgumentError(
                f"{where}.{key}", f"not Base64. Encode it, or remove {key}_encoding."
            ) from None
    if is_json(value):
        return json.dumps(value, ensure_ascii=False).encode()
    return plain_text(value, f"{where}.{key}").encode()


def is_json(value: Any) -> bool:
    """Return whether a body is sent as JSON."""
    return isinstance(value, (Mapping, list, tuple))


def plain_text(value: Any, where: str) -> str:
    """Return text as it is, and a whole number in decimal.

    Raises:
        ArgumentError: The value is a boolean, a fraction or null, whose text in the YAML file is unknown.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (bool, float)):
        shown = str(value).lower() if isinstance(value, bool) else value
        raise ArgumentError(where, f"expected text, got {shown}, which YAML has converted. Put it in quotes.")
    if value is None:
        raise ArgumentError(where, "expected text, got null. Write '' for an empty text, or remove the key.")
    raise expected(where, "text", value)


def request_method(data: Mapping[str, Any], where: str, default: str) -> str:
    """Return the method of a request in capitals. Raises ArgumentError."""
    method = text(data, "method", where) or default
    if not HEADER_NAME.fullmatch(method) or method.upper() == "CONNECT":
        raise ArgumentError(
            f"{where}.method",
            f"{shown(method)} cannot be sent. Use GET, POST, HEAD or another method but CONNECT.",
        )
    return method.upper()


def request_headers(data: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """Return the stated header fields of a request, and the content type of a body that is JSON. Raises ArgumentError."""
    where = f"{where}.headers"
    headers: list[tuple[str, str]] = []
    entries = data.get("headers", {})
    mapping(entries, where)
    for key, value in entries.items():
        name = header_name(str(key), where)
        if name in _SET_BY:
            raise ArgumentError(
                f"{where}.{key}", f"this header follows from {_SET_BY[name]}. Use that key instead."
            )
        if isinstance(value, (list, tuple)):
            headers += [
                (name, _header_value(one, f"{where}.{key}[{position}]")) for position, one in enumerate(value)
            ]
        else:
            headers.append((name, _header_value(value, f"{where}.{key}")))
    if is_json(data.get("body")) and "content-type" not in {name for name, _value in headers}:
        headers.append(("content-type", JSON_TYPE))
    return tuple(headers)


def _header_value(value: Any, where: str) -> str:
    return header_value(plain_text(value, where), where)
