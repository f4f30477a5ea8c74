# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts and files in the traffic of a demo: headers, bodies, payloads, certificates and keys."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import (
    CONTENT,
    SENSITIVE,
    SOURCE,
    author_file,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema_types import text_value
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.tls.traffic_tls import with_tls_files

CONTENTS = ("body", "payload")


def traffic_with_texts(entries: Any, file: str, where: str, source: DemoSource) -> Any:
    """Return entries of traffic whose headers have the text of the demo file, and whose bodies have the content of files.

    Args:
        entries: A list of entries, or None.
        file: Name of the demo file.
        where: The key that holds `entries`.
        source: The origin of the demo.

    Raises:
        DemoError: A header is not text, or a file cannot be read.
    """
    return entries and [
        _entry(entry, file, f"{where}[{position}]", source) for position, entry in enumerate(entries)
    ]


def _entry(entry: Mapping[str, Any], file: str, where: str, source: DemoSource) -> dict[str, Any]:
    found = with_tls_files(entry, file, where, source)
    if isinstance(found.get("headers"), Mapping):
        found["headers"] = {
            name: _texts(value, file, f"{where}.headers.{name}", source)
            for name, value in found["headers"].items()
        }
    for key in CONTENTS:
        if found.get(key) is not None:
            found |= _content(found[key], key, file, f"{where}.{key}", source)
    if isinstance(found.get("expect"), list):
        found["expect"] = [
            _expectation(one, file, f"{where}.expect[{position}]", source)
            for position, one in enumerate(found["expect"])
        ]
    return found


def _texts(value: Any, file: str, where: str, source: DemoSource) -> Any:
    if isinstance(value, list):
        return [text_value(one, file, f"{where}[{position}]", source) for position, one in enumerate(value)]
    return text_value(value, file, where, source)


def _content(value: Any, key: str, file: str, where: str, source: DemoSource) -> dict[str, Any]:
    """Return the keys of http_traffic for a body: text, bytes in Base64, or data that http_traffic sends as JSON."""
    if isinstance(value, (list, Mapping)) and not _is_file(value):
        return {key: value}
    if not isinstance(value, Mapping):
        return {key: text_value(value, file, where, source)}
    if value.get(SENSITIVE):
        raise DemoError(
            file,
            f"{where}.{SENSITIVE}: results show what was sent. Remove the key, and send no secret.",
        )
    content = author_file(value, file, where, source).content
    if isinstance(content, str):
        return {key: content}
    return {key: base64.b64encode(content).decode(), f"{key}_encoding": "base64"}


def _is_file(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and value.keys() <= {SOURCE, CONTENT, SENSITIVE}
        and bool(value.keys() & {SOURCE, CONTENT})
    )


def _expectation(one: Any, file: str, where: str, source: DemoSource) -> Any:
    header = one.get("header") if isinstance(one, Mapping) else None
    if not isinstance(header, Mapping) or header.get("value") is None:
        return one
    value = text_value(header["value"], file, f"{where}.header.value", source)
    return {**one, "header": {**header, "value": value}}
