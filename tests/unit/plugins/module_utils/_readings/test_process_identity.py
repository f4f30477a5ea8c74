# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a process, from each source."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import (
    identity_from_stats,
    parse_identity,
    parse_loaded,
)


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
