# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the confirmation of watched files, against fake responses of an admin interface."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_confirmation
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    NOT_READ,
    UpdateCounts,
    XdsMonitor,
)

DRAINING = "listener_manager.total_filter_chains_draining"
ACTIVE = "listener.127.0.0.1_80.downstream_cx_active"
LDS = "listener_manager.lds."
CDS = "cluster_manager.cds."


class FakeAdmin(ConfigAdmin):
    """Returns stats from a list, the last of them forever, and one JSON body for all pages."""

    def __init__(self, *stats: dict[str, int | str], body: Any = None) -> None:
        super().__init__("")
        self.responses, self.body = list(stats), body

    def stats(self, pattern: str, timeout: float) -> dict[str, str]:
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        return {name: str(value) for name, value in response.items()}

    def json(self, path: str, timeout: float) -> Any:
        assert timeout > 0, path
        return self.body


def monitor(*stats: dict[str, int | str], body: Any = None) -> XdsMonitor:
    return XdsMonitor(FakeAdmin(*stats, body=body))


@pytest.mark.parametrize(
    ("stats", "drained"),
    [
        ([{DRAINING: 0, ACTIVE: 5}], True),
        ([{DRAINING: 1, ACTIVE: 1}], False),
        ([{DRAINING: 1, ACTIVE: 0}], True),
        ([{DRAINING: 1, ACTIVE: 0}, {DRAINING: 1, ACTIVE: 1}], False),
        ([{DRAINING: 1, ACTIVE: 1}, {DRAINING: 1, ACTIVE: 1}, {DRAINING: 0, ACTIVE: 1}], True),
        ([{DRAINING: 1, ACTIVE: 0, "listener.admin.downstream_cx_active": 1}], True),
    ],
)
def test_listeners_are_drained_when_they_were_idle(stats: list[dict[str, int | str]], drained: bool) -> None:
    deadline = time.monotonic() + (5 if drained else 0.05)
    assert monitor(*stats).wait_until_drained(deadline) is drained


def test_file_that_is_not_read_in_time_is_not_confirmed() -> None:
    same: dict[str, int | str] = {f"{CDS}update_success": 1}
    reason = monitor(same).confirm("clusters", UpdateCounts(1, 0), (), "", time.monotonic() + 0.03)
    assert reason == NOT_READ


@pytest.mark.parametrize(
    ("written", "shown", "confirmed"),
    [
        ("sha256:2", '"sha256:2"', True),
        ("sha256:2", '"sha256:1"', False),
        ("sha256:2", '""', True),
        ("sha256:2", None, True),
        ("", '"v1"', True),
    ],
    ids=["written version", "previous version", "empty", "no stat", "version not known"],
)
def test_file_is_confirmed_by_its_version(written: str, shown: str | None, confirmed: bool) -> None:
    stats: dict[str, int | str] = {f"{LDS}update_success": 2}
    if shown is not None:
        stats[f"{LDS}version_text"] = shown
    deadline = time.monotonic() + 0.05
    reason = monitor(stats).confirm("listeners", UpdateCounts(1, 0), (), written, deadline)
    assert reason == ("" if confirmed else NOT_READ)


def test_rejected_file_ends_the_wait_with_its_reason() -> None:
    stats: dict[str, int | str] = {f"{LDS}update_success": 1, f"{LDS}update_rejected": 1}
    body = {"configs": [{"name": "http", "error_state": {"details": "address in use"}}]}
    deadline = time.monotonic() + 30
    reason = monitor(stats, body=body).confirm("listeners", UpdateCounts(1, 0), (), "", deadline)
    assert reason == "listener 'http': address in use"


def test_rejection_without_a_reason_refers_to_the_log() -> None:
    stats: dict[str, int | str] = {f"{CDS}update_failure": 1}
    reason = monitor(stats).rejected_since_start("clusters")
    assert reason == "Envoy rejected the clusters; only its log has the reason"


def test_no_rejection_since_the_counts() -> None:
    assert monitor({f"{CDS}update_rejected": 1}).rejected_since("clusters", UpdateCounts(0, 1)) == ""


