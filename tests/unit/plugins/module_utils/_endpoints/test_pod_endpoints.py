# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints that are pods: their names, their readiness, and the messages when pods come and go. The API server is a fake."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fake_api_server import FakeApiServer, fake_api_server, pod

from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Outcome,
    parse_assertions,
    parse_endpoints,
    read_snapshot,
    required_queries,
    scrape,
    wait_for,
)

STAT = "cluster.web.upstream_rq_total"
TOTAL = {"stat": STAT, "op": "eq", "value": 7, "across": "sum"}


class Admin:
    """The admin interfaces of the Envoys in pods; `count` has the requests that each has counted."""

    def __init__(self, api_server: FakeApiServer) -> None:
        self.api_server = api_server
        self.count: dict[str, int] = {}
        self.uptime = 3_600
        self.before_answer: Callable[[], None] = lambda: None
        self.cut_after: int | None = None
        self.servers: list[ThreadingHTTPServer] = []

    def add(self, name: str, count: int) -> dict[str, Any]:
        """Start the admin interface of a pod, and return the ready pod."""
        self.count[name] = count
        admin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_arguments: Any) -> None:
                pass

            def do_GET(self) -> None:
                if self.path.startswith("/server_info"):
                    answer = {"version": "x/1.40.0/Clean/RELEASE/BoringSSL", "state": "LIVE", "node": {}}
                    answer |= {"uptime_current_epoch": f"{admin.uptime}s", "command_line_options": {}}
                else:
                    answer = {"stats": [{"name": STAT, "value": admin.count[name]}]}
                data = json.dumps(answer).encode()
                admin.before_answer()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: admin.cut_after])
                self.close_connection = admin.cut_after is not None

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.api_server.ports[f"{name}:9901"] = server.server_port
        return pod(name)

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def api_server() -> Iterator[FakeApiServer]:
    with fake_api_server() as server:
        yield server


@pytest.fixture
def admin(api_server: FakeApiServer) -> Iterator[Admin]:
    fake = Admin(api_server)
    yield fake
    fake.close()


def read(api_server: FakeApiServer, *assertions: dict[str, Any], **more: Any) -> Outcome:
    entries = more.pop("endpoints", [{"name": "web", "selector": "app=web"}])
    endpoints = parse_endpoints(entries, cluster=api_server.options())
    return wait_for(
        endpoints, parse_assertions(assertions), **{"wait": False, "timeout": 5, "sleep": 0.02} | more
    )


