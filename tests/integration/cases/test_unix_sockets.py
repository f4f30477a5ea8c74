# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test listeners and applications on Unix sockets, with traffic and expectations over them, on each platform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cases import CaseDeployment, PortBlock, case_data

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

Deploy = Callable[[str], CaseDeployment]
OK = [{"status": "200", "op": "eq", "value": 4}]


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_traffic_reaches_a_pipe_of_the_author(block: PortBlock, deployment: Deploy, platform: str) -> None:
    data = case_data("04-uds-listener/a.yml", block)
    del data["proxies"]["edge"]["listeners"]["http"]["port"]
    data["traffic"] = [{"to": "edge/http", "requests": 4, "expect": OK}]
    stat = {"at": "edge", "of": "delta", "op": "eq", "value": 4}
    data["expectations"] = [{**stat, "stat": "http.http.downstream_rq_2xx"}]
    made = deployment(platform)
    assert made.failures(made.deploy(data)) == []


def app_on_a_socket(block: PortBlock) -> Any:
    """Return a demo whose apps listen on Unix sockets, which only their sidecars open."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
    return {
        "summary": "An app and a listener on Unix sockets",
        "ports": block.first,
        "services": {
            "web": {
                "app": {},
                "unix_socket": "app.sock",
                "replicas": 2,
                "sidecar": {
                    "listeners": {
                        "ingress": {"port": 10000},
                        "local": {"unix_socket": "http.sock", "routes": routes},
                    }
                },
            }
        },
        "proxies": {
            "edge": {
                "listeners": {
                    "http": {"port": block.first + 90, "publish": block.first + 90, "routes": routes}
                },
                "clusters": {"web": {"to": "web/ingress"}},
            }
        },
        "traffic": [
            {
                "to": "edge/http",
                "requests": 4,
                "expect": [*OK, {"hosts": "count", "op": "eq", "value": 2}],
            }
        ],
        "expectations": [
            {
                "at": "web",
                "stat": "cluster.web.upstream_rq_200",
                "of": "delta",
                "across": "sum",
                "op": "eq",
                "value": 4,
            }
        ],
    }


@pytest.mark.parametrize(
    "platform",
    [
        "local",
        "docker",
        pytest.param("kubernetes", marks=pytest.mark.slow),
        pytest.param("openshift", marks=pytest.mark.slow),
    ],
)
def test_sidecar_and_host_reach_the_sockets(block: PortBlock, deployment: Deploy, platform: str) -> None:
    data = app_on_a_socket(block)
    if platform in ("local", "docker"):
        data["traffic"] += [
            {"name": target, "to": target, "requests": 4, "expect": OK} for target in ("web/local", "web/app")
        ]
        data["expectations"][0]["value"] = 8  # the requests to the app itself pass no Envoy
    made = deployment(platform)
    assert made.failures(made.deploy(data)) == []


def test_traffic_to_a_socket_in_a_pod_is_refused(block: PortBlock, deployment: Deploy) -> None:
    data = app_on_a_socket(block)
    data["traffic"] = [{"to": "web/local"}]
    made = deployment("kubernetes")
    with pytest.raises(DemoError) as caught:
        made.plan(data)
    assert str(caught.value) == (
        "case.yml: traffic[0].to: 'web/local' listens on a Unix socket that this platform's host does not reach."
        " Send it to a listener with a port, or state the platform in 'unsupported_on'."
    )


def test_other_proxy_reaches_no_socket(block: PortBlock, deployment: Deploy) -> None:
    data = app_on_a_socket(block)
    data["proxies"]["edge"]["clusters"]["web"]["to"] = "web/local"
    with pytest.raises(
        DemoError,
        match=r"clusters\.web: 'web/local' listens on a Unix socket, which no other instance reaches",
    ):
        deployment("local").plan(data)
