# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: where an admin interface, or a Prometheus page, can be asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import choice, mapping, text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

FORMATS = ("envoy", "prometheus", "promql")
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
)
ADMIN_PORT = 9901
CONTAINER_URL = f"http://127.0.0.1:{ADMIN_PORT}"
_POD_ONLY = ("namespace", "port", "path")
_NOT_POD = ("url", "ca_path", "client_cert", "client_key")
_PORT_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
_USER = re.compile(r"(?<=//)[^/]+(?=@)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Tls:
    """How a server on https is checked, and what is shown to it."""

    validate: bool = True
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""


@dataclass(frozen=True)
class Pods:
    """The pods of a cluster that one entry means."""

    selector: str
    namespace: str  # empty: the cluster's own
    container: str  # whose readiness counts; empty: the pod's
    port: int | str  # of the pod, by number or by name
    access: PodAccess = field(compare=False, repr=False)

    @property
    def where(self) -> str:
        return f"{self.namespace}/{self.selector}" if self.namespace else self.selector


@dataclass(frozen=True)
class Endpoint:
    """One place to ask. How it is reached is `transport`'s business.

    An entry for pods is one endpoint until they are looked up (`pods.expand`), and then one for each: with `pod`, and as `group` its name.
    """

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
    pods: Pods | None = None
    group: str = ""
    pod: str = ""
    uid: str = ""  # tells a pod from an earlier one of its name
    lack: Failure | None = None  # why it cannot be asked at all
    # It stands for all endpoints of a host of this name, of which nothing else is known.
    whole_host: bool = False

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
        if self.pods is not None and not self.pod:
            return f"pods {self.pods.where}"
        place = f"unix://{self.socket}" if self.scheme == "unix" else f"{self.scheme}://{self.authority}"
        if self.pod:
            return f"{place} in pod {self.pod}"
        return f"{place} in container {self.container}" if self.container else place

    def called(self, pattern: str) -> bool:
        """Whether it, or the entry that it came from, or something that it may stand for, matches a shell pattern."""
        if fnmatchcase(self.name, pattern) or (bool(self.group) and fnmatchcase(self.group, pattern)):
            return True
        # Something below the host may match where a beginning of the pattern matches up to there.
        beginnings = (pattern[:end] for end in range(1, len(pattern) + 1)) if self.whole_host else ()
        return any(fnmatchcase(f"{self.name}/", beginning) for beginning in beginnings)


def parse_endpoints(
    entries: Sequence[Mapping[str, Any]] | None,
    url: str | None = None,
    cluster: Mapping[str, Any] | PodAccess | None = None,
) -> list[Endpoint]:
    """Reads a list of endpoints, or one from its address. `cluster` says where the pods are. Raises SpecError."""
    if url:
        if entries:
            raise SpecError("give either url, for one endpoint, or endpoints, not both")
        entries = [{"name": "envoy", "url": url}]
    if isinstance(entries, (str, bytes, Mapping)) or not isinstance(entries, Sequence) or not entries:
        raise SpecError(
            "endpoints has to be a list of at least one dictionary; or give url, for one endpoint"
        )
    access = _access(cluster, entries)
    endpoints = [_endpoint(entry, f"endpoints[{position}]", access) for position, entry in enumerate(entries)]
    seen: set[str] = set()
    for endpoint in endpoints:
        if endpoint.name in seen:
            raise SpecError(
                f"endpoints: two are named {endpoint.name!r}; results are told apart by name, so give each its own"
            )
        seen.add(endpoint.name)
    return endpoints


def pick(endpoints: Iterable[Endpoint], patterns: Sequence[str], where: str = "endpoint") -> list[Endpoint]:
    """The endpoints that an assertion is about; by default all of Envoy's, or all where none is.

    What matches nothing may be a pod: before pods are looked up, all of them are picked, and afterwards none (see `unknown`).
    """
    everyone = list(endpoints)
    if not patterns:
        return [one for one in everyone if one.format == "envoy"] or everyone
    picked: dict[str, Endpoint] = {}
    for pattern in patterns:
        found = [one for one in everyone if pattern in (one.name, one.group)] or [
            one for one in everyone if one.called(pattern)
        ]
        pods = [one for one in everyone if one.pods is not None]
        if not found and pods:
            found = [one for one in pods if not one.group]
        elif not found:
            known = ", ".join(one.name for one in everyone[:20])
            raise SpecError(f"{where}: no endpoint is named {pattern!r}; there are {known}")
        picked.update((one.name, one) for one in found)
    return list(picked.values())


def unknown(endpoints: Iterable[Endpoint], patterns: Sequence[str]) -> list[str]:
    """The patterns that match none of the endpoints, whose pods were looked up."""
    everyone = list(endpoints)
    return [pattern for pattern in patterns if not any(one.called(pattern) for one in everyone)]


def _access(
    cluster: Mapping[str, Any] | PodAccess | None, entries: Sequence[Mapping[str, Any]]
) -> PodAccess | None:
    """What leads to the cluster, where somebody wants a pod; connected to when it is first asked."""
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
        for key in _POD_ONLY:
            if data.get(key):
                raise SpecError(
                    f"{where}.{key} is about pods, and goes with selector, as in selector: app=web"
                )
    url = text(data, "url", where) or (CONTAINER_URL if container or pods else "")
    if pods is not None:
        # Where its port has a name, the pod's own spec says the number.
        number = pods.port if isinstance(pods.port, int) else ADMIN_PORT
        url = f"http://127.0.0.1:{number}/{text(data, 'path', where).lstrip('/')}"
    if not url:
        raise SpecError(f"{where} needs url (http://, https:// or unix://), container, or selector for pods")
    inside = f"{where}.path" if pods else f"{where}.url"
    scheme, host, port, socket, path = _address(url, inside, form, bool(container))
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
        name=text(data, "name", where) or (pods.where if pods else container or _default_name(url)),
        scheme=scheme,
        host=host,
        port=port,
        socket=socket,
        path=path,
        format=form,
        container="" if pods else container,
        headers=pairs,
        tls=Tls(bool(data.get("validate_certs", True)), text(data, "ca_path", where), cert, key_path),
        pods=pods,
    )


