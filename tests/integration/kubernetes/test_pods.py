# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoys in pods that were not deployed by this collection: statistics, traffic and admin requests through the API server."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from envoy_namespace import (
    EnvoyNamespace,
    bootstrap,
    direct_response,
    http_filter,
    http_listener,
    pod_spec,
    until,
)
from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import connect
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import pod_name
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import perform
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Limits,
    Outcome,
    parse_assertions,
    parse_endpoints,
    required_queries,
    scrape,
    wait_for,
)
from ansible_collections.meshlab.envoy.plugins.modules import (
    envoy_admin,
    envoy_clusters_info,
    envoy_config_dump_info,
    envoy_stats,
    envoy_stats_info,
    http_traffic,
)

DOCS = Path(__file__).resolve().parents[3] / "docs"
ROLE = DOCS / "kubernetes" / "assert.yaml"
TOTAL = "http.front.downstream_rq_2xx"
WEB = {"name": "web", "selector": "app=web"}
SLOW = {"name": "slow", "selector": "app=slow"}
HOST = "shop.example.com"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyNamespace]:
    """Deploy three pods `web`, and a pod `slow` whose admin interface responds slowly."""
    try:
        made = EnvoyNamespace()
    except ClusterError as error:
        pytest.skip(f"no cluster is available: {error}")
    try:
        made.certificate(HOST, tmp_path_factory.mktemp("tls"))
        tcp = http_filter(
            "echo",
            "filters.network.direct_response.v3.Config",
            response={"inline_string": "served-by all\n"},
        )
        route = {"route": {"cluster": "admin", "timeout": "0s"}}
        late = http_filter(
            "late",
            "filters.http.fault.v3.HTTPFault",
            delay={"fixed_delay": "1s", "percentage": {"numerator": 100}},
        )
        web = bootstrap(
            http_listener("late", "127.0.0.1", 9903, route, (late,)),
            http_listener("front", "0.0.0.0", 8080, direct_response("hello")),
            http_listener("secure", "0.0.0.0", 8443, direct_response("hello"), tls=True),
            {
                "name": "tcp",
                "address": {"socket_address": {"address": "0.0.0.0", "port_value": 9000}},
                "filter_chains": [{"filters": [tcp]}],
            },
        )
        web["layered_runtime"] = {"layers": [{"name": "admin", "admin_layer": {}}]}
        made.config("web", web)
        # The listener in front of the admin interface limits the response to 1 KiB a second.
        drip = http_filter(
            "drip",
            "filters.http.bandwidth_limit.v3.BandwidthLimit",
            stat_prefix="drip",
            enable_mode="RESPONSE",
            limit_kbps=1,
        )
        made.config(
            "slow",
            bootstrap(
                http_listener("front", "0.0.0.0", 8080, direct_response("hello")),
                http_listener("slow", "127.0.0.1", 9901, route, (drip,)),
                admin=9902,
            ),
        )
        made.deploy("slow")
        made.deploy("web", 3)
        yield made
    finally:
        made.close()


def evaluate(shop: EnvoyNamespace, *assertions: dict[str, Any], **more: Any) -> Outcome:
    options = more.pop("cluster", shop.options)
    endpoints = parse_endpoints(more.pop("endpoints", [WEB]), cluster=options)
    return wait_for(
        endpoints, parse_assertions(assertions), **{"wait": False, "timeout": 15, "sleep": 0.1} | more
    )


def send(shop: EnvoyNamespace, entry: dict[str, Any]) -> dict[str, Any]:
    [traffic] = parse_traffic([{"pod": {"selector": "app=web"}, **entry}], shop.options)
    return send_traffic(traffic)


def task(module: ModuleType, **arguments: Any) -> dict[str, Any]:
    """Run a module in this process, and return its result."""
    return run_module(module, arguments)


