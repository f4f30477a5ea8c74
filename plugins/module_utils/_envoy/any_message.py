# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy's messages as data: how they are named, and how an author's fields go over the collection's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

Message = dict[str, Any]


def typed(url: str, **fields: Any) -> Message:
    """Return a message packed as google.protobuf.Any: `url` is its type without the usual prefix."""
    return {"@type": f"type.googleapis.com/{url}", **fields}


def socket_address(address: str, port: int) -> Message:
    """Return a config.core.v3.Address of an IP address or host name."""
    return {"socket_address": {"address": address, "port_value": port}}


def discovery(resources: Sequence[Message]) -> Message:
    """Return a service.discovery.v3.DiscoveryResponse of resources, as a watched file holds it.

    Its version, which the admin shows of what is live (`listener_manager.lds.version_text`, /config_dump), follows
    from the resources.
    """
    text = json.dumps(resources, default=str)
    return {
        "version_info": f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        "resources": resources,
    }


def overlay(message: Mapping[str, Any], options: Mapping[str, Any] | None) -> Message:
    """Return `message` with the fields of `options` over its own, as Envoy merges `--config-yaml` over a file.

    Messages are merged field by field, lists are appended, anything else is replaced; an Any of another type is
    replaced whole. What Envoy's own merge cannot say: a null takes a field away.
    """
    merged = deepcopy(dict(message))
    for field, value in (options or {}).items():
        merged[field] = _over(merged.get(field), value)
    return {field: value for field, value in merged.items() if value is not None}


def _over(base: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        same = isinstance(base, Mapping) and base.get("@type") == value.get("@type", base.get("@type"))
        return overlay(base if same else {}, value)
    if isinstance(value, (list, tuple)) and isinstance(base, list):
        return [*base, *deepcopy(value)]
    return deepcopy(value)
