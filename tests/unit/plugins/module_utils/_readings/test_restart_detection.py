# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts between two snapshots."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.restart_detection import (
    STARTED_NEAR_SNAPSHOT,
    restart_reason,
    restart_uncertainty,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity

NONE = Identity()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, NONE, ""),
        (NONE, None, ""),
        (NONE, Identity(started=100), ""),
        (
            Identity(epoch=0),
            Identity(epoch=1),
            "the process was hot restarted after the earlier snapshot (epoch 0, now 1)",
        ),
        (Identity(uptime=50, started=50), Identity(uptime=50, started=150), "(its start is 100 s later)"),
        (Identity(uptime=50, started=50), Identity(uptime=150, started=50.8), ""),
        # An uptime that fell is a restart, even within the slack.
        (
            Identity(uptime=4, started=96, slack=6),
            Identity(uptime=0, started=101, slack=6),
            "(its start is 5 s later)",
        ),
        # The system's clock was set: the process seems to have started later, but before the earlier snapshot.
        (Identity(uptime=50, started=50), Identity(uptime=130, started=70), ""),
        (Identity(loaded="a"), Identity(loaded="b"), "(bootstrap loaded at a, now at b)"),
        (Identity(uptime=0, started=1, loaded="a"), Identity(uptime=0, started=9, loaded="a"), ""),
    ],
)
def test_reason_of_a_restart(before: Identity | None, after: Identity | None, reason: str) -> None:
    found = restart_reason(before, after)
    assert found.endswith(reason)
    assert bool(found) is bool(reason)


@pytest.mark.parametrize(
    ("before", "after", "uncertainty"),
    [
        (NONE, None, "the endpoint does not show when its process started"),
        (Identity(started=1), NONE, "the endpoint does not show when its process started"),
        (None, Identity(started=1), "the earlier snapshot does not contain when the process started"),
        (
            Identity(uptime=0, started=100, slack=6),
            Identity(uptime=0, started=103, slack=6),
            STARTED_NEAR_SNAPSHOT,
        ),
        (Identity(uptime=9, started=91, slack=6), Identity(uptime=9, started=94, slack=6), ""),
        (Identity(uptime=0, started=1, loaded="a"), Identity(uptime=0, started=9, loaded="a"), ""),
        (Identity(uptime=0, started=1, loaded="a"), Identity(uptime=0, started=1.5), STARTED_NEAR_SNAPSHOT),
    ],
)
def test_uncertainty_about_a_restart(
    before: Identity | None, after: Identity | None, uncertainty: str
) -> None:
    assert restart_uncertainty(before, after) == uncertainty
