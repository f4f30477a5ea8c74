# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of a program outside the demo: a host name or an IP address without scheme and port, or a Unix socket."""

from __future__ import annotations

import re

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import MAX_PATH_BYTES
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import UNIX
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip

HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def host_address(value: str, file: str, path: str, unix_sockets: bool = False) -> str:
    """Return a host name or an IP address. An IPv6 address is returned without its brackets.

    Args:
        value: The address that the demo states.
        file: The demo file, for errors.
        path: The key that holds `value`, for errors.
        unix_sockets: Whether `unix:///path` and `unix://@name` are valid, too.

    Raises:
        DemoError: `value` is another form, such as a URL or `host:port`. The message contains the correct form.
    """
    if unix_sockets and (value.startswith(("unix:", "/"))):
        return _unix_socket(value, file, path)
    bracketed = re.fullmatch(r"\[([^\]]*)\]", value)
    host = bracketed[1] if bracketed else value
    if is_ip(host) or (HOST_NAME.fullmatch(host) and not bracketed):
        return host
    raise DemoError(file, f"{path}: {_problem(value)}")


def is_unix_socket(address: str | None) -> bool:
    """Return whether an address of a demo is that of a Unix socket."""
    return bool(address) and str(address).startswith(UNIX)


def _unix_socket(value: str, file: str, path: str) -> str:
    """Return the address of a Unix socket."""
    name = value.removeprefix("unix:").removeprefix("//")
    if not re.fullmatch(r"[/@][\x21-\x7e]+", name) or name.endswith("/"):
        raise DemoError(
            file,
            f"{path}: {value!r} is not the address of a Unix socket. Write unix:///PATH, or unix://@NAME.",
        )
    if not value.startswith(UNIX):
        raise DemoError(file, f"{path}: {value!r} is a path. Write '{UNIX}{name}' for a Unix socket.")
    if len(name) > MAX_PATH_BYTES:
        raise DemoError(
            file,
            f"{path}: the path has {len(name)} bytes, but a Unix socket allows {MAX_PATH_BYTES}. Use a shorter path.",
        )
    return value


def _problem(value: str) -> str:
    """Return what is wrong with an address, and the correct form where it can be derived."""
    if (host := value.strip()) != value:
        return f"{value!r} contains blanks. Write '{host}'."
    scheme = SCHEME.match(value)
    rest = value[scheme.end() :] if scheme else value
    host, _slash, _path = rest.partition("/")
    name, port = _host_and_port(host)
    is_bracketed_name = host.startswith("[") and not is_ip(name)
    if is_bracketed_name or not (is_ip(name) or HOST_NAME.fullmatch(name)):
        return f"{value!r} is not a host name or an IP address. Use letters, digits, '-', '_' and '.', or an IP address."
    if scheme:
        tls = " and 'tls: {}'" if scheme[0].lower() in ("https://", "wss://") else ""
        ported = f", 'port: {port}'" if port else ""
        return f"{value!r} is a URL. Write the host without the scheme: '{name}'{ported}{tls}."
    if "/" in rest:
        return f"{value!r} contains a path. Write the host only: '{name}'."
    return f"{value!r} contains a port. Write '{name}', and 'port: {port}' next to it."


def _host_and_port(text: str) -> tuple[str, str]:
    """Return the parts of `host:port`, `[IPv6]:port` or a host without a port."""
    match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::(\d+))?", text)
    return (match[1] or match[2] or "", match[3] or "") if match else (text, "")
