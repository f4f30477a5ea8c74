# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a process, and restarts between two snapshots."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import (
    STARTED_NEAR_SNAPSHOT,
    identity_from_stats,
    parse_identity,
    parse_loaded,
    restart_reason,
    restart_uncertainty,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity


def test_identity_from_the_first_bytes_of_server_info() -> None:
    head = b'{\n "version": "abc/1.40.0/Clean/RELEASE/BoringSSL",\n "state": "LIVE",\n "uptime_current_epoch": "61s",\n'
    head += b' "command_line_options": {\n  "restart_epoch": 2,\n "node": {"id": "x'
    readings = parse_identity(head, received=1000.0, took=0.5)
    assert (readings.version, readings.state, readings.started, readings.epoch, readings.slack) == (
        "1.40.0",
        "LIVE",
        939.0,
        2,
        1.5,
    )


@pytest.mark.parametrize(
    "head", [b"{}", b'{"version": "a", "state": "LIVE", "uptime_current_epoch": "infs"}', b""]
)
def test_server_info_that_is_not_envoys_is_refused(head: bytes) -> None:
    with pytest.raises(ScrapeError, match="not Envoy's"):
        parse_identity(head, 1, 1)


def test_identity_from_stats() -> None:
    for prefix in ("server.", "envoy_server_"):
        values = {f"{prefix}uptime": 61, f"{prefix}hot_restart_epoch": 2}
        readings = identity_from_stats(values, received=1000.0, took=0.5)
        assert readings is not None
        assert (readings.started, readings.epoch, readings.slack) == (939.0, 2, 6.5)
    assert identity_from_stats({"server.hot_restart_epoch": 2}, 1.0, 0.0) is None


def test_loaded_is_the_time_of_the_bootstrap() -> None:
    other, bootstrap = (
        {"@type": "x.ListenersConfigDump", "last_updated": "1"},
        {"@type": "x.BootstrapConfigDump"},
    )
    assert parse_loaded({"configs": [other, {**bootstrap, "last_updated": "2"}]}) == "2"


@pytest.mark.parametrize("dump", [None, [], {"configs": 1}, {"configs": [1, {}]}])
def test_loaded_is_empty_in_any_other_dump(dump: object) -> None:
    assert parse_loaded(dump) == ""


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
