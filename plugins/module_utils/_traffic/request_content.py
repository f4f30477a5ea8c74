# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bytes that a request sends: text, Base64, or data as JSON."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import choice, expected
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError

ENCODINGS = ("text", "base64")
JSON_TYPE = "application/json"


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
