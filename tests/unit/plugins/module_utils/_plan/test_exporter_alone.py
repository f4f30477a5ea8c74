# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An exporter whose senders are no part of its demo, as role statsd_exporter runs it, can be reached by them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

PROGRAMS = {
    "envoy": {"version": "1.40.0", "image": "envoy", "executable": "/bin/envoy"},
    "python": {"image": "python", "executable": "python3"},
    "statsd_exporter": {"image": "exporter", "executable": "/bin/statsd_exporter"},
}


def exporter(platform: str, demo: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The workload of a demo's exporter."""
    context = {"platform": platform, "folder": "/state", "app": "pass", **PROGRAMS}
    data = {"summary": "A test", "ports": 20000, "statsd_exporter": settings, **demo}
    [found] = [
        one for one in make_plan("alone", data, context)["workloads"] if one["name"] == "statsd_exporter"
    ]
    return found


@pytest.mark.parametrize(("platform", "address"), [("local", "127.0.0.1:9125"), ("docker", "0.0.0.0:9125")])
def test_it_listens_where_senders_from_elsewhere_send(platform: str, address: str) -> None:
    found = exporter(platform, {}, publish=9102, statsd_port=9125)
    assert f"--statsd.listen-udp={address}" in found["command"]
    assert f"--statsd.listen-tcp={address}" in found["command"]
    ports = {(one["number"], one["published"], one["protocol"]) for one in found["ports"]}
    assert ports == {(9102, 9102, "tcp"), (9125, 9125, "udp"), (9125, 9125, "tcp")}


def test_containers_of_the_same_network_reach_one_that_publishes_nothing() -> None:
    assert "--statsd.listen-udp=0.0.0.0:9125" in exporter("docker", {})["command"]


def test_beside_its_only_sender_it_stays_on_loopback() -> None:
    demo = {
        "services": {"web": {"app": {}, "sidecar": {"listeners": {"in": {"port": 9090, "publish": 9090}}}}}
    }
    found = exporter("docker", demo, shares_network_with="web")
    assert "--statsd.listen-udp=127.0.0.1:9125" in found["command"]
    assert {one["protocol"] for one in found["ports"]} == {"tcp"}
