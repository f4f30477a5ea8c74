# Copyright (c) 2026 meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: where an admin interface, or a Prometheus page, can be asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from .errors import SpecError
from .reading import choice, dictionary, text

FORMATS = ("envoy", "prometheus", "promql")
KEYS = (
    "name",
    "url",
    "container",
    "format",
    "headers",
    "ca_path",
    "client_cert",
    "client_key",
    "validate_certs",
    "proxy",
)
CONTAINER_URL = "http://127.0.0.1:9901"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Tls:
    """How a server on https is checked, and what is shown to it."""

    validate: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""


@dataclass(frozen=True)
class Endpoint:
    """One place to ask. How it is reached is `transport`'s business."""

    name: str
    scheme: str  # http, https or unix
    host: str = ""
    port: int = 0
    socket: str = ""  # of unix: an absolute path, or @name for an abstract one
    path: str = ""  # what comes before /stats; of Prometheus: the page itself
    format: str = "envoy"
    container: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tls: Tls = Tls()

    @property
    def authority(self) -> str:
        """The Host header."""
        if self.scheme == "unix":
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def where(self) -> str:
        """For a message; without anything secret."""
        place = f"unix://{self.socket}" if self.scheme == "unix" else f"{self.scheme}://{self.authority}"
        return f"{place} in container {self.container}" if self.container else place


def parse_endpoints(entries: Sequence[Mapping[str, Any]] | None, url: str | None = None) -> list[Endpoint]:
    """Reads a list of endpoints, or one from its address. Raises SpecError."""
    if url:
        if entries:
            raise SpecError("give either url, for one endpoint, or endpoints, not both")
        entries = [{"name": "envoy", "url": url}]
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence) or not entries:
        raise SpecError(
            "endpoints has to be a list of at least one dictionary; or give url, for one endpoint"
        )
    endpoints = [_endpoint(entry, f"endpoints[{position}]") for position, entry in enumerate(entries)]
    seen: set[str] = set()
    for endpoint in endpoints:
        if endpoint.name in seen:
            raise SpecError(
                f"endpoints: two are named {endpoint.name!r}; results are told apart by name, so give each its own"
            )
        seen.add(endpoint.name)
    return endpoints


def pick(endpoints: Iterable[Endpoint], patterns: Sequence[str], where: str = "endpoint") -> list[Endpoint]:
    """The endpoints that an assertion is about; by default all of Envoy's, or all where none is."""
    everyone = list(endpoints)
    if not patterns:
        return [one for one in everyone if one.format == "envoy"] or everyone
    picked: dict[str, Endpoint] = {}
    for pattern in patterns:
        found = [one for one in everyone if one.name == pattern] or [
            one for one in everyone if fnmatchcase(one.name, pattern)
        ]
        if not found:
            known = ", ".join(one.name for one in everyone[:20])
            raise SpecError(f"{where}: no endpoint is named {pattern!r}; there are {known}")
        picked.update((one.name, one) for one in found)
    return list(picked.values())


def _endpoint(entry: Any, where: str) -> Endpoint:
    data = dictionary(entry, where, KEYS)
    container = text(data, "container", where)
    url = text(data, "url", where) or (CONTAINER_URL if container else "")
    if not url:
        raise SpecError(f"{where} needs url (http://, https:// or unix://), or container")
    form = choice(data, "format", where, FORMATS, "envoy")
    scheme, host, port, socket, path = _address(url, f"{where}.url", form, bool(container))
    headers = data.get("headers", {})
    if not isinstance(headers, Mapping):
        raise SpecError(f"{where}.headers has to be a dictionary of names and values")
    pairs = tuple((str(key), str(value)) for key, value in headers.items())
    for key, value in pairs:
        if not _TOKEN.fullmatch(key) or re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise SpecError(
                f"{where}.headers: {key!r} or its value holds a character that no header can carry"
            )
    cert, key_path = text(data, "client_cert", where), text(data, "client_key", where)
    if key_path and not cert:
        raise SpecError(f"{where}.client_key goes with client_cert")
    return Endpoint(
        name=text(data, "name", where) or container or _default_name(url),
        scheme=scheme,
        host=host,
        port=port,
        socket=socket,
        path=path,
        format=form,
        container=container,
        headers=pairs,
        tls=Tls(bool(data.get("validate_certs", True)), text(data, "ca_path", where), cert, key_path),
    )


def _address(url: str, where: str, form: str, contained: bool) -> tuple[str, str, int, str, str]:
    if re.search(r"[\x00-\x20\x7f]", url):
        raise SpecError(f"{where}: {url!r} holds blanks or control characters")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https", "unix"):
        raise SpecError(f"{where}: {url!r} has to begin with http://, https:// or unix://")
    if scheme == "unix":
        if contained:
            raise SpecError(
                f"{where}: inside a container only http:// is asked; mount the socket and give it without container"
            )
        socket, _colon, path = rest.partition(":/")
        socket = os.path.expanduser(socket) if socket.startswith("~") else socket
        if not socket.startswith(("/", "@")):
            raise SpecError(
                f"{where}: {url!r} needs an absolute path, such as unix:///run/envoy/admin.sock or unix://~/admin.sock"
            )
        return scheme, "", 0, socket, _page(f"/{path}" if path else "", form)
    if contained and scheme != "http":
        raise SpecError(f"{where}: inside a container only http:// is asked, not {scheme}://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SpecError(f"{where}: {url!r} is no address: {error}") from None
    if not parts.hostname:
        raise SpecError(f"{where}: {url!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise SpecError(
            f"{where}: the address of {parts.hostname!r} holds a user; send it in headers, as authorization"
        )
    if parts.fragment or (parts.query and form != "prometheus"):
        raise SpecError(
            f"{where}: {url!r} has to end before ? and #; what to ask for is decided by the assertions"
        )
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return scheme, parts.hostname, port or (443 if scheme == "https" else 80), "", _page(path, form)


def _page(path: str, form: str) -> str:
    if form != "prometheus":
        return path.rstrip("/")
    return path if path not in ("", "/") else "/metrics"


def _default_name(url: str) -> str:
    return url.partition("://")[2].rstrip("/")
