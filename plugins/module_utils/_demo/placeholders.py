# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`${word}` in a demo's texts: which words are said, whether they stand for anything, and the same text with their values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

# Shell variables and `${env:X}` are other people's; `$${edge/http}` is the text `${edge/http}`.
_WORD = re.compile(r"\$(\$?)\{([a-z][a-z0-9_/.-]*)\}")
_PART = re.compile(r"\.(host|port)$")


def said(text: str) -> list[str]:
    """Return the words of `text`."""
    return [found[2] for found in _WORD.finditer(text) if not found[1]]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each word's value in its place."""
    return _WORD.sub(lambda found: found[0][1:] if found[1] else values[found[2]], text)


def place(word: str) -> str:
    """Return where a word is about: `edge/http` of `edge/http.port`."""
    return _PART.sub("", word)


def address(name: str, scheme: str, netloc: str, host: str, port: int | str) -> dict[str, str]:
    """Return the words for a place, with their values."""
    return {name: f"{scheme}://{netloc}", f"{name}.host": host, f"{name}.port": str(port)}


def check(text: str, places: Collection[str], others: Collection[str], file: str, where: str) -> None:
    """Raise DemoError for a word that is neither about one of `places` nor one of `others`."""
    for word in said(text):
        if place(word) not in places and word not in others:
            raise DemoError(
                file,
                f"{where}: there is no ${{{word}}}; there is: {', '.join([*others, *places])}"
                f" ($${{{word}}} is that text itself)",
            )
