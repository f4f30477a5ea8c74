# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test clusters whose endpoints the demo does not state: a dynamic forward proxy, ORIGINAL_DST and an author's own endpoints."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cases import CaseDeployment, PortBlock, case_data
from unix_server import UnixServer

Deploy = Callable[[str], CaseDeployment]


def test_forward_proxy_needs_no_dummy_address(block: PortBlock, deployment: Deploy) -> None:
    local = deployment("local")
    planned = local.deploy(case_data("07-forward-proxy/a.yml", block))
    assert local.failures(planned) == []


def test_original_dst_needs_no_dummy_address(block: PortBlock, deployment: Deploy) -> None:
    data = case_data("26-original-dst/a.yml", block)
    edge, web = data["proxies"]["edge"], data["services"]["web"]
    # Without iptables, a header states the original destination.
    port = block.first + 93
    edge["listeners"]["by_header"] = {
        "port": port,
        "publish": port,
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "by_header"}}],
    }
    edge["clusters"]["by_header"] = {
        "cluster": {
            **edge["clusters"]["original"]["cluster"],
            "original_dst_lb_config": {"use_http_header": True},
        }
    }
    header = {"x-envoy-original-dst-host": f"127.0.0.1:{web['publish']}"}
    data["traffic"] = [
        {
            "to": "edge/by_header",
            "headers": header,
            "requests": 4,
            "expect": [{"status": "200", "op": "eq", "value": 4}],
        }
    ]
    stat = {"at": "edge", "op": "eq", "value": 0}
    data["expectations"] = [{**stat, "stat": "cluster.original.membership_total"}]
    local = deployment("local")
    assert local.failures(local.deploy(data)) == []


@pytest.mark.parametrize("file", ["a.yml", "c.yml"], ids=["cluster", "bootstrap"])
def test_upstream_on_a_unix_socket_in_envoys_own_fields(
    block: PortBlock, deployment: Deploy, file: str
) -> None:
    local = deployment("local")
    with UnixServer(local.root / "app.sock"):
        planned = local.deploy(case_data(f"03-uds-upstream/{file}", block, local.root))
        assert local.failures(planned) == []


@pytest.mark.parametrize("platform", ["local", "docker"])
def test_upstream_on_a_unix_socket_as_an_address(block: PortBlock, deployment: Deploy, platform: str) -> None:
    local = deployment(platform)
    local.root.chmod(0o755)  # Envoy is another user in its container
    data = case_data("03-uds-upstream/a.yml", block, local.root)
    data["proxies"]["edge"]["clusters"]["app"] = {"address": f"unix://{local.root}/app.sock"}
    with UnixServer(local.root / "app.sock"):
        assert local.failures(local.deploy(data)) == []
