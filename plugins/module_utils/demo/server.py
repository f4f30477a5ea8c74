# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service's own program is told of where it runs: `${port}` in its command, its environment and its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

# Where it listens, what it reads, and what it may write; besides these the names of its further ports.
PORT = "port"
WORDS = ("address", PORT, "files", "data")
# Shell variables and `${env:X}` are other people's; `$${port}` is the text `${port}`.
_WORD = re.compile(r"\$(\$?)\{([a-z][a-z0-9_-]*)\}")


def said(server: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (key, word) of everything that the program wants to be told."""
    for key, text in _texts(server):
        for found in _WORD.finditer(text):
            if not found[1]:
                yield key, found[2]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each word's value in its place."""
    return _WORD.sub(lambda found: found[0][1:] if found[1] else values[found[2]], text)


def _texts(server: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for position, argument in enumerate(server["command"]):
        yield f"command[{position}]", str(argument)
    for key in ("environment", "files"):
        for name, text in server[key].items():
            yield f"{key}.{name}", str(text)
