# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The argument specification of traffic.

It has no defaults, so that the parser can distinguish a key that was left out from one with the default value.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import VERSIONS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import (
    BYTES,
    CONNECTIONS_COUNTED,
    COUNT_OR_SHARE,
    ERRORS,
    OPERATORS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.request_content import ENCODINGS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    CONNECTIONS,
    PROTOCOLS,
)

_FIELD_ARGS: dict[str, Any] = {
    "type": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "value": {"type": "str"},
        "matches": {"type": "str"},
    },
}
EXPECT_ARGS: dict[str, Any] = {
    "name": {"type": "str"},
    "op": {"type": "str", "required": True, "choices": list(OPERATORS)},
    "value": {"type": "raw", "required": True},
    "of": {"type": "str", "choices": list(COUNT_OR_SHARE)},
    "tolerance": {"type": "raw"},
    "status": {"type": "str"},
    "header": _FIELD_ARGS,
    "hosts": {"type": "str"},
    "among": {"type": "list", "elements": "str"},
    "latency": {"type": "float"},
    "error": {"type": "str", "choices": ["any", *ERRORS]},
    "bytes": {"type": "str", "choices": list(BYTES)},
    "trailer": _FIELD_ARGS,
    "grpc_status": {"type": "str"},
    "messages": {"type": "str", "choices": list(BYTES)},
    "redirects": {"type": "str", "choices": list(BYTES)},
    "response_flag": {"type": "str"},
    "connections": {"type": "str", "choices": list(CONNECTIONS_COUNTED)},
    "body": {"type": "str"},
    "tls": {
        "type": "dict",
        "options": {
            "version": {"type": "str"},
            "cipher": {"type": "str"},
            "alpn": {"type": "str"},
        },
    },
}

_POD_ARGS: dict[str, Any] = {
    "type": "dict",
    "options": {
        "selector": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "container": {"type": "str"},
        "port": {"type": "str"},
    },
}
TRAFFIC_ARGS: dict[str, Any] = {
    "name": {"type": "str"},
    "url": {"type": "str"},
    "protocol": {"type": "str", "choices": list(PROTOCOLS)},
    "streams": {"type": "int"},
    "phases": {
        "type": "list",
        "elements": "dict",
        "options": {
            "duration": {"type": "float", "required": True},
            "rate": {"type": "float", "required": True},
            "to_rate": {"type": "float"},
        },
    },
    "warm_up": {"type": "float"},
    "processes": {"type": "int"},
    "messages": {"type": "list", "elements": "dict"},
    "descriptor_set": {"type": "path"},
    "requests": {"type": "int"},
    "concurrency": {"type": "int"},
    "connections": {"type": "str", "choices": list(CONNECTIONS)},
    "method": {"type": "str"},
    "headers": {"type": "dict"},
    "host": {"type": "str"},
    "body": {"type": "raw"},
    "body_encoding": {"type": "str", "choices": list(ENCODINGS)},
    "session": {"type": "str"},
    "users": {"type": "int"},
    "save": {"type": "dict"},
    "follow_redirects": {"type": "int"},
    "redirects_to": {
        "type": "list",
        "elements": "dict",
        "options": {
            "origins": {"type": "list", "elements": "str"},
            "url": {"type": "str", "required": True},
            "ca": {"type": "str"},
            "server_name": {"type": "str"},
            "unix_socket": {"type": "path"},
            "pod": _POD_ARGS,
        },
    },
    "timeout": {"type": "float"},
    "rate": {"type": "float"},
    "duration": {"type": "float"},
    "while_file": {"type": "path"},
    "within": {"type": "float"},
    "ca": {"type": "str"},
    "client_certificate": {
        "type": "dict",
        "options": {
            "certificate": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
        },
    },
    "server_name": {"type": "str"},
    "tls_version": {"type": "str", "choices": list(VERSIONS)},
    "ciphers": {"type": "str"},
    "alpn": {"type": "list", "elements": "str"},
    "unix_socket": {"type": "path"},
    "pod": _POD_ARGS,
    "payload": {"type": "raw"},
    "payload_encoding": {"type": "str", "choices": list(ENCODINGS)},
    "reply": {"type": "str"},
    "host_from": {
        "type": "dict",
        "options": {
            "header": {"type": "str"},
            "body": {"type": "str"},
        },
    },
    "expect": {"type": "list", "elements": "dict", "options": EXPECT_ARGS},
}
