# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect whether a process restarted between two snapshots, so that its counters started at 0 again."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity

_JITTER = 0.25  # seconds, of clocks and networks
STARTED_NEAR_SNAPSHOT = "the process started shortly before or after the earlier snapshot"


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