@contextmanager
def proxy() -> Iterator[tuple[str, Callable[[], None]]]:
    """Start an HTTP proxy; yield its address, and a function that cuts all its connections."""
    server = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def serve(client: socket.socket) -> None:
        with suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4_096)
            host, _colon, port = head.split()[1].decode().rpartition(":")
            target = socket.create_connection((host, int(port)))
            open_ones.extend((client, target))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=carry, args=(target, client), daemon=True).start()
            carry(client, target)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    def cut() -> None:
        for one in open_ones:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}", cut
    cut()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for one in open_ones:
        one.close()


def test_pods_count_the_traffic_that_was_sent(shop: EnvoyNamespace) -> None:
    delta = {"stat": TOTAL, "of": "delta", "op": "eq", "value": 10}
    endpoints = parse_endpoints([WEB], cluster=shop.options)
    assertions = [delta, {**delta, "across": "sum", "value": 30}, {**delta, "across": "spread", "value": 0}]
    before = scrape(endpoints, required_queries(parse_assertions(assertions), endpoints))
    assert sorted(before.pages) == sorted(shop.names("web"))
    sent = send(shop, {"url": "http://front.example:8080/", "requests": 30, "connections": "new"})
    assert sent["statuses"] == {"200": 30}, sent
    assert sent["hosts"] == dict.fromkeys(sorted(shop.names("web")), 10), "the pods take turns"
    outcome = evaluate(shop, *assertions, since=before)
    assert outcome.ok, outcome.message


def test_traffic_of_each_scheme_reaches_a_pod(shop: EnvoyNamespace, tmp_path: Path) -> None:
    tls = {"server_name": HOST, "ca": str(ca_of(shop, tmp_path))}
    one = {"requests": 6, "concurrency": 2}
    for entry in (
        {"url": "http://10.255.255.1:8080/x", **one},
        {"url": f"http://{HOST}/x", "pod": {"selector": "app=web", "port": "http"}, **one},
        {"url": f"https://{HOST}/x", "pod": {"selector": "app=web", "port": 8443}, **one, "ca": tls["ca"]},
        {"url": "https://anything:8443/x", **one, **tls},
        {"url": "tcp://anything:9000", "reply": "^served-by all$", "connections": "new", **one},
    ):
        sent = send(shop, entry)
        assert sent["answered"] == 6, sent
        assert sent["connections"] == (6 if "tcp" in entry["url"] else 2)
    wrong = send(shop, {"url": "https://wrong.example:8443/", "ca": tls["ca"]})
    assert wrong["errors"] == {"tls": 1}
    assert "port 8443 of pod web-" in wrong["last_error"]


def ca_of(shop: EnvoyNamespace, folder: Path) -> Path:
    secret = shop.cluster.get("Secret", "tls") or {}
    path = folder / "ca.pem"
    path.write_bytes(base64.b64decode(secret["data"]["tls.crt"]))
    return path


def test_modules_have_the_option_cluster(shop: EnvoyNamespace) -> None:
    common = {"cluster": shop.options, "endpoints": [WEB]}
    sent = task(
        http_traffic, cluster=shop.options, url="http://x:8080/", pod={"selector": "app=web"}, requests=3
    )
    assert sent["traffic"][0]["answered"] == 3, sent
    answer = task(
        envoy_stats,
        **common,
        assertions=[{"stat": TOTAL, "across": "sum", "op": "ge", "value": 3}],
        wait=True,
    )
    assert answer["assertions"][0]["ok"], answer["msg"]
    assert {one["group"] for one in answer["endpoints"]} == {"web"}
    info = task(envoy_stats_info, **common, stats=[TOTAL], sources=["stats", "server_info"])
    assert sorted(info["readings"]) == sorted(shop.names("web"))
    names = sorted(shop.names("web"))
    assert sorted(task(envoy_clusters_info, **common)["clusters"]) == names
    dumped = task(envoy_config_dump_info, **common)
    assert [one["name"] for one in dumped["endpoints"]] == names
    changed = task(envoy_admin, **common, runtime_modify={"some.key": "1"})
    assert [(one["name"], one["changed"]) for one in changed["endpoints"]] == [(name, True) for name in names]
    assert not task(envoy_admin, **common, runtime_modify={"some.key": "1"})["changed"]


