# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the process that answers is the one that answered before: if it is not, its counters began anew."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity

_JITTER = 0.25  # seconds, of clocks and networks
SOON = "it was started just before the earlier snapshot, or just after it"


def restarted(before: Identity | None, after: Identity | None) -> str:
    """In words, if another process answers than before; empty if not, or if nobody can tell (see `in_doubt`)."""
    if before is None or after is None:
        return ""
    if before.epoch is not None and after.epoch is not None and before.epoch != after.epoch:
        return f"it was restarted hot since (epoch {before.epoch}, now {after.epoch})"
    if before.loaded and after.loaded:
        words = f"it was restarted since (it loaded its bootstrap at {after.loaded}, the one before at {before.loaded})"
        return words if after.loaded != before.loaded else ""
    if before.started is None or after.started is None:
        return ""
    later = after.started - before.started
    # It is in whole seconds.
    fell = before.uptime is not None and after.uptime is not None and after.uptime <= before.uptime - 1
    after_the_look = before.uptime is None or after.started > before.started + before.uptime
    if (fell and later > _JITTER) or (after_the_look and later > after.slack + _JITTER):
        return f"it was restarted since (it started {later:.0f} s later than the one before)"
    return ""


def in_doubt(before: Identity | None, after: Identity | None) -> str:
    """Why it cannot be told whether another process answers than before; empty where `restarted` knows."""
    if after is None or after.started is None:
        return "it does not say when it was started"
    if before is None or before.started is None:
        return "the earlier snapshot does not say when it was started"
    if before.loaded and after.loaded:
        return ""
    # It was started at that time or before, as its uptime is cut off. Who was there at the earlier look had been started before that.
    if not restarted(before, after) and after.started > before.started + (before.uptime or 0.0):
        return SOON
    return ""
