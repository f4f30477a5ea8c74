# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stats of the files that an Envoy watches (Envoy's "xDS subscription statistics"): one subscription for each use of a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The prefix of the stats of each kind of file, observed with Envoy 1.36 to 1.40: all of them have a text readout `version_text`.
PREFIXES = {
    "clusters": r"cluster_manager\.cds",
    "listeners": r"listener_manager\.lds",
    "routes": r"http\..+\.rds\..+",
    "secrets": r"sds\..+",
    "endpoints": r"cluster\..+",
}
OTHER = "other"
# Every cluster has the counters of `endpoints`, which count name resolutions; only a cluster of EDS has a version.
VERSIONED_ONLY = ("endpoints", OTHER)
# The counters that Envoys with few subscriptions have: those of `endpoints` are as many as the clusters.
FEW = ("clusters", "listeners", "routes", "secrets")
_STAT = re.compile(r"(?P<prefix>.+)\.(?P<stat>update_success|update_rejected|update_failure|version_text)")


@dataclass(frozen=True)
class Subscription:
    """One use of a watched file since the start of an Envoy.

    Attributes:
        accepted: Number of accepted files (`update_success`).
        rejected: Number of rejected files (`update_rejected` and `update_failure`).
        version: The `version_info` of the last accepted file. Empty when the admin interface shows none.
    """

    accepted: int = 0
    rejected: int = 0
    version: str = ""


def stats_filter(kinds: Iterable[str]) -> str:
    """Return the filter (RE2) of the stats of some kinds; `other` selects the stats of all kinds."""
    prefixes = [".+" if kind == OTHER else PREFIXES[kind] for kind in kinds]
    return rf"^({'|'.join(dict.fromkeys(prefixes))})\.(update_(success|rejected|failure)|version_text)$"


def subscriptions(stats: Mapping[str, str]) -> dict[str, dict[str, Subscription]]:
    """Return the subscriptions of each kind, by the prefix of their stats. The values of `stats` are texts.

    Example:
        >>> subscriptions({"sds.web.update_success": "2", "sds.web.version_text": '"v1"', "cluster.web.update_success": "9"})
        {'secrets': {'sds.web': Subscription(accepted=2, rejected=0, version='v1')}}
    """
    by_prefix: dict[str, dict[str, str]] = {}
    for name, value in stats.items():
        if found := _STAT.fullmatch(name):
            by_prefix.setdefault(found["prefix"], {})[found["stat"]] = value
    by_kind: dict[str, dict[str, Subscription]] = {}
    for prefix, values in by_prefix.items():
        kind = _kind_of(prefix)
        if kind in VERSIONED_ONLY and "version_text" not in values:
            continue
        by_kind.setdefault(kind, {})[prefix] = Subscription(
            int(values.get("update_success", 0)),
            int(values.get("update_rejected", 0)) + int(values.get("update_failure", 0)),
            values.get("version_text", "").strip('"'),
        )
    return by_kind


def _kind_of(prefix: str) -> str:
    return next((kind for kind, pattern in PREFIXES.items() if re.fullmatch(pattern, prefix)), OTHER)
