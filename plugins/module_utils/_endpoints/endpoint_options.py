# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications of the endpoint options, shared by the modules that read or change Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import FORMATS

ArgumentSpec = dict[str, Any]

ENDPOINT_OPTIONS: ArgumentSpec = {
    "name": {"type": "str"},
    "proxy": {"type": "str"},
    "host": {"type": "str"},
    "standby": {"type": "list", "elements": "str"},
    "url": {"type": "str"},
    "container": {"type": "str"},
    "namespace": {"type": "str"},
    "selector": {"type": "str"},
    "port": {"type": "str"},
    "path": {"type": "str"},
    "format": {"type": "str", "choices": list(FORMATS), "default": "envoy"},
    "headers": {"type": "dict", "no_log": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "validate_certs": {"type": "bool", "default": True},
}

ENDPOINT_ARGS: ArgumentSpec = {
    "endpoints": {"type": "list", "elements": "dict", "options": ENDPOINT_OPTIONS},
    "url": {"type": "str"},
    "concurrency": {"type": "int", "default": 64},
    "request_timeout": {"type": "float", "default": 5.0},
    "max_bytes": {"type": "int", "default": 12582912},
}


def invocation_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a task as its result has them for `-vvv`, without the endpoints' options that have their default.

    Ansible copies each value of a result several times, and a thousand endpoints have 14,000 options that are not set.
    """
    endpoints = params["endpoints"]
    if not endpoints:
        return {"module_args": dict(params)}
    stated = [
        {
            key: value
            for key, value in endpoint.items()
            if value is not None and value != ENDPOINT_OPTIONS[key].get("default")
        }
        for endpoint in endpoints
    ]
    return {"module_args": {**params, "endpoints": stated}}
