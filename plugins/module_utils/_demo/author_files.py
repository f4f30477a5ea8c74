# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of a demo's author: `{source: path}`, `{content: text}`, `{base64: text}` or text."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known

SOURCE, CONTENT, BASE64, SENSITIVE = "source", "content", "base64", "sensitive"
KEYS = (SOURCE, CONTENT, BASE64, SENSITIVE)


@dataclass(frozen=True)
class AuthorFile:
    """The content of a file that the author of a demo provides.

    Attributes:
        content: Text, or bytes that are not text.
        source: Path relative to the demo file. Empty: the content is in the demo, and its placeholders are filled.
        sensitive: Whether the content is a secret.
    """

    content: str | bytes
    source: str = ""
    sensitive: bool = False

    @property
    def template(self) -> str:
        """The text with placeholders. Empty for a file that is deployed unchanged."""
        return self.content if isinstance(self.content, str) and not self.source else ""


def author_file(value: Any, file: str, where: str, source: DemoSource) -> AuthorFile:
    """Return the file that a value of a demo describes.

    Args:
        value: Text, or a mapping with `source`, `content` or `base64`, and `sensitive`.
        file: Name of the demo file.
        where: The key that holds `value`.
        source: Reads the files relative to the demo file.

    Raises:
        DemoError: The value has another form, or its file cannot be read.
    """
    if isinstance(value, str):
        return AuthorFile(value)
    if not isinstance(value, Mapping):
        raise DemoError(
            file,
            f"{where}: expected text, or a mapping with 'source' or 'content'. Put text that looks like a number in quotes.",
        )
    for key in value:
        check_known(str(key), KEYS, file, where, "key of a file")
    found = [key for key in (SOURCE, CONTENT, BASE64) if value.get(key) is not None]
    if len(found) != 1:
        both = " and ".join(f"'{key}'" for key in found)
        state = f"has both {both}" if found else "has neither 'source' nor 'content'"
        raise DemoError(
            file,
            f"{where}: {state}. Use 'source' (a path relative to the demo file), 'content' (the text) or 'base64' (bytes).",
        )
    key = found[0]
    if not isinstance(value[key], str):
        raise DemoError(file, f"{where}.{key}: expected text. Put it in quotes.")
    sensitive = value.get(SENSITIVE)
    if sensitive not in (None, True, False):
        raise DemoError(file, f"{where}.{SENSITIVE}: expected true or false, got '{sensitive}'.")
    if key == CONTENT:
        return AuthorFile(value[key], sensitive=bool(sensitive))
    if key == BASE64:
        return AuthorFile(_decoded(value[key], file, f"{where}.{key}"), sensitive=bool(sensitive))
    return AuthorFile(_read(value[key], file, f"{where}.{key}", source), value[key], bool(sensitive))


def _decoded(text: str, file: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise DemoError(
            file, f"{where}: not Base64. Encode the file with `base64`, or use 'content' for text."
        ) from None


def _read(path: str, file: str, where: str, source: DemoSource) -> str | bytes:
    try:
        content = source.read(path)
    except OSError as error:
        raise DemoError(
            file,
            f"{where}: cannot read '{path}': {error_text(error)}. Correct the path, which is relative to the demo file.",
        ) from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    return content if "\0" in text else text
