# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The request that follows a redirect (RFC 9110, section 15.4)."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urldefrag, urljoin, urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import DEFAULT_PORTS

REDIRECTS = (301, 302, 303, 307, 308)
_KEEP_METHOD = (307, 308)
# Header fields that are for the first server only.
_PRIVATE = ("authorization", "cookie", "proxy-authorization")
_OF_BODY = ("content-type", "content-encoding", "content-language")


class Visit(NamedTuple):
    """One request of a user."""

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def origin(self) -> str:
        """The scheme, host and port of the URL."""
        return origin_of(self.url)


def origin_of(url: str) -> str:
    """Return the scheme, host and port of a URL. Raises ValueError for text that is no URL.

    Example:
        >>> origin_of("HTTP://Shop.example:80/cart")
        'http://shop.example:80'
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def next_visit(visit: Visit, status: int, location: str) -> Visit:
    """Return the request that a redirect demands. Raises ValueError for a location that is no URL."""
    url = urldefrag(urljoin(visit.url, location)).url
    method, headers, body = visit.method, visit.headers, visit.body
    if status not in _KEEP_METHOD and method not in ("GET", "HEAD") and (status == 303 or method == "POST"):
        method, body = "GET", b""
        headers = tuple(one for one in headers if one[0] not in _OF_BODY)
    if origin_of(url) != visit.origin:
        headers = tuple(one for one in headers if one[0] not in _PRIVATE)
    return Visit(url, method, headers, body)
