# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy messages as plain data: their types, their addresses, and the rule by which an author's fields override generated ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

Message = dict[str, Any]


def any_message(message_type: str, **fields: Any) -> Message:
    """Return a message packed as google.protobuf.Any.

    Args:
        message_type: Full name of the type, such as `envoy.config.cluster.v3.Cluster`.
        fields: Fields of the message.

    Example:
        >>> any_message("envoy.extensions.filters.http.router.v3.Router")
        {'@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router'}
    """
    return {"@type": f"type.googleapis.com/{message_type}", **fields}


def socket_address(address: str, port: int) -> Message:
    """Return a config.core.v3.Address with the IP address or host name `address`."""
    return {"socket_address": {"address": address, "port_value": port}}


def discovery_response(resources: Sequence[Message]) -> Message:
    """Return a service.discovery.v3.DiscoveryResponse, which is the content of a watched file.

    Its `version_info` is a hash of the resources. Envoy shows the version that is live in the stats
    `listener_manager.lds.version_text` and `cluster_manager.cds.version_text`, and in /config_dump.
    """
    text = json.dumps(resources, default=str)
    return {
        "version_info": f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        "resources": resources,
    }


def overlay(message: Mapping[str, Any], overrides: Mapping[str, Any] | None) -> Message:
    """Return a copy of `message` with the fields of `overrides` merged into it.

    The rule is that of `envoy --config-yaml`, which merges protobuf messages (Envoy's "Command line options"):

    - a message is merged field by field, at any depth;
    - a list is appended to the list of `message`;
    - any other value replaces the value of `message`.

    Two cases go beyond that rule. An Any whose `@type` differs replaces the whole Any, because the fields of one type mean
    nothing in another. A null removes the field, so that Envoy's default applies.

    Args:
        message: The generated message. It is not modified.
        overrides: Fields of the same message that an author wrote. None changes nothing.

    Returns:
        The merged message.

    Example:
        >>> overlay({"node": {"id": "edge"}, "filters": [1]}, {"node": {"cluster": "web"}, "filters": [2]})
        {'node': {'id': 'edge', 'cluster': 'web'}, 'filters': [1, 2]}
        >>> overlay({"stats_flush_interval": "1s"}, {"stats_flush_interval": None})
        {}
    """
    merged = deepcopy(dict(message))
    for field, value in (overrides or {}).items():
        merged[field] = _merged_value(merged.get(field), value)
    return {field: value for field, value in merged.items() if value is not None}


def _merged_value(generated: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        same_type = isinstance(generated, Mapping) and generated.get("@type") == value.get(
            "@type", generated.get("@type")
        )
        return overlay(generated if same_type else {}, value)
    if isinstance(value, (list, tuple)) and isinstance(generated, list):
        return [*generated, *deepcopy(value)]
    return deepcopy(value)