def test_plan_with_pods_is_verified(shop: EnvoyNamespace) -> None:
    traffic = {
        "name": "x",
        "url": "http://x:8080/",
        "pod": {"selector": "app=web"},
        "requests": 9,
        "connections": "new",
    }
    expect = [{"status": "200", "op": "eq", "value": 9}]
    plan = {
        "endpoints": [WEB],
        "traffic": [{**traffic, "expect": expect}],
        "assertions": [
            {"stat": TOTAL, "of": "delta", "across": "sum", "op": "ge", "value": {"traffic": "x"}}
        ],
    }
    answer = perform({"plan": plan, "timeout": 10.0, "sleep": 0.1, "cluster": shop.options}, False)
    assert not answer.get("failed"), answer["msg"]
    assert answer["assertions"][0]["endpoints"] == sorted(shop.names("web"))


def test_documented_playbook_runs(shop: EnvoyNamespace, tmp_path: Path) -> None:
    page = (DOCS / "assert-on-envoy.md").read_text()
    text = page.partition("```yaml file=pods.yml\n")[2].partition("```")[0]
    assert text.count("{namespace: shop}") == 1
    playbook = tmp_path / "pods.yml"
    playbook.write_text(text.replace("{namespace: shop}", f"{{namespace: {shop.namespace}}}"))
    command = [Path(sys.executable).with_name("ansible-playbook"), playbook]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_pod_deleted_during_a_response_is_unreachable(shop: EnvoyNamespace) -> None:
    [name] = shop.names("slow")

    def delete() -> None:
        """Delete the pod as soon as the response has begun."""
        busy = {"stat": "http.slow.downstream_rq_active", "op": "ge", "value": 1}
        answering = evaluate(shop, busy, endpoints=[{**SLOW, "port": 9902}], wait=True)
        assert answering.ok, answering.message
        shop.cluster.delete("Pod", name, grace=0)

    with ThreadPoolExecutor(1) as executor:
        deleting = executor.submit(delete)
        everything = {"match": ".*", "across": "count", "op": "ge", "value": 1}
        outcome = evaluate(shop, everything, endpoints=[SLOW], limits=Limits(request_timeout=20))
        assert deleting.exception() is None, f"{deleting.exception()}; meanwhile: {outcome.message}"
    assert outcome.failure == "unreachable", outcome.message
    assert f"pod {name} no longer exists" in outcome.message
    [shown] = outcome.as_data()["endpoints"]
    assert (shown["name"], shown["failure"]) == (name, "unreachable")
    # With wait, the pod that replaces it is read.
    stat = {"stat": "server.live", "op": "eq", "value": 1}
    again = evaluate(shop, stat, endpoints=[{**SLOW, "port": 9902}], wait=True, timeout=60)
    assert again.ok, again.message
    assert name not in again.snapshot.pages


def test_cut_connection_is_not_reported_as_a_deleted_pod(shop: EnvoyNamespace) -> None:
    [name] = shop.names("slow")
    shop.ready("slow", 1)
    everything = {"match": ".*", "across": "count", "op": "ge", "value": 1}
    for after in (
        1.0,
        1.0,
        2.0,
        3.0,
    ):  # again if the machine was so busy that the cut came before the request or after the response
        with proxy() as (address, cut):
            timer = threading.Timer(after, cut)
            timer.start()
            behind = {**shop.options, "proxy": address}
            outcome = evaluate(
                shop, everything, endpoints=[SLOW], cluster=behind, limits=Limits(request_timeout=60)
            )
            timer.cancel()
        if "was cut" in outcome.message:
            break
    assert outcome.failure == "unreachable", outcome.message
    assert (
        f"the port-forward to port 9901 of Pod {name} in namespace {shop.namespace} was cut"
        in outcome.message
    )