def test_resource_that_does_not_become_warm_is_named() -> None:
    stats: dict[str, int | str] = {f"{CDS}update_success": 2, "cluster_manager.warming_clusters": 1}
    body = {"configs": [{"cluster": {"name": "slow"}}, {"cluster": {"name": "other"}}]}
    deadline = time.monotonic() + 0.05
    reason = monitor(stats, body=body).confirm("clusters", UpdateCounts(1, 0), ["slow"], "", deadline)
    assert reason.startswith("not ready in time: slow (name resolution")


# The stats prefix of each kind, as Envoy 1.36 to 1.40 has it.
PREFIXES = {
    "routes": "http.http.rds.a",
    "endpoints": "cluster.web",
    "secrets": "sds.web",
    "other": "http.http.scoped_rds.a",
}


@pytest.mark.parametrize("kind", PREFIXES)
def test_each_kind_is_confirmed_by_the_version_of_its_own_file(kind: str) -> None:
    own, unchanged = PREFIXES[kind], f"{PREFIXES[kind]}b"
    before = {f"{one}.update_success": 1 for one in (own, unchanged)}
    before |= {f"{own}.version_text": '"v1"', f"{unchanged}.version_text": '"v2"', f"{CDS}update_success": 5}
    # Another file of this kind has the version that is waited for, and is read once more.
    reread = {**before, f"{unchanged}.update_success": 2, f"{own}.update_success": 2}
    read = {**reread, f"{own}.version_text": '"v2"'}
    assert monitor(before).update_counts(kind).accepted == 2
    for stats, reason in (
        (before, NOT_READ),
        ({**reread, f"{unchanged}.update_success": 1}, NOT_READ),
        (read, ""),
    ):
        counts = monitor(before).update_counts(kind)
        assert monitor(stats).confirm(kind, counts, (), "v2", time.monotonic() + 0.05) == reason


@pytest.mark.parametrize(
    ("time_of_update", "version", "reason"),
    [("09:00:01.5Z", "v2", ""), ("09:00:01.5Z", "v1", NOT_READ), ("09:00:00.308Z", "v2", NOT_READ)],
)
def test_hidden_stats_are_replaced_by_the_dump(time_of_update: str, version: str, reason: str) -> None:
    def dump(moment: str, version_info: str) -> dict[str, Any]:
        return {"configs": [{"version_info": version_info, "last_updated": f"2026-11-30T{moment}"}, {}]}

    before = monitor({}, body=dump("09:00:00.308Z", "v1")).update_counts("routes")
    one = monitor({}, body=dump(time_of_update, version))
    assert one.confirm("routes", before, (), "v2", time.monotonic() + 0.05) == reason


def test_name_resolution_is_no_update_of_endpoints() -> None:
    stats: dict[str, int | str] = {"cluster.dns.update_success": 7, "cluster.dns.update_failure": 1}
    assert monitor(stats).update_counts("endpoints") == UpdateCounts(0, 0)


def test_reason_of_a_rejected_file_is_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xds_confirmation, "LOG_PAUSES", (0, 0))
    line = "[2026-11-30 07:59:08.142][4725][warning][config] [source/x.cc:81] Filesystem config update rejected: Only a single wildcard"
    logs = iter([[], [line]])
    one = XdsMonitor(FakeAdmin({"http.http.rds.a.update_rejected": 1}), lambda: next(logs))
    assert one.rejected_since("routes", UpdateCounts(0, 0)) == "Only a single wildcard"


@pytest.mark.parametrize(("active", "drained"), [(0, True), (1, False)])
def test_cluster_with_a_request_is_not_removed(active: int, drained: bool) -> None:
    one = monitor({DRAINING: 0, "cluster.a_b.upstream_rq_active": active})
    assert one.wait_until_drained(time.monotonic() + 0.05, ["a:b"]) is drained


def test_cluster_hosts_are_addresses_by_cluster() -> None:
    host = {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}}, "weight": 1}
    standby = {"address": {"socket_address": {"address": "10.9.0.1"}}, "priority": 1}
    standby["health_status"] = {"eds_health_status": "DEGRADED"}
    body = {"cluster_statuses": [{"name": "web", "host_statuses": [host, standby]}, {"name": "empty"}]}
    assert monitor({}, body=body).cluster_hosts() == {"web": {"10.0.0.1"}, "empty": set()}
