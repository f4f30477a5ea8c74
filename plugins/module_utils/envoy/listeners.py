# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""listeners.yaml: what a proxy listens on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.envoy import tls as tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.filters import http_connection_manager
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.message import (
    Message,
    overlay,
    socket_address,
    typed,
)


def listener(
    name: str,
    spec: Mapping[str, Any],
    address: str,
    port: int,
    secrets: str,
    access_log: bool = True,
) -> Message:
    """Return the Listener `name` of a demo's `spec` (see `demo.shape.LISTENER`), bound to `address` and `port`.

    `secrets` is the folder of the proxy's SDS files, used where the listener speaks TLS.
    """
    chain: Message = {"filters": _filters(name, spec, access_log)}
    if spec["tls"] is not None:
        alpn = () if is_tcp(spec) else ("h2", "http/1.1")
        chain["transport_socket"] = tls_context.downstream(secrets, spec["tls"], alpn)
    message = typed(
        "envoy.config.listener.v3.Listener",
        name=name,
        address=socket_address(address, port),
        filter_chains=[chain],
    )
    return overlay(message, spec["listener"])


def scheme(spec: Mapping[str, Any]) -> str:
    """Return what is spoken to a listener of a demo: http, https, tcp or tls."""
    plain, encrypted = ("tcp", "tls") if is_tcp(spec) else ("http", "https")
    return plain if spec["tls"] is None else encrypted


def is_tcp(spec: Mapping[str, Any]) -> bool:
    """Whether a listener forwards something else than HTTP."""
    return spec["filters"] is not None


def _filters(name: str, spec: Mapping[str, Any], access_log: bool) -> list[Message]:
    if is_tcp(spec):
        return [dict(one) for one in spec["filters"]]
    hosts = spec["virtual_hosts"]
    if hosts is None:
        hosts = [{"name": name, "domains": ["*"], "routes": spec["routes"]}]
    options = spec["http_connection_manager"]
    return [http_connection_manager(name, hosts, spec["http_filters"], options, access_log)]
