# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the network filters, the HTTP filters and the access log."""

from __future__ import annotations

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import (
    ACCESS_LOG_FIELDS,
    http_connection_manager,
    tcp_proxy,
    udp_proxy,
)


def test_router_is_the_last_http_filter() -> None:
    manager = http_connection_manager("s", [], [{"name": "fault"}])["typed_config"]
    assert [http_filter["name"] for http_filter in manager["http_filters"]] == [
        "fault",
        "envoy.filters.http.router",
    ]


@pytest.mark.parametrize("access_log", [True, False])
def test_access_log_is_optional(access_log: bool) -> None:
    manager = http_connection_manager("s", [], access_log=access_log)["typed_config"]
    assert ("access_log" in manager) is access_log


def test_access_log_has_what_people_and_reports_read() -> None:
    keys = "start_time method path response_code response_flags response_code_details upstream_transport_failure_reason duration_ms"
    keys += " upstream_host upstream_cluster client request_id user_agent"
    assert list(ACCESS_LOG_FIELDS) == keys.split(), (
        "each key costs CPU time in each request: see docs/architecture.md"
    )


def test_paths_are_normalized() -> None:
    manager = http_connection_manager("s", [])["typed_config"]
    assert manager["normalize_path"] is True
    assert manager["merge_slashes"] is True


def test_overrides_are_merged_into_the_connection_manager() -> None:
    manager = http_connection_manager("s", [], overrides={"server_name": "x", "merge_slashes": False})
    assert manager["typed_config"]["server_name"] == "x"
    assert manager["typed_config"]["merge_slashes"] is False


def test_tcp_proxy_forwards_to_a_cluster() -> None:
    assert tcp_proxy("p", "c")["typed_config"] == {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "p",
        "cluster": "c",
    }


def test_udp_proxy_forwards_to_a_cluster() -> None:
    config = udp_proxy("p", "c")["typed_config"]
    assert config["stat_prefix"] == "p"
    assert config["matcher"]["on_no_match"]["action"]["typed_config"]["cluster"] == "c"
