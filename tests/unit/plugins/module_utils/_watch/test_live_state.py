# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a demo: its connections, its Envoys, and what is wrong with it."""

from __future__ import annotations

import pytest
from watched_demo import (
    HOSTS,
    START,
    clusters_of,
    edge_page,
    sidecar_page,
    silent_page,
    snapshot_of,
    state_of,
    watched_demo,
)

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import (
    BoxHealth,
    box_health,
    problems,
    verdict,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_hosts import cluster_hosts
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import LiveConnection, LiveState


def connection(state: LiveState, *source: str) -> LiveConnection:
    return next(one for one in state["connections"] if one["source"] == list(source))


def with_hosts(snapshot: Snapshot, **hosts: tuple[str, ...]) -> Snapshot:
    """Return the snapshot with these unhealthy or ejected hosts of cluster web at the edge."""
    readings = snapshot.pages["edge"].sources["clusters"]
    snapshot.pages["edge"].sources["clusters"] = Samples(
        readings.selection, clusters_of("web", *HOSTS, **hosts)
    )
    return snapshot


def of_pages(at: float, *pages: Page) -> Snapshot:
    return Snapshot(START + at, {page.name: page for page in pages})


def test_cluster_has_rates_latency_connections_and_hosts() -> None:
    found = connection(state_of(snapshot_of(0, 100, 0), snapshot_of(2, 140, 4)), "edge", "web")
    assert (found["rate"], found["failed_rate"], found["bytes_rate"]) == (20, 2, 2000)
    assert (found["p50_ms"], found["p99_ms"]) == (pytest.approx(2.5), pytest.approx(2.99))
    assert found["open"] == 3
    assert found["targets"] == ["web"]
    assert found["hosts"] is not None
    assert [one["address"] for one in found["hosts"]["hosts"]] == list(HOSTS)


def test_published_port_has_the_numbers_of_its_listener() -> None:
    state = state_of(snapshot_of(0, 100, 0), snapshot_of(2, 140, 4))
    found = connection(state, "(host)", ":8000")
    assert (found["rate"], found["failed_rate"], found["bytes_rate"]) == (20, 2, 1000)
    assert (found["open"], found["hosts"]) == (2, None)
    assert (state["rate"], state["failed_rate"]) == (20, 2), "inner connections are not added"


def test_listener_without_http_counts_connections() -> None:
    def tcp(at: float, connections: int) -> Snapshot:
        page = edge_page(at)
        values = page.sources["stats"].values
        for name in [name for name in values if ".http." in name]:
            del values[name]
        values["listener.0.0.0.0_8080.downstream_cx_total"] = connections
        return of_pages(at, page)

    found = connection(state_of(tcp(0, 4), tcp(2, 10)), "(host)", ":8000")
    assert (found["rate"], found["failed_rate"], found["p50_ms"]) == (3, 0, None)


def test_replicas_are_added_up() -> None:
    def sidecars(at: float, requests: int) -> Snapshot:
        pages = [sidecar_page(name, at) for name in ("web-1", "web-2")]
        for page in pages:
            page.sources["stats"].values["cluster.web.upstream_rq_total"] = requests
        return of_pages(at, *pages)

    assert connection(state_of(sidecars(0, 0), sidecars(2, 8)), "web", "web")["rate"] == 8


def test_pods_belong_to_the_group_of_their_entry() -> None:
    page = sidecar_page("shop-web-5f6-abc", 0)
    page.group = "web-1"
    state = state_of(of_pages(0, page))
    assert [(one["name"], one["group"]) for one in state["envoys"]] == [("shop-web-5f6-abc", "web")]


def test_envoy_has_state_version_connections_and_updates() -> None:
    state = state_of(snapshot_of(0, 100), snapshot_of(2, 140, **{"listener_manager.lds.update_rejected": 1}))
    edge = next(one for one in state["envoys"] if one["name"] == "edge")
    assert (edge["state"], edge["version"], edge["uptime"]) == ("LIVE", "1.40.0", 2)
    assert (edge["open"], edge["rate"]) == (2, 20), "neither the admin nor a worker is added"
    assert (edge["updates"], edge["rejected"]) == (2, 1)
    assert problems(state) == ["edge rejected 1 update of its configuration."]


def test_silent_envoy_comes_first_and_keeps_its_connections() -> None:
    silent = of_pages(2, edge_page(2), sidecar_page("web-1", 2), silent_page("web-2", 2))
    state = state_of(snapshot_of(0), silent)
    assert state["envoys"][0]["name"] == "web-2"
    assert problems(state) == ["web-2 does not answer: http://web-2: no answer."]
    assert verdict(state) == (False, "2 of 3 Envoys live")
    all_silent = state_of(of_pages(2, edge_page(2), silent_page("web-1", 2), silent_page("web-2", 2)))
    unknown = connection(all_silent, "web", "web")
    assert (unknown["rate"], unknown["open"], unknown["hosts"]) == (None, None, None)


def test_draining_envoy_is_a_problem() -> None:
    snapshot = snapshot_of(0)
    identity = snapshot.pages["edge"].identity
    assert identity is not None
    snapshot.pages["edge"].identity = type(identity)(**{**identity.as_data(), "state": "DRAINING"})
    assert problems(state_of(snapshot)) == ["edge is DRAINING."]


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        ({"unhealthy": ("10.0.0.2:80",)}, "cluster web of edge: 10.0.0.2:80 is not healthy."),
        ({"ejected": ("10.0.0.1:80",)}, "cluster web of edge: outlier detection ejected 10.0.0.1:80."),
    ],
)
def test_host_that_gets_no_requests_is_a_problem(hosts: dict[str, tuple[str, ...]], problem: str) -> None:
    state = state_of(with_hosts(snapshot_of(0), **hosts))
    assert problems(state) == [problem]
    assert verdict(state) == (False, "1 problem")
    assert box_health(state)["web"] == BoxHealth("1 of 2 healthy", True)


