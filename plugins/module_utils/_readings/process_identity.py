# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identify the process behind an endpoint, and detect whether it restarted between two snapshots.

The counters of a process that restarted started at 0 again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity

_FIELD = re.compile(
    rb'"(version|state|uptime_current_epoch|uptime_all_epochs|restart_epoch)":\s*("(?:[^"\\]|\\.)*"|\d+)'
)
# Seconds. Envoy updates server.uptime when it flushes its stats (stats_flush_interval, 5 s by default).
_FLUSH_INTERVAL = 5.0
_JITTER = 0.25  # seconds, of clocks and networks
STARTED_NEAR_SNAPSHOT = "the process started shortly before or after the earlier snapshot"


def parse_identity(head: bytes, received: float, took: float) -> Identity:
    """Return the identity in the first bytes of /server_info; the rest, 120 kB of extensions, is not needed.

    Args:
        head: The response body up to the node or further.
        received: When the response arrived, in seconds since 1970.
        took: Seconds between the request and the response.

    Raises:
        ScrapeError: The response is not Envoy's (kind `unparsable`).
    """
    # The first occurrence of a name counts: later ones belong to nested objects.
    found = {
        key.decode(): value.decode("utf-8", "replace").strip('"')
        for key, value in reversed(_FIELD.findall(head))
    }
    try:
        version, state = found["version"], found["state"]
        uptime, epoch = duration(found.get("uptime_current_epoch", "0s")), int(found.get("restart_epoch", 0))
    except (KeyError, ValueError):
        raise ScrapeError("unparsable", "the response of /server_info is not Envoy's") from None
    # Envoy cuts the uptime off to whole seconds.
    return Identity(version_number(version), state, uptime, received - uptime, epoch, 1 + took)


def parse_loaded(dump: Any) -> str:
    """Return when Envoy loaded its bootstrap, from /config_dump; empty if the dump does not contain it."""
    configs = dump.get("configs") if isinstance(dump, dict) else None
    for config in configs if isinstance(configs, list) else ():
        if isinstance(config, dict) and str(config.get("@type")).endswith(".BootstrapConfigDump"):
            return str(config.get("last_updated", ""))
    return ""


def identity_from_stats(values: Mapping[str, Scalar], received: float, took: float) -> Identity | None:
    """Return the identity from server.uptime and server.hot_restart_epoch, under Envoy's or Prometheus' names.

    Args:
        values: The stats.
        received: When they arrived, in seconds since 1970.
        took: Seconds between the request and the response.

    Returns:
        None if there is no uptime.
    """
    uptime, epoch = (
        values.get(f"server.{name}", values.get(f"envoy_server_{name}"))
        for name in ("uptime", "hot_restart_epoch")
    )
    if not isinstance(uptime, (int, float)):
        return None
    return Identity(
        uptime=float(uptime),
        started=received - uptime,
        epoch=int(epoch) if isinstance(epoch, (int, float)) else None,
        slack=1 + _FLUSH_INTERVAL + took,
    )


def restart_reason(before: Identity | None, after: Identity | None) -> str:
    """Return how the process restarted between two snapshots; empty if it did not, or if the identities do not show it."""
    if before is None or after is None:
        return ""
    if before.epoch is not None and after.epoch is not None and before.epoch != after.epoch:
        return f"the process was hot restarted after the earlier snapshot (epoch {before.epoch}, now {after.epoch})"
    if before.loaded and after.loaded:
        if after.loaded == before.loaded:
            return ""
        times = f"bootstrap loaded at {before.loaded}, now at {after.loaded}"
        return f"the process restarted after the earlier snapshot ({times})"
    if before.started is None or after.started is None:
        return ""
    later = after.started - before.started
    # Uptime is in whole seconds.
    fell = before.uptime is not None and after.uptime is not None and after.uptime <= before.uptime - 1
    after_snapshot = before.uptime is None or after.started > before.started + before.uptime
    if (fell and later > _JITTER) or (after_snapshot and later > after.slack + _JITTER):
        return f"the process restarted after the earlier snapshot (its start is {later:.0f} s later)"
    return ""


def restart_uncertainty(before: Identity | None, after: Identity | None) -> str:
    """Return why the identities do not show whether the process restarted; empty if `restart_reason` is certain."""
    if after is None or after.started is None:
        return "the endpoint does not show when its process started"
    if before is None or before.started is None:
        return "the earlier snapshot does not contain when the process started"
    if before.loaded and after.loaded:
        return ""
    # The process started at `after.started` or earlier, since its uptime is cut off to seconds. The process of the earlier snapshot had
    # started before that snapshot.
    if not restart_reason(before, after) and after.started > before.started + (before.uptime or 0.0):
        return STARTED_NEAR_SNAPSHOT
    return ""


def version_number(build: str) -> str:
    """Return `1.40.0` from `<commit>/1.40.0/Clean/RELEASE/BoringSSL`."""
    parts = build.split("/")
    return parts[1] if len(parts) > 1 else build


def duration(text: str) -> float:
    """Return the seconds of a protobuf duration such as `61s`. Raises ValueError."""
    seconds = float(text.removesuffix("s"))
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} is not a duration")
    return seconds
