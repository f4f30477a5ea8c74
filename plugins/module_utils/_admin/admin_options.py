# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications of the modules that use Envoy's admin interface, without the endpoint options."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.desired_state import LEVELS

ArgumentSpec = dict[str, Any]

ADMIN_ARGS: ArgumentSpec = {
    "logging": {
        "type": "dict",
        "options": {"level": {"type": "str", "choices": list(LEVELS)}, "loggers": {"type": "dict"}},
        "required_one_of": [("level", "loggers")],
    },
    "runtime_modify": {"type": "dict"},
    "reset_counters": {"type": "bool", "default": False},
    "healthcheck": {"type": "str", "choices": ["ok", "fail"]},
    "drain_listeners": {
        "type": "dict",
        "options": {
            "graceful": {"type": "bool", "default": False},
            "inboundonly": {"type": "bool", "default": False},
            "skip_exit": {"type": "bool", "default": False},
        },
    },
    "quitquitquit": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
}

CONFIG_DUMP_ARGS: ArgumentSpec = {
    "resource": {"type": "str"},
    "mask": {"type": "list", "elements": "str"},
    "name_regex": {"type": "str"},
    "include_eds": {"type": "bool", "default": False},
    "timeout": {"type": "float", "default": 30.0},
    "strict": {"type": "bool", "default": True},
}

CLUSTERS_ARGS: ArgumentSpec = {
    "clusters": {"type": "list", "elements": "str"},
    "timeout": {"type": "float", "default": 30.0},
    "strict": {"type": "bool", "default": True},
}
