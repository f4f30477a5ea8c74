# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert plain data into traffic, and refuse what cannot be sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    bytes_pattern,
    choice,
    header_name,
    header_value,
    integer,
    mapping,
    number,
    optional,
    pattern,
    scalar_text,
    sequence,
    shown,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import tls
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import parse_alpn
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import parse_expectations
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load.load_keys import (
    default_concurrency,
    parse_phases,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.pod_targets import (
    access_for,
    parse_pod_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.request_content import (
    content_bytes,
    request_headers,
    request_method,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.protocol_keys import (
    http_protocol,
    request_messages,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.saved_values import parse_save
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.session_keys import (
    check_saved_names,
    parse_user_keys,
    redirect_entries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sessions.user_client import Sessions
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import Target, parse_url
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    CONNECTIONS,
    DEFAULT_HOST_HEADER,
    DEFAULT_HOST_LINE,
    DEFAULT_TIMEOUT,
    GRPC_PROTOCOLS,
    HEADER_KEYS,
    HTTP1,
    KEYS,
    MAX_CONCURRENCY,
    MAX_DURATION,
    MAX_PROCESSES,
    MAX_REQUESTS,
    MAX_STREAMS,
    MAX_TIMEOUT,
    PROTOCOL_KEYS,
    REQUEST_KEYS,
    STREAM_KEYS,
    TLS_KEYS,
    ClientCertificate,
    Traffic,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess


def parse_traffic(
    entries: Sequence[Mapping[str, Any]], cluster: Mapping[str, Any] | PodAccess | None = None
) -> list[Traffic]:
    """Return traffic from plain data.

    Args:
        entries: One dictionary for each traffic, with the options of the module http_traffic. A value of None counts as left out.
        cluster: How to connect to the cluster of traffic to pods: the option `cluster`, or an access that exists already.

    Raises:
        ArgumentError: An entry cannot be sent; the message has its key and what to do.

    Example:
        >>> [traffic] = parse_traffic([{"url": "http://127.0.0.1:8080/", "requests": 20}])
        >>> traffic.requests, traffic.method
        (20, 'GET')
    """
    sequence(entries, "traffic", "dictionaries")
    access = access_for(entries, cluster)
    sessions = Sessions()
    found = [
        _traffic(entry, f"traffic[{position}]", access, sessions) for position, entry in enumerate(entries)
    ]
    check_saved_names(
        [(one.entry, str(one.entry.get("session") or ""), [rule.name for rule in one.save]) for one in found]
    )
    return found


def _traffic(entry: Any, where: str, access: PodAccess | None, sessions: Sessions) -> Traffic:
    data = mapping(entry, where, KEYS)
    url = text(data, "url", where)
    if not url:
        raise ArgumentError(
            f"{where}.url", "a value is missing. Set an address, for example http://127.0.0.1:8080/."
        )
    target = parse_url(url, f"{where}.url", needs_port="unix_socket" not in data)
    _check_keys_of_scheme(data, target, where)
    duration = optional(data, "duration", where, number, above=0, most=MAX_DURATION)
    _check_combinations(data, where)
    protocol = http_protocol(data, target, where)
    keys = parse_user_keys(data, protocol, where)
    requests = optional(data, "requests", where, integer, least=1, most=MAX_REQUESTS)
    body = content_bytes(data, "body", where)
    host_header, host_body = _host_from(data, target, where)
    made = Traffic(
        name=text(data, "name", where) or url,
        url=url,
        target=target,
        requests=None if duration is not None or "phases" in data else requests or keys.users,
        concurrency=optional(data, "concurrency", where, integer, least=1, most=MAX_CONCURRENCY)
        or default_concurrency(data),
        reuse=choice(data, "connections", where, CONNECTIONS, "reuse") == "reuse",
        method=request_method(data, where, "POST" if body else "GET"),
        headers=request_headers(data, where),
        host=optional(data, "host", where, header_value),
        body=body,
        timeout=optional(data, "timeout", where, number, above=0, most=MAX_TIMEOUT) or DEFAULT_TIMEOUT,
        rate=optional(data, "rate", where, number, above=0, most=MAX_REQUESTS),
        duration=duration,
        while_file=optional(data, "while_file", where, scalar_text),
        ca=optional(data, "ca", where, scalar_text),
        client_certificate=_client_certificate(data, where),
        server_name=optional(data, "server_name", where, scalar_text),
        pods=parse_pod_targets(data, target.scheme, target.port, where, access),
        unix_socket=_unix_socket(data, target, where),
        within=optional(data, "within", where, number, above=0, most=MAX_DURATION),
        tls_version=choice(data, "tls_version", where, tls.VERSIONS) if "tls_version" in data else None,
        ciphers=optional(data, "ciphers", where, scalar_text),
        alpn=parse_alpn(data, where, protocol or (HTTP1 if target.websocket else "")) if target.tls else (),
        payload=content_bytes(data, "payload", where),
        reply=optional(data, "reply", where, bytes_pattern),
        host_header=host_header,
        host_body=host_body,
        expect=parse_expectations(data.get("expect", ()), f"{where}.expect"),
        protocol=protocol,
        phases=parse_phases(data, where),
        warm_up=optional(data, "warm_up", where, number, above=0, most=MAX_DURATION) or 0.0,
        processes=optional(data, "processes", where, integer, least=1, most=MAX_PROCESSES) or 1,
        streams=optional(data, "streams", where, integer, least=1, most=MAX_STREAMS) or 1,
        messages=request_messages(data, where) if protocol in GRPC_PROTOCOLS else (),
        descriptor_set=optional(data, "descriptor_set", where, scalar_text),
        entry=data,
        session=sessions.of(keys, "users" in data, where),
        save=parse_save(data, where),
        follow_redirects=keys.redirects,
    )
    if made.session is not None and made.concurrency > len(made.session.users):
        raise ArgumentError(
            f"{where}.concurrency",
            f"{made.concurrency} is more than the {len(made.session.users)} users. Each user has one request at a time. Set users.",
        )
    return made._replace(redirect_targets=_redirect_targets(data, made, where, access))


def _redirect_targets(
    data: Mapping[str, Any], traffic: Traffic, where: str, access: PodAccess | None
) -> dict[str, Traffic]:
    """Return how requests to each origin of `redirects_to` are sent."""
    found: dict[str, Traffic] = {}
    for origins, entry, place in redirect_entries(data, where):
        url = text(entry, "url", place)
        target = parse_url(url, f"{place}.url")
        one = traffic._replace(
            url=url,
            target=target,
            host=None,
            ca=optional(entry, "ca", place, scalar_text),
            client_certificate=None,
            server_name=optional(entry, "server_name", place, scalar_text),
            pods=parse_pod_targets(entry, target.scheme, target.port, place, access),
            unix_socket=_unix_socket(entry, target, place),
            alpn=parse_alpn({}, place, HTTP1) if target.tls else (),
        )
        found.update(dict.fromkeys(origins, one))
    return found


def _check_keys_of_scheme(data: Mapping[str, Any], target: Target, where: str) -> None:
    unsupported: list[tuple[str, str]] = []
    if target.http:
        unsupported += [(key, "ws, wss, tcp, tls and udp. Use body instead.") for key in STREAM_KEYS]
    else:
        unsupported += [(key, "http and https. Use payload instead.") for key in REQUEST_KEYS]
        unsupported += [(key, "http and https. Remove the key.") for key in PROTOCOL_KEYS]
    if not target.http and not target.websocket:
        unsupported += [(key, "http, https, ws and wss. Use payload instead.") for key in HEADER_KEYS]
    if not target.tls:
        unsupported += [
            (key, "https, wss and tls. Use one of these schemes, or leave it out.") for key in TLS_KEYS
        ]
    for key, schemes in unsupported:
        if key in data:
            raise ArgumentError(
                f"{where}.{key}", f"the url has scheme {target.scheme}, but {key} is for {schemes}"
            )


def _check_combinations(data: Mapping[str, Any], where: str) -> None:
    phases = [("phases", key) for key in ("requests", "duration", "rate", "while_file")]
    for key, other in (("requests", "duration"), ("within", "while_file"), *phases):
        if key in data and other in data:
            raise ArgumentError(where, f"{key} and {other} exclude each other. Set only one of them.")
    if "while_file" in data and "duration" not in data:
        raise ArgumentError(
            f"{where}.while_file", "it extends duration, which is missing. Set duration, too."
        )


def _host_from(
    data: Mapping[str, Any], target: Target, where: str
) -> tuple[str | None, re.Pattern[str] | None]:
    """Return the header, or the pattern for the body, that contains the name of the answering host."""
    if "host_from" not in data:
        return (DEFAULT_HOST_HEADER, None) if target.http else (None, re.compile(DEFAULT_HOST_LINE))
    where = f"{where}.host_from"
    source = mapping(data["host_from"], where, ("header", "body"))
    if len(source) != 1:
        raise ArgumentError(where, "set either header, the name of a header, or body, a regular expression.")
    if "body" in source:
        return None, pattern(source["body"], f"{where}.body")
    if not target.http and not target.websocket:
        raise ArgumentError(
            f"{where}.header",
            f"the url has scheme {target.scheme}, which has no headers. Use body, a regular expression.",
        )
    return header_name(source["header"], f"{where}.header"), None


def _unix_socket(data: Mapping[str, Any], target: Target, where: str) -> str | None:
    path = optional(data, "unix_socket", where, scalar_text)
    if path is None:
        return None
    if "pod" in data:
        raise ArgumentError(where, "pod and unix_socket exclude each other. Set only one of them.")
    if target.scheme == "udp":
        raise ArgumentError(
            f"{where}.unix_socket", "the url has scheme udp, but unix_socket is for connections."
        )
    if not path.startswith(("/", "@", "~/")):
        raise ArgumentError(
            f"{where}.unix_socket", f"{shown(path)} is not an absolute path. Use one, or @NAME."
        )
    return os.path.expanduser(path)


def _client_certificate(data: Mapping[str, Any], where: str) -> ClientCertificate | None:
    if "client_certificate" not in data:
        return None
    where = f"{where}.client_certificate"
    pair = mapping(data["client_certificate"], where, ("certificate", "key"))
    if len(pair) != 2:
        raise ArgumentError(where, "certificate or key is missing. Set both, each a path.")
    return ClientCertificate(text(pair, "certificate", where), text(pair, "key", where))