def test_broken_connection_is_opened_again(shop: EnvoyNamespace) -> None:
    with proxy() as (address, cut):
        cluster = connect({**shop.options, "proxy": address})
        with cluster:
            [name, *_others] = shop.names("web")
            connection = cluster.forward(name, 8080)
            cut()
            connection.settimeout(5)
            assert connection.recv(1) == b""
            assert connection.failure is not None
            assert connection.failure.reason == "broken"
            connection.close()
            assert cluster.get("Pod", name) is not None


def test_port_without_listener_is_reported(shop: EnvoyNamespace) -> None:
    outcome = evaluate(shop, {"stat": "x", "op": "present"}, endpoints=[{**WEB, "port": 9}])
    assert outcome.failure == "unreachable"
    assert "nothing listens on that port inside the pod" in outcome.message
    sent = send(shop, {"url": "http://x:9/"})
    assert sent["errors"] == {"connect": 1}
    assert "nothing listens on that port inside the pod" in sent["last_error"]


def test_missing_and_unready_pods_are_reported(shop: EnvoyNamespace) -> None:
    present = {"stat": "x", "op": "present"}
    unmatched = evaluate(shop, present, endpoints=[{"selector": "app=wep"}])
    assert (
        f"no pod is selected by app=wep in namespace {shop.namespace}. The namespace has slow-"
        in unmatched.message
    )
    missing = evaluate(shop, present, endpoints=[{**WEB, "namespace": "no-such-namespace"}])
    assert "there is no namespace no-such-namespace" in missing.message
    shop.config("broken", bootstrap(probed="127.0.0.1"))
    labels = {"app": "broken"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "broken", "labels": labels},
        "spec": pod_spec("broken"),
    }
    shop.cluster.apply(pod)
    try:
        until(
            lambda: "running" in json.dumps(shop.cluster.get("Pod", "broken") or {}), "the start of the pod"
        )
        unready = evaluate(shop, present, endpoints=[{"selector": "app=broken"}])
        assert (
            f"no pod of app=broken in namespace {shop.namespace} is ready (broken: container envoy"
            in unready.message
        )
        mixed = evaluate(
            shop,
            {"stat": "server.live", "op": "eq", "value": 1},
            endpoints=[{"selector": "app in (web, broken)"}],
        )
        assert mixed.ok, mixed.message
        assert "pod broken is left out: container envoy runs and is not ready yet" in mixed.remarks[0]
    finally:
        shop.cluster.delete("Pod", "broken", grace=0)


def test_delta_over_replaced_pods_is_an_error(shop: EnvoyNamespace) -> None:
    delta = {"stat": TOTAL, "of": "delta", "across": "sum", "op": "ge", "value": 0}
    endpoints = parse_endpoints([WEB], cluster=shop.options)
    before = scrape(endpoints, required_queries(parse_assertions([delta]), endpoints))
    name = shop.names("web")[0]
    shop.cluster.delete("Pod", name, grace=0)
    until(lambda: name not in shop.names("web"), "the deletion of the pod")
    shop.ready("web", 3)
    outcome = evaluate(shop, delta, since=before, wait=True)
    assert outcome.failure == "restarted"
    assert f"pod {name} was deleted, and what it counted since then is lost" in outcome.message
    assert outcome.attempts == 1


