# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of a service's own server: placeholders such as `${port}` in its command, environment and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import placeholder_names

PORT = "port"
# The bind address, the port, the directory of the server's files and its writable directory. The names of the server's
# further ports and the addresses of the demo are placeholders too.
SERVER_PLACEHOLDERS = ("address", PORT, "files", "data", "unix_socket")
# The pages that expectations can query: the key that states the path, and the format of the page.
STATS_PAGES = {"metrics": "prometheus", "promql": "promql"}


def readiness_page(server: Mapping[str, Any]) -> str | None:
    """Return the path of the page that shows readiness, or None if a TCP connection is the readiness probe.

    A server with a metrics page is ready when it serves that page, because expectations query the page.
    """
    path: str | None = server["ready"] or server["metrics"]
    return path


def server_placeholders(server: Mapping[str, Any] | None) -> set[str]:
    """Return the names of all placeholders in the texts of `server`. A service without a server has none."""
    return {name for _key, text in server_texts(server) for name in placeholder_names(text)}


def server_texts(server: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of each text that can contain placeholders."""
    if server is None:
        return
    for position, argument in enumerate(server["command"]):
        yield f"command[{position}]", str(argument)
    for key in ("environment", "files"):
        for name, text in server[key].items():
            yield f"{key}.{name}", text.template if isinstance(text, AuthorFile) else text
