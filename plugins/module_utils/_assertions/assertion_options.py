# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specifications of the modules that read and assert stats."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    ACROSS,
    OF,
    WINDOWS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import OPERATORS
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.sources import SELECTABLE

ASSERTION_OPTIONS: dict[str, Any] = {
    "name": {"type": "str"},
    "endpoint": {"type": "list", "elements": "str"},
    "source": {"type": "str", "choices": list(SELECTABLE), "default": "stats"},
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

ASSERTION_ARGS: dict[str, Any] = {
    "assertions": {"type": "list", "elements": "dict", "required": True, "options": ASSERTION_OPTIONS},
    "since": {"type": "raw"},
    "snapshot_file": {"type": "path"},
}

INFO_ARGS: dict[str, Any] = {
    "stats": {"type": "list", "elements": "str"},
    "match": {"type": "list", "elements": "str"},
    "sources": {"type": "list", "elements": "str", "choices": list(SELECTABLE), "default": ["stats"]},
    "histograms": {"type": "bool", "default": True},
    "usedonly": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
    "strict": {"type": "bool", "default": True},
    "snapshot_file": {"type": "path"},
}

WAIT_ARGS: dict[str, Any] = {
    "wait": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
    "sleep": {"type": "float", "default": 0.5},
}
