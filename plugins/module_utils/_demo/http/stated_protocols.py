# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key `protocol` of listeners and clusters: what follows from it, and what contradicts it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import TLS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.http_protocols import (
    HTTP3,
    HTTP_OPTIONS,
    OPTION_FIELDS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import only_codec, own_address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    CLUSTER,
    HTTP_CONNECTION_MANAGER,
    LISTENER,
    snake_case_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import (
    snake_case_message,
)


def complete_protocols(proxy: Mapping[str, Any]) -> None:
    """Add what follows from `protocol` in place: `tls: {}` for HTTP/3, and the protocol of an author's own QUIC fields."""
    for listener in proxy["listeners"].values():
        if listener["protocol"] is None and _has_quic_fields(listener):
            listener["protocol"] = HTTP3
        _complete_tls(listener)
    for cluster in proxy["clusters"].values():
        if cluster["protocol"] is None and _sends_http3(cluster):
            cluster["protocol"] = HTTP3
        _complete_tls(cluster)


def check_listener_protocol(
    listener: Mapping[str, Any], kind: str, listeners: Mapping[str, Any], file: str, where: str
) -> None:
    """Raise DemoError if `protocol` or `alt_svc` contradicts the other keys of a listener.

    Args:
        listener: The listener.
        kind: What it processes, one of validation.LISTENER_KINDS.
        listeners: All listeners of its proxy, by name.
        file: Name of the demo file.
        where: The key of the listener.
    """
    protocol, announced = listener["protocol"], listener["alt_svc"]
    if protocol and kind not in ("routes", "virtual_hosts"):
        raise DemoError(
            file,
            f"{where}.protocol: applies to one HTTP listener, but this one has '{kind}'. Use 'routes' or 'virtual_hosts'.",
        )
    if protocol:
        _check_codec(listener, protocol, file, where)
    if protocol == HTTP3 and (listener["unix_socket"] or own_address(listener)):
        key = "unix_socket" if listener["unix_socket"] else "listener.address"
        raise DemoError(file, f"{where}.{key}: QUIC needs a UDP port. Use 'port'.")
    if not announced:
        return
    if protocol == HTTP3 or kind not in ("routes", "virtual_hosts"):
        raise DemoError(
            file,
            f"{where}.alt_svc: announces HTTP/3 to clients of another version of HTTP. Move it to their listener.",
        )
    known = [name for name, one in listeners.items() if one["protocol"] == HTTP3]
    if not known:
        raise DemoError(
            file, f"{where}.alt_svc: the proxy has no HTTP/3 listener. Add one with 'protocol: http3'."
        )
    check_known(announced, known, file, f"{where}.alt_svc", "HTTP/3 listener")


def check_cluster_protocol(cluster: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if `protocol` contradicts the fields of a cluster."""
    own = OPTION_FIELDS.get(cluster["protocol"])
    stated = [field for field in explicit_options(cluster) if field != own]
    if own and stated:
        raise DemoError(
            file,
            f"{where}.protocol: '{stated[0]}' of 'cluster' states another one. Remove one of them.",
        )
    fields = snake_case_fields(cluster["cluster"], CLUSTER)
    if cluster["protocol"] and "http2_protocol_options" in fields:
        raise DemoError(
            file,
            f"{where}.cluster.http2_protocol_options: the deprecated form of 'protocol: http2'. Remove the field.",
        )


def explicit_options(cluster: Mapping[str, Any]) -> list[str]:
    """Return the versions of HTTP that an author's fields of a cluster state: names of fields of ExplicitHttpConfig."""
    options = snake_case_fields(cluster["cluster"], CLUSTER).get("typed_extension_protocol_options")
    found = options.get(HTTP_OPTIONS) if isinstance(options, Mapping) else None
    explicit = snake_case_message(found).get("explicit_http_config")
    return list(snake_case_message(explicit))


def _complete_tls(spec: Any) -> None:
    if spec["protocol"] == HTTP3 and spec["tls"] is None:
        spec["tls"] = {key: deepcopy(option.get("default")) for key, option in TLS.options.items()}


def _has_quic_fields(listener: Mapping[str, Any]) -> bool:
    """Return whether an author's fields state QUIC, except for what the collection generates: the address and the transport socket."""
    fields = snake_case_fields(listener["listener"], LISTENER)
    udp = snake_case_message(fields.get("udp_listener_config"))
    is_stated = "quic_options" in udp and "address" not in fields and "filter_chains" not in fields
    return is_stated and only_codec(listener) == "HTTP3"


def _sends_http3(cluster: Mapping[str, Any]) -> bool:
    fields = snake_case_fields(cluster["cluster"], CLUSTER)
    return (
        cluster["tls"] is not None
        and "transport_socket" not in fields
        and explicit_options(cluster) == [OPTION_FIELDS[HTTP3]]
    )


def _check_codec(listener: Mapping[str, Any], protocol: str, file: str, where: str) -> None:
    manager = snake_case_fields(listener["http_connection_manager"], HTTP_CONNECTION_MANAGER)
    codec = str(manager.get("codec_type", "")).lower()
    if codec and codec != protocol:
        raise DemoError(
            file,
            f"{where}.http_connection_manager.codec_type: '{manager['codec_type']}' contradicts 'protocol: {protocol}'. Remove one.",
        )
