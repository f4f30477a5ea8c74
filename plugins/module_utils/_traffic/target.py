# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address that traffic goes to."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import shown
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.url_problem import url_problem

SCHEMES = ("http", "https", "ws", "wss", "tcp", "tls", "udp")
ENCRYPTED = ("https", "wss", "tls")
DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Target(NamedTuple):
    """The parts of a traffic's URL."""

    scheme: str  # one of SCHEMES
    host: str
    port: int
    path: str  # with its query; empty for tcp, tls and udp

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme in ENCRYPTED

    @property
    def authority(self) -> str:
        """The host in a request: with the port, unless it is that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def http(self) -> bool:
        """Whether each request is an HTTP request."""
        return self.scheme in ("http", "https")

    @property
    def websocket(self) -> bool:
        """Whether a connection begins with an HTTP request and continues as a WebSocket."""
        return self.scheme in ("ws", "wss")


def parse_url(url: str, where: str = "url", needs_port: bool = True) -> Target:
    """Return the parts of a URL. Without `needs_port`, a port that neither the URL nor its scheme has is 0.

    Raises:
        ArgumentError: No request can be sent to the URL.

    Example:
        >>> parse_url("https://shop.example/cart?id=1")
        Target(scheme='https', host='shop.example', port=443, path='/cart?id=1')
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ArgumentError(where, f"{shown(url)} is not a URL: {url_problem(error)}") from None
    if parts.scheme not in SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ArgumentError(where, f"{shown(url)} has no scheme that is supported. Use one of: {schemes}.")
    if not parts.hostname:
        raise ArgumentError(where, f"{shown(url)} has no host. Write {parts.scheme}://HOST.")
    if parts.username is not None or parts.password is not None:
        raise ArgumentError(
            where,
            f"the URL for {parts.hostname} contains a user name or password. Send it in the header authorization.",
        )
    if re.search(r"[\x00-\x20\x7f]", url) or not url.isascii():
        raise ArgumentError(
            where, f"{shown(url)} contains a character that a URL cannot contain. Percent-encode it."
        )
    if parts.scheme in DEFAULT_PORTS:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], path)
    if not port and needs_port:
        raise ArgumentError(
            where, f"{shown(url)} has no port. Add one, for example {parts.scheme}://{parts.hostname}:9000."
        )
    if parts.path or parts.query:
        raise ArgumentError(
            where, f"{shown(url)} has a path, but {parts.scheme}:// has none. Send it with payload."
        )
    return Target(parts.scheme, parts.hostname, port or 0, "")