def _pods(data: Mapping[str, Any], where: str, access: PodAccess) -> Pods:
    for key in _NOT_POD:
        if data.get(key):
            instead = "port and path say where in the pod" if key == "url" else "a pod is asked over http"
            raise SpecError(f"{where}.{key} does not go with selector; {instead}")
    port = text(data, "port", where) or str(ADMIN_PORT)
    if not (0 < int(port) < 65_536 if port.isdigit() else _PORT_NAME.fullmatch(port)):
        raise SpecError(f"{where}.port is the number or the name of a pod's port, not {port!r}")
    return Pods(
        selector=text(data, "selector", where),
        namespace=text(data, "namespace", where),
        container=text(data, "container", where),
        port=int(port) if port.isdigit() else port,
        access=access,
    )


def _address(url: str, where: str, form: str, contained: bool) -> tuple[str, str, int, str, str]:
    if re.search(r"[\x00-\x20\x7f]", url):
        raise SpecError(f"{where}: {shown(url)!r} holds blanks or control characters")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("http", "https", "unix"):
        raise SpecError(f"{where}: {shown(url)!r} has to begin with http://, https:// or unix://")
    if scheme == "unix":
        if contained:
            raise SpecError(
                f"{where}: inside a container only http:// is asked; mount the socket and give it without container"
            )
        socket, _colon, path = rest.partition(":/")
        socket = os.path.expanduser(socket) if socket.startswith("~") else socket
        if not socket.startswith(("/", "@")):
            raise SpecError(
                f"{where}: {shown(url)!r} needs an absolute path, such as unix:///run/envoy/admin.sock or unix://~/admin.sock"
            )
        return scheme, "", 0, socket, _page(f"/{path}" if path else "", form)
    if contained and scheme != "http":
        raise SpecError(f"{where}: inside a container only http:// is asked, not {scheme}://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SpecError(f"{where}: {shown(url)!r} is no address: {error}") from None
    if not parts.hostname:
        raise SpecError(f"{where}: {shown(url)!r} names no host")
    if parts.username is not None or parts.password is not None:
        raise SpecError(
            f"{where}: the address of {parts.hostname!r} holds a user; send it in headers, as authorization"
        )
    if parts.fragment or (parts.query and form != "prometheus"):
        raise SpecError(
            f"{where}: {shown(url)!r} has to end before ? and #; what to ask for is decided by the assertions"
        )
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return scheme, parts.hostname, port or (443 if scheme == "https" else 80), "", _page(path, form)


def _page(path: str, form: str) -> str:
    if form != "prometheus":
        return path.rstrip("/")
    return path if path not in ("", "/") else "/metrics"


def _default_name(url: str) -> str:
    """For results and messages: without a query, which may hold a token."""
    return shown(url).partition("://")[2].rstrip("/")


def shown(url: str) -> str:
    """An address for a message: without its query, and without a user."""
    return _USER.sub("…", re.split(r"[?#]", url, maxsplit=1)[0])