def test_healthy_demo_has_no_problem() -> None:
    state = state_of(snapshot_of(0), snapshot_of(2))
    assert problems(state) == []
    assert verdict(state) == (True, "all 3 Envoys live")
    assert box_health(state) == {
        "edge": BoxHealth("1 of 1 live", False),
        "web": BoxHealth("2 of 2 live", False),
    }


def test_envoys_disagree_about_a_host() -> None:
    pages = [edge_page(0), with_hosts(snapshot_of(0), unhealthy=HOSTS[:1]).pages["edge"]]
    first, second = cluster_hosts("edge", "web", pages)["hosts"]
    assert (first["healthy"], second["healthy"]) == (False, True)
    assert (first["requests"], first["active"]) == (10, 2)


def test_cluster_with_a_longer_name_has_its_own_hosts() -> None:
    page = edge_page(0)
    page.sources["clusters"].values.update(clusters_of("web.v2", "10.0.0.9:80"))
    assert [one["address"] for one in cluster_hosts("edge", "web", [page])["hosts"]] == list(HOSTS)
    assert [one["address"] for one in cluster_hosts("edge", "web.v2", [page])["hosts"]] == ["10.0.0.9:80"]


def test_texts_of_an_envoy_are_printable() -> None:
    snapshot = snapshot_of(0)
    snapshot.pages["edge"].sources["clusters"].values.update(clusters_of("web", "\x1b[2J\u202e:1"))
    state = state_of(snapshot)
    assert "\\x1b[2J\\u202e:1" in [one["address"] for cluster in state["hosts"] for one in cluster["hosts"]]


def test_demo_has_the_parts_and_addresses_of_the_plan() -> None:
    demo = watched_demo()
    assert [one["box"] for one in demo.parts] == ["edge", "web"]
    assert demo.groups == {"edge": "edge", "web-1": "web", "web-2": "web"}
    assert demo.addresses[0]["name"] == "edge/http"