def test_each_ready_pod_is_an_endpoint(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-b", 4), admin.add("web-a", 3), pod("web-c", ready=False))
    outcome = read(
        api_server, TOTAL, {**TOTAL, "endpoint": "web"}, {**TOTAL, "endpoint": "web-a", "value": 3}
    )
    assert outcome.ok, outcome.message
    data = outcome.as_data()
    assert [(one["name"], one["group"], one["version"]) for one in data["endpoints"]] == [
        ("web-a", "web", "1.40.0"),
        ("web-b", "web", "1.40.0"),
    ]
    assert outcome.remarks == [
        "web: pod web-c is left out: container envoy is waiting: ImagePullBackOff (no such image)"
    ]
    assert api_server.requests[0][1] == {"labelSelector": ["app=web"]}


def test_default_name_is_namespace_and_selector(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("shop", admin.add("web-a", 7))
    entries = [{"namespace": "shop", "selector": "app=web"}]
    assert read(api_server, {**TOTAL, "endpoint": "shop/app=web"}, endpoints=entries).ok


def test_two_ports_of_a_pod_are_two_endpoints(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    api_server.ports["web-a:9100"] = api_server.ports["web-a:9901"]
    entries = [{"name": "web", "selector": "app=web"}, {"name": "again", "selector": "app=web", "port": 9100}]
    outcome = read(api_server, {**TOTAL, "value": 14}, {**TOTAL, "endpoint": "again"}, endpoints=entries)
    assert outcome.ok, outcome.message
    assert list(outcome.snapshot.pages) == ["web-a", "again/web-a"]


def test_port_is_found_by_its_name(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    entries = [{"name": "web", "selector": "app=web", "port": "admin", "container": "envoy"}]
    assert read(api_server, TOTAL, endpoints=entries).ok
    outcome = read(api_server, TOTAL, endpoints=[{**entries[0], "port": "nope"}])
    assert "pod web-a has no port named nope" in outcome.message


def test_message_names_a_selector_without_pods(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo")
    api_server.respond("GET /api/v1/namespaces/demo", {"kind": "Namespace"})
    outcome = read(api_server, TOTAL)
    assert outcome.failure == "unreachable"
    assert "no pod is selected by app=web in namespace demo. The namespace has no pods." in outcome.message
    api_server.respond("GET /api/v1/namespaces/demo", {"kind": "Status", "message": "x"}, 404)
    assert "there is no namespace demo" in read(api_server, TOTAL).message


def test_message_has_the_reason_of_an_unready_pod(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", pod("web-a", ready=False))
    message = (
        "no pod of app=web in namespace demo is ready (web-a: container envoy is waiting: ImagePullBackOff"
    )
    assert message in read(api_server, TOTAL).message


def test_pods_are_looked_up_for_each_snapshot(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", pod("web-a", ready=False))
    ready_pod = admin.add("web-a", 7)

    def become_ready() -> None:
        while len(api_server.requests) < 2:
            time.sleep(0.01)
        api_server.set_pods("demo", ready_pod)

    threading.Thread(target=become_ready, daemon=True).start()
    outcome = read(api_server, TOTAL, wait=True, timeout=60)
    assert outcome.ok, outcome.message
    assert outcome.attempts > 1


def test_connections_are_kept_between_snapshots(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 6))
    answers = iter(range(1, 100_000))
    # Each snapshot requests stats, and at least the first one /server_info too.
    admin.before_answer = lambda: admin.count.update({"web-a": 7 if next(answers) > 5 else 6})
    outcome = read(api_server, TOTAL, wait=True, timeout=60)
    assert outcome.ok
    assert outcome.attempts > 2
    assert len(api_server.forwards) == 1


@pytest.fixture
def keeping_access(api_server: FakeApiServer) -> Iterator[PodAccess]:
    access = PodAccess(api_server.options(), keeps_connections=True)
    yield access
    access.close()


def scrape_web(access: PodAccess | dict[str, Any]) -> Page:
    endpoints = parse_endpoints([{"name": "web", "selector": "app=web"}], cluster=access)
    return next(iter(scrape(endpoints, timeout=5).pages.values()))


def test_access_keeps_connections_for_later_readings(
    api_server: FakeApiServer, admin: Admin, keeping_access: PodAccess
) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    for _number in range(3):
        page = scrape_web(keeping_access)
        assert page.failure is None
        assert page.sources["stats"].values == {STAT: 7}
    assert len(api_server.forwards) == 1


def test_connections_are_closed_after_a_reading_by_default(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    assert [scrape_web(api_server.options()).failure for _number in range(2)] == [None, None]
    assert len(api_server.forwards) == 2


def test_closed_kept_connection_is_replaced(
    api_server: FakeApiServer, admin: Admin, keeping_access: PodAccess
) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    scrape_web(keeping_access)
    api_server.forwards[-1].shutdown(2)
    assert scrape_web(keeping_access).failure is None
    assert len(api_server.forwards) == 2


def test_kept_connection_that_fails_at_a_request_is_replaced(
    api_server: FakeApiServer, admin: Admin, keeping_access: PodAccess
) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    scrape_web(keeping_access)

    def cut_first() -> None:
        if len(api_server.forwards) == 1:
            api_server.forwards[0].shutdown(2)

    admin.before_answer = cut_first
    assert scrape_web(keeping_access).failure is None
    assert len(api_server.forwards) == 2


def test_kept_connection_is_not_for_another_pod_of_its_name(
    api_server: FakeApiServer, admin: Admin, keeping_access: PodAccess
) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    scrape_web(keeping_access)
    api_server.set_pods("demo", pod("web-a", uid="another"))
    assert scrape_web(keeping_access).failure is None
    assert len(api_server.forwards) == 2


def test_connection_with_an_open_request_is_not_kept(
    api_server: FakeApiServer, admin: Admin, keeping_access: PodAccess
) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    answered = threading.Event()
    admin.before_answer = lambda: answered.wait(30) and None
    endpoints = parse_endpoints([{"name": "web", "selector": "app=web"}], cluster=keeping_access)
    page = next(iter(scrape(endpoints, timeout=5, limits=Limits(request_timeout=0.2)).pages.values()))
    assert page.failure is not None
    answered.set()
    assert scrape_web(keeping_access).failure is None
    assert len(api_server.forwards) == 2


def test_pods_of_several_entries_are_listed_by_one_request(api_server: FakeApiServer, admin: Admin) -> None:
    web, api = admin.add("web-a", 3), admin.add("api-a", 4)
    web["metadata"]["labels"], api["metadata"]["labels"] = {"app": "web"}, {"app": "api"}
    api_server.set_pods("demo", web, api)
    entries = [{"name": name, "selector": f"app={name}"} for name in ("web", "api")]
    outcome = read(
        api_server,
        TOTAL,
        {**TOTAL, "endpoint": "web", "value": 3},
        {**TOTAL, "endpoint": "api", "value": 4},
        endpoints=entries,
    )
    assert outcome.ok, outcome.message
    lists = [query for request, query, _body, _headers in api_server.requests if request.endswith("/pods")]
    assert lists == [{"labelSelector": ["app in (web,api)"]}]


@pytest.mark.parametrize("how", ["deleted", "cut off", "replaced", "ended"])
def test_pod_that_ends_during_a_response_is_unreachable(
    api_server: FakeApiServer, admin: Admin, how: str
) -> None:
    one = admin.add("web-a", 7)
    api_server.set_pods("demo", one)
    admin.cut_after = 9

    def end() -> None:
        path = "GET /api/v1/namespaces/demo/pods/web-a"
        if how == "ended":
            api_server.respond(path, {**one, "status": {"phase": "Failed", "reason": "Evicted"}})
        elif how == "replaced":
            api_server.respond(path, pod("web-a", uid="another"))
        else:
            api_server.respond(path, {"kind": "Status", "message": 'pods "web-a" not found'}, 404)
        if how == "cut off":
            api_server.forwards[-1].shutdown(2)

    admin.before_answer = end
    outcome = read(api_server, TOTAL)
    assert outcome.failure == "unreachable", outcome.message
    assert "pod web-a no longer exists" in outcome.message


def test_connection_that_is_cut_is_unreachable(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    admin.before_answer = lambda: api_server.forwards[-1].shutdown(2)
    outcome = read(api_server, TOTAL)
    assert outcome.failure == "unreachable"
    assert "the port-forward to port 9901 of Pod web-a in namespace demo was cut" in outcome.message


def test_port_without_listener_is_unreachable(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", pod("web-a"))
    outcome = read(api_server, TOTAL)
    assert outcome.failure == "unreachable"
    assert "port 9901 of Pod web-a in namespace demo: nothing listens on that port" in outcome.message


def test_missing_right_ends_the_wait(api_server: FakeApiServer) -> None:
    message = (
        'pods is forbidden: User "system:serviceaccount:demo:x" cannot list resource "pods" in API group "" '
        'in the namespace "demo"'
    )
    api_server.respond("GET /api/v1/namespaces/demo/pods", {"kind": "Status", "message": message}, 403)
    outcome = read(api_server, TOTAL, wait=True)
    assert outcome.attempts == 1
    assert "system:serviceaccount:demo:x is forbidden to list pods in namespace demo" in outcome.message


def test_missing_cluster_is_unreachable() -> None:
    endpoints = parse_endpoints(
        [{"name": "web", "selector": "app=web"}], cluster={"host": "http://127.0.0.1:1", "api_key": "x"}
    )
    outcome = wait_for(endpoints, parse_assertions([TOTAL]), wait=False)
    assert outcome.failure == "unreachable"
    assert "no API server answers at http://127.0.0.1:1 (connection refused)" in outcome.message


def test_difference_counts_old_and_new_pods(api_server: FakeApiServer, admin: Admin) -> None:
    delta = {**TOTAL, "of": "delta"}
    endpoints = parse_endpoints([{"name": "web", "selector": "app=web"}], cluster=api_server.options())
    first = admin.add("web-a", 3)
    api_server.set_pods("demo", first)
    taken = scrape(endpoints, required_queries(parse_assertions([delta]), endpoints))
    before = read_snapshot(json.loads(json.dumps(taken.as_data())))
    assert before.pages["web-a"].group == "web"
    before.time -= 60

    admin.count["web-a"] = 5
    assert read(api_server, {**delta, "value": 2}, since=before).ok

    api_server.set_pods("demo", first, admin.add("web-b", 5))
    old = read(api_server, delta, since=before)
    assert old.failure == "absent", "web-b is older than the snapshot, but not in it"
    before.pages["web-a"].identity = None
    admin.uptime = 5
    new = read(api_server, delta, since=before)
    assert new.ok, "web-b started after the snapshot, so all of its count is new"

    api_server.set_pods("demo", admin.add("web-b", 7))
    gone = read(api_server, delta, since=before, wait=True)
    assert gone.failure == "restarted"
    assert gone.attempts == 1
    assert "pod web-a was deleted, and what it counted since then is lost" in gone.message
    assert read(api_server, TOTAL, since=before).ok, "the present value does not need the deleted pod"


def test_pod_that_does_not_exist_is_unreachable(api_server: FakeApiServer, admin: Admin) -> None:
    api_server.set_pods("demo", admin.add("web-a", 7))
    outcome = read(api_server, {**TOTAL, "endpoint": ["web-a", "web-z"]})
    assert outcome.failure == "unreachable"
    assert "no ready pod has the name web-z; the ready pods are web-a" in outcome.message


def test_entry_that_selects_pods() -> None:
    one, page = parse_endpoints(
        [
            {"namespace": "n", "selector": "a=b", "container": "envoy"},
            {"selector": "a=b", "port": "9102", "format": "prometheus"},
        ],
        cluster={"host": "http://x", "api_key": "hidden"},
    )
    assert (one.name, one.container, one.path) == ("n/a=b", "", "")
    assert (page.name, page.port, page.path) == ("a=b", 9102, "/metrics")
    assert "hidden" not in repr(one)
