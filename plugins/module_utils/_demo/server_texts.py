# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service's own program is told of where it runs: `${port}` in its command, its environment and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import placeholders

# Where it listens, what it reads, and what it may write; besides these the names of its further ports, and where others are.
PORT = "port"
WORDS = ("address", PORT, "files", "data")
# What expectations can ask a port of it for, by the key that says at which path, and the format in which it answers.
PAGES = {"metrics": "prometheus", "promql": "promql"}


def ready(server: Mapping[str, Any]) -> str | None:
    """Return the path of the page that tells whether it serves; None where a connection has to do.

    One that shows metrics has to be able to show them before they are asserted.
    """
    path: str | None = server["ready"] or server["metrics"]
    return path


def said(server: Mapping[str, Any] | None) -> set[str]:
    """Return everything that the program, if there is one, wants to be told."""
    return {word for _key, text in texts(server) for word in placeholders.said(text)}


def texts(server: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of everything in which words are said."""
    if server is None:
        return
    for position, argument in enumerate(server["command"]):
        yield f"command[{position}]", str(argument)
    for key in ("environment", "files"):
        for name, text in server[key].items():
            yield f"{key}.{name}", str(text)
