# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stats that the collection reads of every Envoy, and the author's stats matchers that hide one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import snake_case_fields
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.references.typed_messages import messages

STATS_CONFIG = "envoy.config.metrics.v3.StatsConfig"
_MATCHER, _STRING = "envoy.config.metrics.v3.StatsMatcher", "envoy.type.matcher.v3.StringMatcher"
# A deployment confirms each change by these stats: the accepted and rejected files, and the end of a drain or of a hot restart.
CONFIRMING_STATS = (
    "cluster_manager.cds.update_success",
    "cluster_manager.cds.update_rejected",
    "cluster_manager.cds.version_text",
    "cluster_manager.warming_clusters",
    "listener_manager.lds.update_success",
    "listener_manager.lds.update_rejected",
    "listener_manager.lds.version_text",
    "listener_manager.total_listeners_draining",
    "listener_manager.total_listeners_warming",
    "server.live",
    "server.parent_connections",
)
REMEDY = "{prefix: cluster_manager.}, {prefix: listener_manager.} and {prefix: server.}"


def hidden_stat(stats_config: Mapping[str, Any]) -> str:
    """Return the first of the stats CONFIRMING_STATS that the author's fields of StatsConfig hide. Empty: they hide none.

    Example:
        >>> hidden_stat({"stats_matcher": {"reject_all": True}})
        'cluster_manager.cds.update_success'
        >>> hidden_stat({"stats_matcher": {"exclusion_list": {"patterns": [{"prefix": "http."}]}}})
        ''
    """
    matcher = snake_case_fields(stats_config, STATS_CONFIG).get("stats_matcher")
    if not isinstance(matcher, Mapping):
        return ""
    fields = snake_case_fields(matcher, _MATCHER)
    if fields.get("reject_all") is True:
        return CONFIRMING_STATS[0]
    for key, hides in (("exclusion_list", True), ("inclusion_list", False)):
        if isinstance(listed := fields.get(key), Mapping):
            patterns = messages(listed.get("patterns"))
            for name in CONFIRMING_STATS:
                if any(_matches(one, name) for one in patterns) == hides:
                    return name
    return ""


def _matches(pattern: Mapping[str, Any], name: str) -> bool:
    """Return whether a StringMatcher matches a name. A form that this function does not know matches nothing."""
    fields = snake_case_fields(pattern, _STRING)
    text = name.lower() if (ignores_case := fields.get("ignore_case") is True) else name
    for kind, fits in (
        ("exact", text.__eq__),
        ("prefix", text.startswith),
        ("suffix", text.endswith),
        ("contains", text.__contains__),
    ):
        if isinstance(value := fields.get(kind), str):
            return bool(fits(value.lower() if ignores_case else value))
    regex = fields.get("safe_regex")
    if isinstance(regex, Mapping) and isinstance(regex.get("regex"), str):
        try:
            return bool(compile_pattern(regex["regex"], "regex").matches(text))
        except ValueError:
            return False  # Envoy refuses it
    return False
