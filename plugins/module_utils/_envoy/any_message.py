# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Envoy messages as plain data: their types, and the messages of addresses and of watched files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

Message = dict[str, Any]
# The beginning of the address of a Unix socket, as in `unix:///run/app.sock` and `unix://@name` (an abstract socket).
UNIX = "unix://"


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


def network_address(address: str, port: int) -> Message:
    """Return a config.core.v3.Address with an IP address, a host name or the path of a Unix socket (`unix:///run/app.sock`)."""
    if address.startswith(UNIX):
        return {"pipe": {"path": address.removeprefix(UNIX)}}
    return socket_address(address, port)


def path_config_source(path: str, watched: str | None = None) -> Message:
    """Return the config.core.v3.ConfigSource of a file that Envoy watches.

    Args:
        path: The path of the file.
        watched: The folder that Envoy watches in place of the file. A ConfigMap needs it: the kubelet changes all files of a
            mounted ConfigMap by renaming one symbolic link in the folder.
    """
    source: Message = {"path": path}
    if watched is not None:
        source["watched_directory"] = {"path": watched}
    return {"resource_api_version": "V3", "path_config_source": source}


def discovery_response(resources: Sequence[Message]) -> Message:
    """Return a service.discovery.v3.DiscoveryResponse, which is the content of a watched file.

    Its `version_info` is a hash of the resources. Envoy shows the version that is live in the stat `version_text` of each
    subscription, such as `listener_manager.lds.version_text`, and in /config_dump.
    """
    text = json.dumps(resources, default=str)
    return {
        "version_info": f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        "resources": resources,
    }
