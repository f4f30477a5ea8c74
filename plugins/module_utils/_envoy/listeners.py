# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""listeners.yaml: what a proxy listens on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy import tls_contexts as tls_context
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import (
    Message,
    overlay,
    socket_address,
    typed,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import http_connection_manager


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
    where = socket_address(address, port)
    message = typed("envoy.config.listener.v3.Listener", name=name, address=where)
    if spec["udp_filters"] is not None:
        where["socket_address"]["protocol"] = "UDP"
        message["listener_filters"] = [dict(one) for one in spec["udp_filters"]]
    elif spec["filter_chains"] is not None:
        message["filter_chains"] = [
            {"name": chain, "filter_chain_match": one["match"], **_chain(chain, one, secrets, access_log)}
            for chain, one in spec["filter_chains"].items()
        ]
    else:
        message["filter_chains"] = [_chain(name, spec, secrets, access_log)]
    return overlay(message, spec["listener"])


def scheme(spec: Mapping[str, Any]) -> str:
    """Return what is spoken to a listener of a demo: http, https, tcp, tls or udp; with several chains, to the first."""
    if spec.get("udp_filters") is not None:
        return "udp"
    if spec.get("filter_chains"):
        return scheme(next(iter(spec["filter_chains"].values())))
    plain, encrypted = ("tcp", "tls") if is_tcp(spec) else ("http", "https")
    return plain if spec["tls"] is None else encrypted


def is_tcp(spec: Mapping[str, Any]) -> bool:
    """Whether a listener forwards something else than HTTP."""
    return spec["filters"] is not None


def chains(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what a listener of a demo does with connections: its filter chains, or itself."""
    return list(spec["filter_chains"].values()) if spec["filter_chains"] else [spec]


def _chain(name: str, spec: Mapping[str, Any], secrets: str, access_log: bool) -> Message:
    """Return one FilterChain; `name` is what its stats are called."""
    chain: Message = {"filters": _filters(name, spec, access_log)}
    if spec["tls"] is not None:
        alpn = () if is_tcp(spec) else ("h2", "http/1.1")
        chain["transport_socket"] = tls_context.downstream(secrets, spec["tls"], alpn)
    return chain


def _filters(name: str, spec: Mapping[str, Any], access_log: bool) -> list[Message]:
    if is_tcp(spec):
        return [dict(one) for one in spec["filters"]]
    hosts = spec["virtual_hosts"]
    if hosts is None:
        hosts = [{"name": name, "domains": ["*"], "routes": spec["routes"]}]
    options = spec["http_connection_manager"]
    return [http_connection_manager(name, hosts, spec["http_filters"], options, access_log)]
