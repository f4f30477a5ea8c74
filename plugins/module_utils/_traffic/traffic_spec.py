# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What traffic is: the words of one traffic, read from plain data into types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import client_tls
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import (
    Expectation,
    parse_expectations,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import (
    Pods,
    access_for,
    parse_pods,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import (
    TOKEN,
    TrafficError,
    bytes_pattern,
    choice,
    dictionary,
    header_name,
    integer,
    number,
    pattern,
    plain,
    text,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

MAX_REQUESTS = 1_000_000
MAX_CONCURRENCY = 1_000
MAX_SECONDS = 86_400.0

SCHEMES = ("http", "https", "ws", "wss", "tcp", "tls", "udp")
ENCRYPTED = ("https", "wss", "tls")
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
CONNECTIONS = ("reuse", "new")
KEYS = (
    "name",
    "url",
    "requests",
    "concurrency",
    "connections",
    "method",
    "headers",
    "host",
    "body",
    "timeout",
    "rate",
    "duration",
    "while_file",
    "within",
    "ca",
    "client_certificate",
    "server_name",
    "tls_version",
    "ciphers",
    "alpn",
    "pod",
    "payload",
    "reply",
    "host_from",
    "expect",
)
# Which keys are for which schemes; a key that is not here is for all.
REQUEST_KEYS = ("method", "body")
HEADER_KEYS = ("headers", "host")
STREAM_KEYS = ("payload", "reply")
TLS_KEYS = ("ca", "client_certificate", "server_name", "tls_version", "ciphers", "alpn")

DEFAULT_HOST_HEADER = "x-served-by"
DEFAULT_HOST_LINE = r"served-by (\S+)\s"


class Target(NamedTuple):
    """Where a traffic goes to."""

    scheme: str
    host: str
    port: int
    path: str  # with its query; empty where the protocol has none

    @property
    def tls(self) -> bool:
        return self.scheme in ENCRYPTED

    @property
    def http(self) -> bool:
        """Whether requests are HTTP's own."""
        return self.scheme in ("http", "https")

    @property
    def upgraded(self) -> bool:
        """Whether HTTP is only how it begins."""
        return self.scheme in ("ws", "wss")


class Certificate(NamedTuple):
    """The certificate that a client shows, and its key: paths."""

    certificate: str
    key: str


class Traffic(NamedTuple):
    """One traffic: where to, how much, how, and what is expected of it."""

    name: str
    url: str
    target: Target
    requests: int | None = 1  # None: until `duration` has passed
    concurrency: int = 1
    reuse: bool = True
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    host: str | None = None
    body: bytes = b""
    timeout: float = 10.0
    rate: float | None = None
    duration: float | None = None
    while_file: str | None = None
    ca: str | None = None
    client_certificate: Certificate | None = None
    server_name: str | None = None
    pods: Pods | None = None  # what connections go to, in place of the address
    within: float | None = None  # seconds for its expectations to come true; None: at once
    tls_version: str | None = None  # one of tls.VERSIONS; None: the best that both know
    ciphers: str | None = None
    alpn: tuple[str, ...] = ()
    payload: bytes = b""
    reply: re.Pattern[bytes] | None = None
    host_header: str | None = DEFAULT_HOST_HEADER
    host_body: re.Pattern[str] | None = None
    expect: tuple[Expectation, ...] = ()


def parse_traffic(
    entries: Sequence[Mapping[str, Any]], cluster: Mapping[str, Any] | PodAccess | None = None
) -> list[Traffic]:
    """Reads a list of traffic; a key whose value is None counts as not given. `cluster` says where pods are."""
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence):
        raise TrafficError("traffic has to be a list of dictionaries, one for each traffic")
    access = access_for(entries, cluster)
    return [_traffic(entry, f"traffic[{position}]", access) for position, entry in enumerate(entries)]


def _traffic(entry: Any, where: str, access: PodAccess | None) -> Traffic:
    data = dictionary(entry, where, KEYS)
    url = text(data, "url", where)
    if url is None:
        raise TrafficError(f"{where}.url is missing: say where to send requests, e.g. http://127.0.0.1:8080/")
    target = parse_url(url, f"{where}.url")
    _refuse_foreign_keys(data, target, where)
    duration = number(data, "duration", where, above=0, most=MAX_SECONDS)
    if duration is not None and "requests" in data:
        raise TrafficError(f"{where}: give either requests or duration, not both")
    if duration is None and "while_file" in data:
        raise TrafficError(f"{where}.while_file makes duration longer; give duration, too")
    if "within" in data and "while_file" in data:
        raise TrafficError(f"{where}: give either within or while_file, not both")
    requests = integer(data, "requests", where, least=1, most=MAX_REQUESTS)
    body = (text(data, "body", where) or "").encode()
    host_header, host_body = _host_from(data, target, where)
    return Traffic(
        name=text(data, "name", where) or url,
        url=url,
        target=target,
        requests=None if duration is not None else requests or 1,
        concurrency=integer(data, "concurrency", where, least=1, most=MAX_CONCURRENCY) or 1,
        reuse=choice(data, "connections", where, CONNECTIONS, "reuse") == "reuse",
        method=_method(data, where, "POST" if body else "GET"),
        headers=_headers(data, where),
        host=_header_value(text(data, "host", where), f"{where}.host"),
        body=body,
        timeout=number(data, "timeout", where, above=0, most=3600) or 10.0,
        rate=number(data, "rate", where, above=0, most=float(MAX_REQUESTS)),
        duration=duration,
        while_file=text(data, "while_file", where),
        ca=text(data, "ca", where),
        client_certificate=_certificate(data, where),
        server_name=text(data, "server_name", where),
        pods=parse_pods(data, target.scheme, target.port, where, access),
        within=number(data, "within", where, above=0, most=MAX_SECONDS),
        tls_version=choice(data, "tls_version", where, client_tls.VERSIONS, None)
        if "tls_version" in data
        else None,
        ciphers=text(data, "ciphers", where),
        alpn=client_tls.parse_alpn(data, where, target.http or target.upgraded) if target.tls else (),
        payload=(text(data, "payload", where) or "").encode(),
        reply=bytes_pattern(data, "reply", where),
        host_header=host_header,
        host_body=host_body,
        expect=parse_expectations(data, where),
    )


def parse_url(url: str, where: str = "url") -> Target:
    """Takes an address apart and refuses one that nothing can be sent to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise TrafficError(f"{where}: {url!r} is no address: {error}") from None
    if parts.scheme not in SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise TrafficError(f"{where}: {url!r} has to start with one of {schemes}")
    if not parts.hostname:
        raise TrafficError(f"{where}: {url!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise TrafficError(
            f"{where}: {parts.hostname!r} comes with a user; send it as a header named authorization"
        )
    if re.search(r"[\x00-\x20\x7f]", url) or not url.isascii():
        raise TrafficError(f"{where}: {url!r} holds blanks or characters that have to be percent-encoded")
    if parts.scheme in PORTS:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, parts.hostname, port or PORTS[parts.scheme], path)
    if not port:
        raise TrafficError(f"{where}: {url!r} needs a port, e.g. {parts.scheme}://{parts.hostname}:9000")
    if parts.path or parts.query:
        raise TrafficError(
            f"{where}: {url!r} has a path, which {parts.scheme} does not know; use payload instead"
        )
    return Target(parts.scheme, parts.hostname, port, "")


def _refuse_foreign_keys(data: Mapping[str, Any], target: Target, where: str) -> None:
    foreign: list[tuple[str, str]] = []
    if target.http:
        foreign += [(key, "ws, wss, tcp, tls and udp; use body instead") for key in STREAM_KEYS]
    else:
        foreign += [(key, "http and https; use payload instead") for key in REQUEST_KEYS]
    if not target.http and not target.upgraded:
        foreign += [(key, "http, https, ws and wss; use payload instead") for key in HEADER_KEYS]
    if not target.tls:
        foreign += [(key, "https, wss and tls") for key in TLS_KEYS]
    for key, owners in foreign:
        if key in data:
            raise TrafficError(f"{where}.{key} is for {owners}, and the url is {target.scheme}://")


def _host_from(
    data: Mapping[str, Any], target: Target, where: str
) -> tuple[str | None, re.Pattern[str] | None]:
    if "host_from" not in data:
        return (DEFAULT_HOST_HEADER, None) if target.http else (None, re.compile(DEFAULT_HOST_LINE))
    where = f"{where}.host_from"
    source = dictionary(data["host_from"], where, ("header", "body"))
    if len(source) != 1:
        raise TrafficError(f"{where} takes either header, a name, or body, a regular expression")
    if "body" in source:
        return None, pattern(source, "body", where)
    if not target.http and not target.upgraded:
        raise TrafficError(f"{where}.header is for http and https; use body, a regular expression, instead")
    return header_name(text(source, "header", where), f"{where}.header"), None


def _certificate(data: Mapping[str, Any], where: str) -> Certificate | None:
    if "client_certificate" not in data:
        return None
    where = f"{where}.client_certificate"
    pair = dictionary(data["client_certificate"], where, ("certificate", "key"))
    certificate, key = text(pair, "certificate", where), text(pair, "key", where)
    if certificate is None or key is None:
        raise TrafficError(f"{where} needs both certificate and key, each a path")
    return Certificate(certificate, key)


def _method(data: Mapping[str, Any], where: str, default: str) -> str:
    method = text(data, "method", where) or default
    if not TOKEN.fullmatch(method) or method.upper() == "CONNECT":
        raise TrafficError(
            f"{where}.method: {method!r} is no method that can be sent; use GET, POST, HEAD or the like"
        )
    return method.upper()


def _headers(data: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    where = f"{where}.headers"
    headers = data.get("headers", {})
    if not isinstance(headers, Mapping):
        raise TrafficError(f"{where} has to be a dictionary of names and values")
    answer: list[tuple[str, str]] = []
    for key, value in headers.items():
        name = header_name(str(key), where)
        if name in ("host", "content-length", "transfer-encoding", "connection"):
            instead = {"host": "host", "connection": "connections"}.get(name, "body")
            raise TrafficError(f"{where}: {name} is set by {instead}, not here")
        if isinstance(value, (list, Mapping)) or value is None:
            raise TrafficError(f"{where}.{key} has to be text")
        answer.append((name, _header_value(plain(value), f"{where}.{key}") or ""))
    return tuple(answer)


def _header_value(value: str | None, where: str) -> str | None:
    if value is not None and re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise TrafficError(
            f"{where} holds a line break or another control character, which a header cannot carry"
        )
    return value
