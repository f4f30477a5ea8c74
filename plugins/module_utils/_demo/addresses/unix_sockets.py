# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Unix sockets of a demo: listeners and applications that listen on one, and their checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import own_address

# The name of a socket, short enough for the path of a Unix socket (107 bytes) below most directories.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,39}")
UNIX_SOCKET = "unix_socket"
APP = "app"


def own_pipe(listener: Mapping[str, Any]) -> str:
    """Return the path of a Unix socket in the author's own fields of a listener. Empty: there is none."""
    pipe = own_address(listener).get("pipe")
    return str(pipe.get("path", "")) if isinstance(pipe, Mapping) else ""


def is_on_unix_socket(listener: Mapping[str, Any]) -> bool:
    """Return whether a listener of a demo is on a Unix socket instead of a port."""
    return bool(listener[UNIX_SOCKET] or own_pipe(listener))


def uses_unix_sockets(demo: Mapping[str, Any], group: str) -> bool:
    """Return whether the instances of `group` need a directory for Unix sockets."""
    service = demo["services"].get(group)
    if service is not None and service[UNIX_SOCKET]:
        return True
    proxy = (service["sidecar"] if service is not None else demo["proxies"].get(group)) or {"listeners": {}}
    return any(listener[UNIX_SOCKET] for listener in proxy["listeners"].values())


def check_listener_address(listener: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError unless a listener has exactly one of a port and a Unix socket."""
    name = listener[UNIX_SOCKET]
    if not is_on_unix_socket(listener):
        if listener["port"] is None:
            raise DemoError(file, f"{where}.port: missing. Add the key, or 'unix_socket'.")
        return
    if name:
        _check_name(name, file, where)
        if listener["port"] is not None:
            raise DemoError(
                file, f"{where}: has 'port' and 'unix_socket'. Keep one of them, or use two listeners."
            )
        if own_address(listener):
            raise DemoError(
                file, f"{where}.listener.address: 'unix_socket' states the address. Remove one of the keys."
            )
    if listener["publish"] is not None:
        raise DemoError(file, f"{where}.publish: a Unix socket has no port. Remove the key.")
    if listener["udp_filters"] is not None:
        raise DemoError(file, f"{where}.udp_filters: datagrams need a port. Use 'port'.")


def check_service_socket(service: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if other keys of a service need the port that its Unix socket replaces."""
    name = service[UNIX_SOCKET]
    if not name:
        return
    _check_name(name, file, where)
    if service["publish"] is not None:
        raise DemoError(
            file, f"{where}.publish: a Unix socket has no port. Publish a listener of the sidecar."
        )
    if service["protocol"] == "udp":
        raise DemoError(file, f"{where}.protocol: datagrams need a port. Remove 'unix_socket'.")
    for key in ("metrics", "promql"):
        if (service["server"] or {}).get(key) is not None:
            raise DemoError(
                file, f"{where}.server.{key}: the page is read at a port. Add the port to 'server.ports'."
            )


def _check_name(name: str, file: str, where: str) -> None:
    if not NAME.fullmatch(name):
        raise DemoError(
            file,
            f"{where}.unix_socket: {name!r} is not the name of a socket. Use at most 40 letters, digits, '.', '_' and '-', without '/'.",
        )
