# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The address of a host outside the demo: a host name or an IP address, without scheme, port and path."""

from __future__ import annotations

import re

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import is_ip

HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def host_address(value: str, file: str, path: str) -> str:
    """Return a host name or an IP address. An IPv6 address is returned without its brackets.

    Args:
        value: The address that the demo states.
        file: The demo file, for errors.
        path: The key that holds `value`, for errors.

    Raises:
        DemoError: `value` is another form, such as a URL or `host:port`. The message contains the correct form.
    """
    bracketed = re.fullmatch(r"\[([^\]]*)\]", value)
    host = bracketed[1] if bracketed else value
    if is_ip(host) or (HOST_NAME.fullmatch(host) and not bracketed):
        return host
    raise DemoError(file, f"{path}: {_problem(value)}")


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
