# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The traffic of a plan: the requests of the demo with URLs of the platform, as module http_traffic takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ADMIN, APP
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import only_codec
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.tls_files import has_own_certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.tls.traffic_files import located_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.target import (
    DEFAULT_PORTS,
    ENCRYPTED,
    SCHEMES,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    HTTP1,
    HTTP2,
    HTTP3,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import KEYS as TRAFFIC_KEYS

Entry = dict[str, Any]
# Seconds until a request fails: longer than Envoy waits for a response by default, and than a busy machine pauses.
REQUEST_TIMEOUT = 60
# The certificate of the demo's authority, below the deployment folder.
AUTHORITY = "ca/ca.crt"


def plan_traffic(entries: Sequence[Mapping[str, Any]], platform: Platform, where: str) -> list[Entry]:
    """Return `entries` as module http_traffic takes them.

    `to` and `path` become `url`. In `expect`, `among: SERVICE` becomes the names of its instances, and
    `value: {replicas: SERVICE}` their number.

    Args:
        entries: Requests of the demo.
        platform: The platform with the demo.
        where: The key of the demo file that holds `entries`.

    Raises:
        DemoError: http_traffic would refuse an entry, or its target does not exist.
    """
    found = [
        _traffic(dict(entry), platform, f"{where}[{position}]") for position, entry in enumerate(entries)
    ]
    try:
        parsed = parse_traffic(found)
    except ValueError as error:
        # The planner makes the URL, of which only the path is the author's.
        problem = re.sub(r"^(\[\d+\])\.url:", r"\1.path:", str(error).removeprefix("traffic"))
        raise DemoError(platform.demo["file"], where + problem) from None
    for position, one in enumerate(parsed):
        if one.reads_flags and where.endswith("during"):
            raise DemoError(
                platform.demo["file"],
                f"{where}[{position}].expect: response_flag needs the access log after the traffic. Use it in 'traffic'.",
            )
    return found


def replace_replicas(entry: Entry, platform: Platform, where: str) -> Entry:
    """Return `entry` with the number of replicas in place of `value: {replicas: SERVICE}`."""
    value = entry.get("value")
    if isinstance(value, Mapping) and set(value) == {"replicas"}:
        service = str(value["replicas"])
        path = f"{where}.value.replicas"
        check_known(service, platform.demo["services"], platform.demo["file"], path, "service")
        entry["value"] = platform.replicas(service)
    return entry


def _traffic(entry: Entry, platform: Platform, where: str) -> Entry:
    demo = platform.demo
    for key in entry:
        check_known(str(key), ("to", "scheme", "path", *TRAFFIC_KEYS), demo["file"], where, "key")
    if "url" in entry:
        raise DemoError(
            demo["file"], f"{where}.url: the planner computes it. Use 'to' with a service or proxy."
        )
    if "to" not in entry:
        example = next(iter([*demo["proxies"], *demo["services"]]), "edge")
        raise DemoError(
            demo["file"], f"{where}: 'to' is missing. Name a service or proxy, such as 'to: {example}'."
        )
    name = str(entry.pop("to"))
    group, port = _target(name, platform, f"{where}.to")
    scheme = _scheme(group, port, entry.pop("scheme", None), platform, where)
    _set_protocol(entry, group, port, scheme, platform, where)
    path = entry.pop("path", None)
    if unix_socket := topology.unix_socket_of(demo, group, port):
        entry["unix_socket"] = _socket_on_host(group, port, unix_socket, platform, where)
    entry["url"] = _url(group, port, scheme, path, platform, where)
    entry.setdefault("name", name)
    entry.setdefault("timeout", REQUEST_TIMEOUT)
    if "unix_socket" not in entry:
        entry.update(platform.traffic_target(group, port))
    if isinstance(entry.get("redirects_to"), list):
        entry["redirects_to"] = [
            _redirect_target(one, platform, f"{where}.redirects_to[{position}]")
            for position, one in enumerate(entry["redirects_to"])
        ]
    entry = located_traffic(entry, platform)
    if scheme in ENCRYPTED:
        if "ca" not in entry and not _has_own_certificate(group, port, platform):
            entry["ca"] = f"{platform.context.folder}/{AUTHORITY}"
        entry.setdefault("server_name", group)
    expected = entry.get("expect") or []
    if isinstance(expected, list):
        entry["expect"] = _expectations(expected, platform, f"{where}.expect")
    return entry


def _redirect_target(name: Any, platform: Platform, where: str) -> Entry:
    """Return how a client reaches a target of redirects, with the origins that proxies and users know it by."""
    demo = platform.demo
    group, port = topology.resolve_target(demo, str(name), where)
    scheme = topology.scheme_of(demo, group, port)
    if scheme not in ("http", "https"):
        raise DemoError(demo["file"], f"{where}: '{group}/{port}' speaks {scheme}. Name a target with HTTP.")
    public = _published_netloc(group, port, platform, where)
    known = [
        netloc(*platform.address(platform.instance(group), port, platform.instance(proxy)))
        for proxy in (*demo["proxies"], *demo["services"])
        if platform.replicas(proxy)
    ]
    origins = dict.fromkeys(f"{scheme}://{one}" for one in (public, *known))
    found: Entry = {"url": f"{scheme}://{public}", "origins": list(origins)}
    found.update(platform.traffic_target(group, port))
    if scheme in ENCRYPTED and not _has_own_certificate(group, port, platform):
        found |= {"ca": f"{platform.context.folder}/{AUTHORITY}", "server_name": group}
    return found


def _target(name: str, platform: Platform, where: str) -> tuple[str, str]:
    """Return (group, port name) of the target: one that proxies can reach, or the read-only admin of a proxy."""
    group, _slash, port = name.partition("/")
    if port == ADMIN and topology.proxy_of(platform.demo, group) is not None:
        return group, port
    return topology.resolve_target(platform.demo, name, where)


def _has_own_certificate(group: str, port: str, platform: Platform) -> bool:
    """Return whether the author states the certificate of a listener, in place of one of the demo's authority."""
    proxy = topology.proxy_of(platform.demo, group)
    listener = (proxy or {"listeners": {}})["listeners"].get(port)
    return listener is not None and has_own_certificate(listener)


def _scheme(group: str, port: str, stated: Any, platform: Platform, where: str) -> str:
    """Return the scheme of the URL: the stated one, or else what the target speaks."""
    demo = platform.demo
    usual = topology.scheme_of(demo, group, port)
    if stated is None:
        return usual
    # Any protocol over TCP is allowed: a listener can accept several, and a demo can show that it refuses one.
    known = [one for one in SCHEMES if (one == "udp") == (usual == "udp")]
    check_known(str(stated), known, demo["file"], f"{where}.scheme", "scheme")
    return str(stated)


def _set_protocol(entry: Entry, group: str, port: str, scheme: str, platform: Platform, where: str) -> None:
    """Set the version of HTTP that the target requires. Raises DemoError if the entry states another one."""
    listener = topology.listeners(platform.demo, group).get(port)
    codec = only_codec(listener) if listener is not None and scheme in DEFAULT_PORTS else ""
    if not codec:
        if entry.get("protocol") == HTTP3:
            target, remedy = f"'{group}/{port}'", "Name a listener with 'protocol: http3' in 'to'"
            if listener is not None:
                target, remedy = f"listener '{port}' of '{group}'", "Set 'protocol: http3' there"
            raise DemoError(
                platform.demo["file"],
                f"{where}.protocol: {target} accepts TCP only. {remedy}, or remove the key.",
            )
        return
    required = {"HTTP2": HTTP2, "HTTP3": HTTP3}[codec]
    stated = entry.setdefault("protocol", required) if scheme in ("http", "https") else HTTP1
    if stated == HTTP1 or (required == HTTP3) != (stated == HTTP3):  # gRPC is sent over HTTP/2
        raise DemoError(
            platform.demo["file"],
            f"{where}: listener '{port}' of '{group}' accepts only {codec}, but the traffic is sent with {stated}."
            f" Remove 'protocol' of the traffic, or change it in the listener.",
        )


def _url(group: str, port: str, scheme: str, path: str | None, platform: Platform, where: str) -> str:
    """Return the URL of the first instance of `group`, as its users reach it."""
    demo = platform.demo
    netloc = "localhost"
    if not topology.unix_socket_of(demo, group, port):
        netloc = _published_netloc(group, port, platform, where)
    if scheme in DEFAULT_PORTS:
        if path is not None and not str(path).startswith("/"):
            raise DemoError(
                demo["file"],
                f"{where}.path: expected a path that begins with '/', got '{path}'. Write '/{path}'.",
            )
        return f"{scheme}://{netloc}{path or '/'}"
    if path is not None:
        raise DemoError(
            demo["file"],
            f"{where}.path: applies to HTTP, but '{group}/{port}' speaks {scheme}. Remove the key.",
        )
    return f"{scheme}://{netloc}"


def _socket_on_host(group: str, port: str, unix_socket: str, platform: Platform, where: str) -> str:
    """Return the path on the host of the Unix socket of the first instance of `group`."""
    path = platform.socket_on_host(platform.instance(group), unix_socket)
    if not path:
        remedy = (
            "Use 'unix_socket' with the name of a socket instead of a path."
            if platform.socket_on_host(platform.instance(group), "name")
            else "Send it to a listener with a port, or state the platform in 'unsupported_on'."
        )
        raise DemoError(
            platform.demo["file"],
            f"{where}.to: '{group}/{port}' listens on a Unix socket that this platform's host does not reach. {remedy}",
        )
    return path


def _published_netloc(group: str, port: str, platform: Platform, where: str) -> str:
    """Return `host:port` of the first instance of `group`, as its users reach it."""
    demo = platform.demo
    listening = platform.ports[group, port]
    if not listening.publish and not listening.for_users:
        kind = "port" if port in topology.server_ports(demo, group) else "listener"
        subject = f"services.{group}" if port == APP else f"{kind} '{port}' of '{group}'"
        raise DemoError(demo["file"], f"{where}.to: {subject} is not published. Add 'publish:' with a port.")
    return platform.public_netloc(group, port)


def _expectations(entries: list[Any], platform: Platform, where: str) -> list[Any]:
    """Return what is expected of the responses, with names of instances in place of the name of a service.

    Where these names are unknown before deployment, the number of responding hosts is expected instead.
    """
    found: list[Any] = []
    for position, entry in enumerate(entries):
        if not isinstance(entry, Mapping):
            found.append(entry)  # parse_traffic reports the error
            continue
        one = replace_replicas(dict(entry), platform, f"{where}[{position}]")
        if isinstance(one.get("among"), str):
            service = one.pop("among")
            path = f"{where}[{position}].among"
            check_known(service, platform.demo["services"], platform.demo["file"], path, "service")
            hosts = platform.responding_hosts(service)
            if hosts is not None:
                one["among"] = hosts
            elif not any(isinstance(other, Mapping) and other.get("hosts") == "count" for other in entries):
                found.append({"hosts": "count", "op": "eq", "value": platform.replicas(service)})
        found.append(one)
    return found
