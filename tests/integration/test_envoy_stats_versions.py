# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules on each supported minor version of Envoy: one Envoy for each."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from real_envoy import Envoy, answering, run

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import SUPPORTED
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    EVERYTHING,
    parse_endpoints,
    scrape,
)
from ansible_collections.meshlab.envoy.plugins.modules import (
    envoy_admin,
    envoy_clusters_info,
    envoy_config_dump_info,
    envoy_stats,
    envoy_stats_info,
)

CONFIG: dict[str, Any] = {
    "stats_flush_on_admin": True,
    "layered_runtime": {
        "layers": [{"name": "fixed", "static_layer": {"a.key": 5}}, {"name": "admin", "admin_layer": {}}]
    },
    "static_resources": {
        "listeners": [answering()],
        "clusters": [
            {
                "name": "web",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "web",
                    "endpoints": [
                        {
                            "lb_endpoints": [
                                {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}}}}
                            ]
                        }
                    ],
                },
            }
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=SUPPORTED.values())
def envoy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    started = Envoy(tmp_path_factory.mktemp("envoy"), CONFIG, request.param)
    yield started.start()
    started.stop()


def send(envoy: Envoy, path: str, count: int) -> None:
    port = envoy.port()
    for _number in range(count):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).close()
        except urllib.error.HTTPError as error:
            error.close()


def assert_stats(envoy: Envoy, *assertions: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    result = run(envoy_stats, url=envoy.url, assertions=list(assertions), **arguments)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    return result


def test_counts_deltas_ratios_quantiles_and_labels(envoy: Envoy) -> None:
    before = run(envoy_stats_info, url=envoy.url)["snapshot"]
    send(envoy, "/", 7)
    send(envoy, "/bad", 3)
    total = "http.main.downstream_rq_total"
    time = "http.main.downstream_rq_time"
    labels = {"envoy_response_code_class": "2", "envoy_http_conn_manager_prefix": "main"}
    result = assert_stats(
        envoy,
        {"stat": "http.main.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 7},
        {
            "match": r"http\.main\.downstream_rq_[0-9]xx",
            "of": "delta",
            "across": "sum",
            "op": "eq",
            "value": 10,
        },
        {"stat": "http.main.downstream_rq_5xx", "over": total, "of": "delta", "op": "eq", "value": 0.3},
        {"stat": total, "of": "rate", "op": "gt", "value": 0},
        {"stat": time, "bucket": "inf", "of": "delta", "op": "eq", "value": 10},
        {"stat": time, "quantile": 0.99, "of": "delta", "op": "lt", "value": 5000},
        {"stat": "envoy_http_downstream_rq_xx", "labels": labels, "op": "ge", "value": 7},
        {"stat": "cluster.web.upstream_rq_5xx", "default": 0, "op": "eq", "value": 0},
        {"stat": "http.main.nosuch", "op": "absent"},
        since=before,
        wait=True,
        timeout=10,
    )
    assert result["endpoints"][0]["version"] == envoy.version
    # The counter is above the expected value, so the wait ends at once.
    late = {"stat": "http.main.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 6}
    failed = run(envoy_stats, url=envoy.url, assertions=[late], since=before, wait=True, timeout=60)
    assert (failed["failed"], failed["attempts"], failed["assertions"][0]["observed"]) == (True, 1, 7)


def test_each_source_is_read(envoy: Envoy) -> None:
    assert_stats(
        envoy,
        {"source": "server_info", "stat": "version", "op": "eq", "value": envoy.version},
        {"source": "server_info", "stat": "state", "op": "eq", "value": "LIVE"},
        {"source": "server_info", "stat": "node.id", "op": "eq", "value": "tested"},
        {"source": "ready", "stat": "status", "op": "eq", "value": 200},
        {"source": "clusters", "stat": "web.healthy", "op": "eq", "value": 1},
        {"source": "clusters", "stat": "web.127.0.0.1:1.weight", "op": "eq", "value": 1},
        {"source": "listeners", "stat": "main.port", "op": "gt", "value": 1023},
        {"source": "runtime", "stat": "a.key", "op": "eq", "value": 5},
        {"source": "config", "stat": "lds.rejected", "op": "eq", "value": 0},
        {"source": "certs", "match": ".*", "op": "absent"},
    )


def test_each_stat_is_read(envoy: Envoy) -> None:
    send(envoy, "/", 1)
    page = scrape(parse_endpoints([{"name": "e", "url": envoy.url}]), EVERYTHING).pages["e"]
    assert page.failure is None
    read = page.sources["stats"]
    shown = json.loads(envoy.response("/stats?format=json&histogram_buckets=detailed"))
    names = {entry["name"] for entry in shown["stats"] if "name" in entry}
    assert names == set(read.values)
    assert "http.main.downstream_rq_time" in read.histograms


def test_reset_fails_a_difference(envoy: Envoy) -> None:
    send(envoy, "/", 2)
    before = run(envoy_stats_info, url=envoy.url)["snapshot"]
    assert run(envoy_admin, url=envoy.url, reset_counters=True)["changed"] is True
    counter = {"stat": "http.main.downstream_rq_2xx", "of": "delta", "op": "ge", "value": 0}
    assert run(envoy_stats, url=envoy.url, assertions=[counter], since=before)["failure"] == "restarted"


def test_changes_are_read_back(envoy: Envoy) -> None:
    changes = {"healthcheck": "fail", "logging": {"level": "critical"}, "runtime_modify": {"a.key": 7}}
    predicted = run(envoy_admin, url=envoy.url, **changes, _ansible_check_mode=True)
    done = run(envoy_admin, url=envoy.url, **changes)
    assert done["changed"] is True
    assert done["endpoints"][0]["changes"] == predicted["endpoints"][0]["changes"]
    assert run(envoy_admin, url=envoy.url, **changes)["changed"] is False
    assert_stats(
        envoy,
        {"source": "ready", "stat": "status", "op": "eq", "value": 503},
        {"source": "server_info", "stat": "state", "op": "eq", "value": "DRAINING"},
        {"source": "runtime", "stat": "a.key", "op": "eq", "value": 7},
    )
    back = {"healthcheck": "ok", "logging": {"level": "error"}, "runtime_modify": {"a.key": ""}}
    assert run(envoy_admin, url=envoy.url, **back)["changed"] is True


def test_dumps_and_clusters_are_read(envoy: Envoy) -> None:
    found = run(envoy_clusters_info, url=envoy.url, clusters=["web"])["clusters"]["envoy"]
    assert [one["address"] for one in found["web"]["hosts"]] == ["127.0.0.1:1"]
    read = run(envoy_config_dump_info, url=envoy.url)["dumps"]["envoy"]
    assert [one["name"] for one in read["clusters"]] == ["web"]
    assert [one["name"] for one in read["listeners"]] == ["main"]
    assert read["other"] == []
