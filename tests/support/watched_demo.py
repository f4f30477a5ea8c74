# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo with an edge and two replicas of a service, and its snapshots, for tests of live views."""

from __future__ import annotations

from typing import Any

from fake_snapshots import ALL, fake_page
from run_results import plan as shop_plan

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page, Samples, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import Reading
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_demo import LiveDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import LiveState, live_state
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.recent_changes import RecentSnapshots

START = 1790000000.0
HOSTS = ("10.0.0.1:80", "10.0.0.2:80")


def watched_plan() -> dict[str, Any]:
    """Return the plan: `edge` with the published port 8000, and `web` with two sidecars."""
    endpoints = [
        {"name": name, "proxy": name, "format": "envoy", "url": f"http://{name}"}
        for name in ("edge", "web-1", "web-2")
    ]
    plan = shop_plan()
    plan["admins"] = [*plan["admins"], {"proxy": "web-2", "workload": "web-2-envoy"}]
    return {**plan, "endpoints": endpoints, "folder": "/nonexistent"}


def watched_demo() -> LiveDemo:
    """Return the demo of the plan."""
    return LiveDemo.of(watched_plan())  # type: ignore[arg-type]


def edge_page(at: float, requests: int = 0, failed: int = 0, started: float = START, **more: Any) -> Page:
    """Return the page of the edge, `at` seconds after the first one: all its requests took between 2 and 3 ms."""
    latency = Histogram(((2.0, 3.0, float(requests)),), lower_inclusive=True)
    listener = "listener.0.0.0.0_8080."
    stats: dict[str, Any] = {
        "cluster.web.upstream_rq_total": requests,
        "cluster.web.upstream_rq_5xx": failed,
        "cluster.web.upstream_cx_active": 3,
        "cluster.web.upstream_cx_rx_bytes_total": requests * 100,
        "cluster.web.upstream_rq_time": latency,
        f"{listener}downstream_cx_active": 2,
        f"{listener}worker_0.downstream_cx_active": 2,
        "listener.admin.downstream_cx_active": 7,
        "listener.admin.http.admin.downstream_rq_completed": requests,
        f"{listener}http.http.downstream_rq_completed": requests,
        f"{listener}http.http.downstream_rq_5xx": failed,
        "http.http.downstream_rq_time": latency,
        "http.http.downstream_cx_tx_bytes_total": requests * 50,
        "listener_manager.lds.update_success": 2,
        "listener_manager.lds.update_rejected": 0,
    }
    page = fake_page("edge", START + at, started, **{**stats, **more})
    page.sources["clusters"] = Samples(ALL, clusters_of("web", *HOSTS))
    page.sources["listeners"] = Samples(ALL, {"http.address": "0.0.0.0:8080", "http.port": 8080})
    return page


def clusters_of(
    cluster: str, *addresses: str, unhealthy: tuple[str, ...] = (), ejected: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the readings of a cluster with these hosts, as the source `clusters` has them."""
    found: dict[str, Any] = {}
    for address in addresses:
        good = address not in (*unhealthy, *ejected)
        host = {"healthy": int(good), "ejected": int(address in ejected), "weight": 1, "priority": 0}
        counts = {"eds_health": "HEALTHY", "rq_total": 5, "rq_active": 1, "rq_error": 0}
        found.update({f"{cluster}.{address}.{key}": value for key, value in {**host, **counts}.items()})
    number = len(addresses)
    found[f"{cluster}.hosts"] = number
    found[f"{cluster}.healthy"] = number - len(unhealthy) - len(ejected)
    found[f"{cluster}.added_via_api"] = 1
    return found


def sidecar_page(name: str, at: float) -> Page:
    """Return the page of a sidecar without requests."""
    page = fake_page(name, START + at, START)
    page.sources["clusters"] = Samples(ALL, clusters_of("web", "127.0.0.1:8080"))
    page.sources["listeners"] = Samples(ALL, {})
    return page


def silent_page(name: str, at: float) -> Page:
    """Return the page of an Envoy that does not answer."""
    return Page(name, "envoy", START + at, failure=Failure("timeout", f"http://{name}: no answer."))


def snapshot_of(at: float, requests: int = 0, failed: int = 0, **more: Any) -> Snapshot:
    """Return a snapshot in which all Envoys answer."""
    pages = [
        edge_page(at, requests, failed, **more),
        sidecar_page("web-1", at),
        sidecar_page("web-2", at),
    ]
    return Snapshot(START + at, {page.name: page for page in pages})


def recent(*snapshots: Snapshot) -> RecentSnapshots:
    """Return these snapshots as those of the last seconds."""
    found = RecentSnapshots()
    for one in snapshots:
        found.add(one)
    return found


def state_of(*snapshots: Snapshot) -> LiveState:
    """Return the state after these snapshots."""
    demo = watched_demo()
    return live_state(demo.topology, demo.groups, recent(*snapshots))


class FakeReader:
    """Counts readings. Each has 20 requests and 2 s more than the previous one.

    Attributes:
        reads: Number of readings of all Envoys.
        record: The record of the deployment.
    """

    def __init__(self) -> None:
        self.reads = 0
        self.record: str | None = "first"

    def read(self) -> Reading:
        """Return the next reading."""
        self.reads += 1
        return Reading(snapshot_of(2.0 * self.reads, 20 * self.reads), self.record)

    def deployment(self) -> str | None:
        """Return the record."""
        return self.record
