# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a cluster and their health."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.cluster_hosts import (
    address_of,
    read_host,
    totals,
)

ADDRESS = {"socket_address": {"address": "10.0.0.1", "port_value": 80}}


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        ({"eds_health_status": "HEALTHY"}, "healthy"),
        ({"eds_health_status": "HEALTHY", "active_hc_timeout": True}, "healthy"),
        ({"eds_health_status": "HEALTHY", "pending_dynamic_removal": True}, "healthy"),
        ({"eds_health_status": "DEGRADED"}, "degraded"),
        ({"eds_health_status": "HEALTHY", "failed_active_degraded_check": True}, "degraded"),
        ({"eds_health_status": "DEGRADED", "failed_active_health_check": True}, ""),
        ({"eds_health_status": "HEALTHY", "failed_outlier_check": True}, ""),
        ({"eds_health_status": "UNHEALTHY"}, ""),
        ({"eds_health_status": "DRAINING"}, ""),
        ({"eds_health_status": "TIMEOUT"}, ""),
    ],
)
def test_host_counts_as_in_envoys_membership_stats(status: dict[str, object], counted: str) -> None:
    hosts = [read_host({"address": ADDRESS, "health_status": status})]
    assert {key for key in ("healthy", "degraded") if totals(hosts)[key]} == ({counted} if counted else set())


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (ADDRESS, "10.0.0.1:80"),
        ({"socket_address": {"address": "::1", "port_value": 1}}, "[::1]:1"),
        ({"pipe": {"path": "/x"}}, "unix:///x"),
        ({"envoy_internal_address": {"server_listener_name": "in"}}, "internal:in"),
        ({}, ":0"),
    ],
)
def test_text_of_an_address(address: dict[str, object], text: str) -> None:
    assert address_of(address) == text
