# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of ports that stay: no change of a demo moves a port that the demo keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import platform_class

Planner = Callable[..., dict[str, Any]]

LISTENERS = {
    "http": {"port": 8080, "publish": 18080, "routes": []},
    "inner": {"port": 8082, "routes": []},
    "metrics": {"port": 8083, "publish": 20004, "routes": []},
}
REPLICAS = st.dictionaries(st.sampled_from(["a", "b", "web", "x"]), st.integers(0, 4))
SERVICES = st.dictionaries(st.sampled_from(["a", "b", "web", "x"]), st.booleans())
PROXIES = st.dictionaries(
    st.sampled_from(["edge", "gate"]), st.sets(st.sampled_from(sorted(LISTENERS)), min_size=1)
)


def demo(services: dict[str, bool], proxies: dict[str, set[str]], replicas: dict[str, int]) -> dict[str, Any]:
    published = set()

    def listener(name: str) -> dict[str, Any]:
        spec = dict(LISTENERS[name])
        if spec.get("publish") in published:
            spec.pop("publish", None)
        published.add(spec.get("publish"))
        return spec

    return {
        "summary": "A shop",
        "ports": 20000,
        "services": {
            name: {"replicas": replicas.get(name, 1), **({"sidecar": {}} if has_sidecar else {})}
            for name, has_sidecar in services.items()
        },
        "proxies": {
            name: {"listeners": {one: listener(one) for one in sorted(listeners)}}
            for name, listeners in proxies.items()
        },
        **({"statsd_exporter": {"style": "statsd"}} if "x" in services else {}),
    }


def record_of(data: Any, platform: str, **context: Any) -> DeploymentRecord:
    """Return the record of the ports of a demo, without the rest of its plan."""
    layout = platform_class(platform)(
        read_demo("shop", data, "", {}, "shop.yml"), Context(platform=platform, folder="/state", **context)
    )
    return DeploymentRecord(layout.block, *layout.deployed_ports())


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_no_change_moves_a_port_that_stays(platform: str) -> None:
    @given(st.lists(st.tuples(SERVICES, PROXIES, REPLICAS), min_size=2, max_size=5))
    def changes(steps: list[Any]) -> None:
        before = DeploymentRecord()
        for step in steps:
            after = record_of(demo(*step), platform, deployed=before, used_ports=(20007, 20101))
            moved = {key for key, number in before.ports.items() if after.ports.get(key, number) != number}
            assert not {before.ports[key] for key in moved} - {*after.stated.values()}
            numbers = [*after.numbers.values()]
            assert len(set(numbers)) == len(numbers)
            # The same input gives the same numbers, and so does a second deployment of the same demo.
            assert after == record_of(demo(*step), platform, deployed=before, used_ports=(20007, 20101))
            assert after == record_of(demo(*step), platform, deployed=after, used_ports=tuple(numbers))
            before = after

    changes()


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_second_deployment_replaces_nothing(plan: Planner, platform: str) -> None:
    data = demo({"a": True, "web": False}, {"edge": {"http", "metrics"}}, {"a": 2})
    planned = plan(data, platform)
    again = plan(data, platform, deployed=planned["deployed"], used_ports=list(range(20000, 20100)))
    assert {**again, "previous": None} == {**planned, "previous": None}  # the change that was deployed before
    assert again["replaced"] == again["interruptions"] == []


def services(number: int) -> dict[str, bool]:
    return {f"s{one}": True for one in range(number)}


@pytest.mark.parametrize(("platform", "number"), [("local", 40), ("docker", 120)])
def test_block_grows_beyond_a_hundred_ports(plan: Planner, platform: str, number: int) -> None:
    data = demo(services(number), {"edge": {"http"}}, {})
    small = plan(demo(services(10), {"edge": {"http"}}, {}), platform)
    planned = plan(data, platform, deployed=small["deployed"])
    assert len(planned["workloads"]) == 2 * number + 1
    numbers = [*planned["deployed"]["ports"].values(), 18080]
    assert len(set(numbers)) == len(numbers)
    assert planned["deployed"]["ports"].items() >= small["deployed"]["ports"].items()
    if platform == "local":
        assert max(numbers) >= 20100


def test_new_port_avoids_ports_in_use_beyond_its_position(plan: Planner) -> None:
    used = [20005, *range(20060, 20120)]
    ports = plan(demo(services(40), {}, {}), used_ports=used)["deployed"]["ports"]
    # The block is that of the demo: a port in it that another program uses is refused before anything is changed.
    assert ports["s1-1/admin"] == 20005
    assert not set(range(20100, 20120)) & set(ports.values())


def test_number_that_leaves_the_demo_is_free_with_the_next_plan(plan: Planner) -> None:
    first = plan(demo({"a": False}, {}, {}))["deployed"]
    second = plan(demo({"b": False}, {}, {}), deployed=first)["deployed"]
    assert first["ports"]["a-1/app"] == 20000
    assert second["ports"]["b-1/app"] != 20000  # the program of a still listens while that of b starts
    third = plan(demo({"b": False, "c": False}, {}, {}), deployed=second)["deployed"]
    assert third["ports"] == {"b-1/app": second["ports"]["b-1/app"], "c-1/app": 20000}


def test_port_that_is_no_longer_published_is_free_for_others(plan: Planner) -> None:
    data = demo({}, {"edge": {"http"}}, {})
    before = plan(data)["deployed"]
    del data["proxies"]["edge"]["listeners"]["http"]["publish"]
    after = plan(data, deployed=before)["deployed"]
    assert before["stated"] == {"edge/http": 18080}
    assert after["stated"] == {}
    assert after["ports"]["edge/http"] == 20000


def test_demo_moves_to_the_block_that_it_states(plan: Planner) -> None:
    data = demo({"a": True}, {"edge": {"http"}}, {})
    before = plan(data)["deployed"]
    after = plan({**data, "ports": 21000}, deployed=before)["deployed"]
    ids = {key for key in before["ports"] if key.endswith("/hot-restart")}
    assert {key: after["ports"][key] for key in ids} == {key: before["ports"][key] for key in ids}
    assert all(number >= 21000 for key, number in after["ports"].items() if key not in ids)


@pytest.mark.parametrize("platform", ["local", "docker", "kubernetes"])
def test_demo_without_ports_gets_a_free_block(plan: Planner, platform: str) -> None:
    data = {**demo({"a": True}, {"edge": {"http"}}, {}), "ports": None, "notes": ["curl ${edge/http}"]}
    record = plan(data, platform, free_block=15000)["deployed"]
    assert record["block"] == 15000
    assert record["ports"]
    assert all(15000 <= number < 15100 for number in record["ports"].values())
    # The block of the record stays when another one is free.
    assert plan(data, platform, deployed=record, free_block=16000)["deployed"] == record


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "deployed",
            {"ports": {"edge/http": 0}},
            "context.deployed: ports.edge/http: expected a number from 1 to 65535, got 0.",
        ),
        ("used_ports", ["22"], "context.used_ports: expected a number from 1 to 65535, got '22'."),
        ("free_block", 80, "context.free_block: expected a number from 1024 to 65535, got '80'."),
    ],
)
def test_wrong_context_is_refused(plan: Planner, key: str, value: Any, message: str) -> None:
    with pytest.raises(DemoError) as caught:
        plan(demo({"a": True}, {}, {}), **{key: value})
    assert str(caught.value).startswith(message)
