# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A demo behind Envoy Gateway: its HTTPRoutes are accepted, and requests to the Gateway reach its edge proxy."""

from __future__ import annotations

import http.client
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_home import ClusterHome

from ansible_collections.meshlab.envoy.plugins.module_utils._common.polling import attempts

DOMAIN = "apps.example.com"
REQUESTS = 30
# Labels of the Service that Envoy Gateway creates for a Gateway, in its own namespace.
OWNER = "gateway.envoyproxy.io/owning-gateway"


@pytest.fixture
def home(envoy_gateway: None) -> Iterator[ClusterHome]:
    """Return a home whose namespace has the Gateway `public`."""
    home = ClusterHome("kubernetes")
    home.variables["deployment_kubernetes"] = {"gateway": "public", "domain": DOMAIN}
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    home.cluster.apply(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "public"},
            "spec": {"gatewayClassName": "meshlab", "listeners": [listener]},
        }
    )
    yield home
    home.close()


def test_demo_is_served_through_its_http_route(home: ClusterHome) -> None:
    demo = home.demo("front_proxy")
    home.play("site", demo=demo)
    name = f"{home.prefix}-front-proxy-edge-http"
    routes = {one["metadata"]["name"]: one for one in home.objects("HTTPRoute", "front_proxy")}
    assert set(routes) == {name, f"{home.prefix}-front-proxy-service1-app"}
    assert wait_for_conditions(home, name) == {"Accepted": "True", "ResolvedRefs": "True"}

    address = gateway_address(home)
    answers = [answer(address, f"{name}.{DOMAIN}", "/service/1") for _number in range(REQUESTS)]
    assert Counter(status for status, _headers in answers) == {200: REQUESTS}
    # The edge proxy of the demo answered, with a response of the service's pods.
    pods = {one["metadata"]["name"] for one in home.pods("front_proxy", "service1")}
    assert {headers["x-served-by"] for _status, headers in answers} == pods
    assert all("x-envoy-upstream-service-time" in headers for _status, headers in answers)
    assert answer(address, f"other.{DOMAIN}", "/service/1")[0] == 404
    # The requests of the demo itself still hold its expectations, and no request is counted twice.
    home.play("verify", demo=demo)

    assert home.play("teardown", demo=demo).recap["changed"] == 1
    assert home.objects("HTTPRoute", "front_proxy") == []
    for _left in attempts(60):
        status, _headers = answer(address, f"{name}.{DOMAIN}", "/service/1")
        if status == 404:
            break
    assert status == 404


def wait_for_conditions(home: ClusterHome, name: str) -> dict[str, str]:
    """Return the conditions that Envoy Gateway sets on a HTTPRoute, once it has set any."""
    found: dict[str, str] = {}
    for _left in attempts(120):
        route = home.cluster.get("HTTPRoute", name) or {}
        parents = (route.get("status") or {}).get("parents") or []
        found = {one["type"]: one["status"] for parent in parents for one in parent["conditions"]}
        if found:
            break
    return found


def gateway_address(home: ClusterHome) -> str:
    """Return the address of the Gateway's Service, once a request to it is answered."""
    selector = f"{OWNER}-name=public,{OWNER}-namespace={home.namespace}"
    problem: Any = "no Service"
    for _left in attempts(180):
        done = home.kubectl(
            *("--namespace", "meshlab-gateway", "get", "service", "--selector", selector),
            "--output=jsonpath={.items[*].spec.clusterIP}",
        )
        if not done.stdout:
            continue
        try:
            answer(done.stdout, "probe", "/")
        except OSError as error:
            problem = error
            continue
        return done.stdout
    raise AssertionError(f"the Gateway does not answer: {problem}; {home.events()}")


def answer(address: str, host: str, path: str) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of a response of the Gateway."""
    connection = http.client.HTTPConnection(address, 80, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        response.read()
        return response.status, {key.lower(): value for key, value in response.getheaders()}
    finally:
        connection.close()
