# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read endpoints from the options of a task."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import (
    choice,
    header_name,
    header_value,
    mapping,
    names,
    pod_port,
    text,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.url_problem import url_problem
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import (
    FORMATS,
    Endpoint,
    EndpointPods,
    Tls,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

KEYS = (
    "name",
    "url",
    "container",
    "namespace",
    "selector",
    "port",
    "path",
    "format",
    "headers",
    "ca_path",
    "client_cert",
    "client_key",
    "validate_certs",
    "proxy",
    "host",
    "standby",
)
ADMIN_PORT = 9901
_CONTAINER_URL = f"http://127.0.0.1:{ADMIN_PORT}"
_POD_KEYS = ("namespace", "port", "path")
_NOT_POD_KEYS = ("url", "ca_path", "client_cert", "client_key")
_USER = re.compile(r"(?<=//)[^/]+(?=@)")
_BLANK = re.compile(r"[\x00-\x20\x7f]")


def parse_endpoints(
    entries: Sequence[Mapping[str, Any]] | None,
    url: str | None = None,
    cluster: Mapping[str, Any] | PodAccess | None = None,
) -> list[Endpoint]:
    """Return the endpoints that the options of a task describe. No connection is opened.

    Args:
        entries: The option `endpoints`: dictionaries with the keys KEYS.
        url: The option `url`: the address of one admin interface, which gets the name `envoy`.
        cluster: The option `cluster`: the cluster of the pods.

    Raises:
        ArgumentError: An entry is wrong, or two have one name.

    Example:
        >>> [edge, exporter] = parse_endpoints(
        ...     [
        ...         {"name": "edge", "url": "unix:///run/envoy/admin.sock"},
        ...         {"name": "exporter", "url": "http://127.0.0.1:9102", "format": "prometheus"},
        ...     ]
        ... )
        >>> edge.where, exporter.path
        ('unix:///run/envoy/admin.sock', '/metrics')
    """
    if url:
        if entries:
            raise ArgumentError("endpoints", "url is set too. Use url for one endpoint, or endpoints.")
        entries = [{"name": "envoy", "url": url}]
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence) or not entries:
        raise ArgumentError(
            "endpoints", "expected a list of at least one dictionary. Add an endpoint, or set url for one."
        )
    access = _pod_access(cluster, entries)
    endpoints = [_endpoint(entry, f"endpoints[{position}]", access) for position, entry in enumerate(entries)]
    known: set[str] = set()
    for endpoint in endpoints:
        if endpoint.name in known:
            raise ArgumentError("endpoints", f"two have the name {endpoint.name!r}. Give each its own name.")
        known.add(endpoint.name)
    return endpoints


def without_secrets(url: str) -> str:
    """Return a URL for messages, without query, fragment and user."""
    return _USER.sub("…", re.split(r"[?#]", url, maxsplit=1)[0])


def _pod_access(
    cluster: Mapping[str, Any] | PodAccess | None, entries: Sequence[Mapping[str, Any]]
) -> PodAccess | None:
    """Return the access to the cluster if an entry selects pods. It connects at the first request."""
    if not any(isinstance(entry, Mapping) and entry.get("selector") for entry in entries):
        return None
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

    return cluster if isinstance(cluster, PodAccess) else PodAccess(cluster)