def test_unreachable_api_server_is_reported(shop: EnvoyNamespace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"https://127.0.0.1:{server.getsockname()[1]}"
    options = {"host": host, "api_key": "x"}
    outcome = evaluate(shop, {"stat": "x", "op": "present"}, cluster=options)
    assert outcome.failure == "unreachable"
    assert f"no API server answers at {host} (connection refused)" in outcome.message
    answer = task(envoy_stats, cluster=options, endpoints=[WEB], assertions=[{"stat": "x", "op": "present"}])
    assert answer["failure"] == "unreachable"
    assert host in answer["msg"]


def test_documented_role_is_sufficient_and_minimal(shop: EnvoyNamespace) -> None:
    account, role, *rest = yaml.safe_load(ROLE.read_text())["items"]
    for thing in (
        account,
        role,
        rest[0] | {"subjects": [rest[0]["subjects"][0] | {"namespace": shop.namespace}]},
        rest[1],
    ):
        shop.cluster.apply(thing)
    options = {
        "host": shop.cluster.server,
        "api_key": shop.token("envoy-assert"),
        "namespace": shop.namespace,
        "validate_certs": False,
    }
    live = {"stat": "server.live", "op": "eq", "value": 1}
    allowed = evaluate(shop, live, cluster=options)
    assert allowed.ok, allowed.message
    access = PodAccess(options)
    [traffic] = parse_traffic([{"url": "http://x:8080/", "pod": {"selector": "app=web"}}], access)
    assert send_traffic(traffic)["answered"] == 1
    with pytest.raises(ClusterError) as error:
        access.cluster().list("Secret")
    assert error.value.reason == "forbidden"
    user = f"system:serviceaccount:{shop.namespace}:envoy-assert"
    for rule, verb, what in ((0, "list", "pods"), (1, "get", "pods/portforward")):
        rules = [
            one if number != rule else {**one, "verbs": ["watch"]} for number, one in enumerate(role["rules"])
        ]
        shop.cluster.apply({**role, "rules": rules})

        def refused() -> str:
            outcome = evaluate(shop, live, cluster=options)
            return "" if outcome.ok else outcome.message

        message = until(refused, "the change of the Role")
        words = f"{user} is forbidden to {verb} {what} in namespace {shop.namespace}. Bind it to a Role with verb {verb}"
        assert words in message
        shop.cluster.apply(role)
        until(lambda: evaluate(shop, live, cluster=options).ok, "the change of the Role back")
    wrong = evaluate(shop, live, cluster={**options, "api_key": "nonsense"})
    assert "rejects these credentials" in wrong.message


def test_20_pods_are_read_at_once_and_leave_nothing_open(shop: EnvoyNamespace) -> None:
    stat = {"stat": "server.live", "op": "eq", "value": 1}
    shop.deploy("web", 20)
    [name, *_others] = shop.names("web")
    shop.cluster.patch("Pod", name, {"metadata": {"labels": {"chosen": "one"}}})
    single = {"name": "one", "selector": "chosen=one"}
    try:
        threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
        times = {}
        for entry, count in ((single, 1), (WEB, 20), (single, 1), (WEB, 20)):
            began = time.monotonic()
            outcome = evaluate(shop, stat, endpoints=[entry])
            times[count] = min(time.monotonic() - began, times.get(count, 60))
            assert outcome.ok, outcome.message
            assert len(outcome.snapshot.pages) == count
        print(f"one pod {times[1]:.3f} s, twenty {times[20]:.3f} s")
        # Two responses of one second for each of 20 pods take 40 s one after the other. The timeout is 30 s.
        late = evaluate(shop, stat, endpoints=[{**WEB, "port": 9903}], limits=Limits(request_timeout=30))
        assert late.ok, late.message
        until(lambda: threading.active_count() <= threads, "the end of the threads", 60)
        until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors + 2, "the close of the descriptors", 60)
    finally:
        shop.deploy("web", 3)


def test_100_port_forwards_at_once(shop: EnvoyNamespace) -> None:
    with closing(PodAccess(shop.options)) as access:
        names = [pod_name(one) for one in access.pods("app=web").ready]
        with ThreadPoolExecutor(16) as pool:
            connections = list(
                pool.map(lambda number: access.forward(names[number % len(names)], 8080, "", 20), range(100))
            )
        for one in connections:
            one.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        for one in connections:
            one.settimeout(20)
            assert one.recv(15) == b"HTTP/1.1 200 OK"
            one.close()
