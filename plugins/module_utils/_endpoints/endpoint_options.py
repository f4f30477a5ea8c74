# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications, to be put together by the modules that ask endpoints."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    ACROSS,
    ASKABLE,
    OF,
    WINDOWS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.comparison import OPERATORS
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import FORMATS

ArgumentSpec = dict[str, Any]

ENDPOINT_OPTIONS: ArgumentSpec = {
    "name": {"type": "str"},
    "proxy": {"type": "str"},
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
    "max_bytes": {"type": "int", "default": 67108864},
}

ASSERTION_OPTIONS: ArgumentSpec = {
    "name": {"type": "str"},
    "endpoint": {"type": "list", "elements": "str"},
    "source": {"type": "str", "choices": list(ASKABLE), "default": "stats"},
    "stat": {"type": "str"},
    "match": {"type": "str"},
    "promql": {"type": "str"},
    "labels": {"type": "dict"},
    "over": {"type": "str"},
    "over_match": {"type": "str"},
    "over_labels": {"type": "dict"},
    "of": {"type": "str", "choices": list(OF), "default": "value"},
    "across": {"type": "str", "choices": list(ACROSS), "default": "each"},
    "quantile": {"type": "float"},
    "bucket": {"type": "float"},
    "window": {"type": "str", "choices": list(WINDOWS), "default": "cumulative"},
    "op": {"type": "str", "required": True, "choices": list(OPERATORS)},
    "value": {"type": "raw"},
    "tolerance": {"type": "raw"},
    "default": {"type": "float"},
}

ASSERTION_ARGS: ArgumentSpec = {
    "assertions": {"type": "list", "elements": "dict", "required": True, "options": ASSERTION_OPTIONS},
    "since": {"type": "raw"},
    "snapshot_file": {"type": "path"},
}

INFO_ARGS: ArgumentSpec = {
    "stats": {"type": "list", "elements": "str"},
    "match": {"type": "list", "elements": "str"},
    "sources": {"type": "list", "elements": "str", "choices": list(ASKABLE), "default": ["stats"]},
    "histograms": {"type": "bool", "default": True},
    "usedonly": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
    "strict": {"type": "bool", "default": True},
    "snapshot_file": {"type": "path"},
}

WAIT_ARGS: ArgumentSpec = {
    "wait": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
    "sleep": {"type": "float", "default": 0.5},
}