def _endpoint(entry: Any, where: str, access: PodAccess | None = None) -> Endpoint:
    data = mapping(entry, where, KEYS)
    selector = text(data, "selector", where)
    container = text(data, "container", where)
    form = choice(data, "format", where, FORMATS, "envoy")
    pods = _pods(data, where, access) if selector and access is not None else None
    if pods is None:
        for key in _POD_KEYS:
            if data.get(key):
                raise ArgumentError(
                    f"{where}.{key}", "only pods have it. Set selector, as in selector: app=web."
                )
    url = text(data, "url", where) or (_CONTAINER_URL if container or pods else "")
    if pods is not None:
        # A port with a name gets its number from the spec of each pod.
        number = pods.port if isinstance(pods.port, int) else ADMIN_PORT
        url = f"http://127.0.0.1:{number}/{text(data, 'path', where).lstrip('/')}"
    if not url:
        raise ArgumentError(
            where, "no address. Set url (http://, https:// or unix://), container, or selector for pods."
        )
    scheme, host, port, socket, path = _address(
        url, f"{where}.path" if pods else f"{where}.url", form, bool(container)
    )
    headers = mapping(data.get("headers") or {}, f"{where}.headers")
    if data.get("standby") and form != "envoy":
        raise ArgumentError(f"{where}.standby", "only an admin interface has clusters. Leave it out.")
    cert, key_path = text(data, "client_cert", where), text(data, "client_key", where)
    if key_path and not cert:
        raise ArgumentError(f"{where}.client_key", "client_cert is missing. Set it to the key's certificate.")
    return Endpoint(
        name=text(data, "name", where) or (pods.where if pods else container or _default_name(url)),
        scheme=scheme,
        host=host,
        port=port,
        socket=socket,
        path=path,
        format=form,
        container="" if pods else container,
        headers=tuple(
            (header_name(name, f"{where}.headers"), header_value(value, f"{where}.headers.{name}"))
            for name, value in headers.items()
        ),
        tls=Tls(bool(data.get("validate_certs", True)), text(data, "ca_path", where), cert, key_path),
        pods=pods,
        standby=names(data.get("standby") or [], f"{where}.standby"),
    )


def _pods(data: Mapping[str, Any], where: str, access: PodAccess) -> EndpointPods:
    for key in _NOT_POD_KEYS:
        if data.get(key):
            instead = "Use port and path" if key == "url" else "Leave it out: pods are read over http"
            raise ArgumentError(f"{where}.{key}", f"it cannot be combined with selector. {instead}.")
    return EndpointPods(
        selector=text(data, "selector", where),
        namespace=text(data, "namespace", where),
        container=text(data, "container", where),
        port=pod_port(data.get("port") or ADMIN_PORT, f"{where}.port"),
        access=access,
    )


def _address(url: str, where: str, form: str, contained: bool) -> tuple[str, str, int, str, str]:
    """Return the scheme, host, port, socket and path of a URL."""
    if _BLANK.search(url):
        raise _wrong_url(where, url, "contains a blank or a control character. Percent-encode it.")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https", "unix"):
        raise _wrong_url(where, url, "has no supported scheme. Use one of: http://, https://, unix://.")
    if contained and scheme != "http":
        raise ArgumentError(
            where,
            f"{scheme}:// cannot be used with container. Use http://, or mount the socket and leave out container.",
        )
    if scheme == "unix":
        socket, _colon, path = rest.partition(":/")
        socket = os.path.expanduser(socket) if socket.startswith("~") else socket
        if not socket.startswith(("/", "@")):
            raise _wrong_url(
                where, url, "has no absolute path. Write unix:///path, unix://~/path or unix://@name."
            )
        return scheme, "", 0, socket, _page(f"/{path}" if path else "", form)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong_url(where, url, f"is not a URL: {url_problem(error)}") from None
    if not host:
        raise _wrong_url(where, url, f"has no host. Write {scheme}://HOST.")
    if parts.username is not None or parts.password is not None:
        raise ArgumentError(
            where,
            f"the URL for {host} contains a user name or password. Send it in the header authorization.",
        )
    if parts.fragment or (parts.query and form != "prometheus"):
        raise _wrong_url(where, url, "is followed by ? or #. Remove that part: assertions set the query.")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return scheme, host, port or (443 if scheme == "https" else 80), "", _page(path, form)


def _wrong_url(where: str, url: str, problem: str) -> ArgumentError:
    return ArgumentError(where, f"{without_secrets(url)!r} {problem}")


def _page(path: str, form: str) -> str:
    if form != "prometheus":
        return path.rstrip("/")
    return path if path not in ("", "/") else "/metrics"


def _default_name(url: str) -> str:
    """Return the name of an endpoint without one; a query can contain a token, so it is left out."""
    return without_secrets(url).partition("://")[2].rstrip("/")
