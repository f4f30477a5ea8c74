# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads as data, and what can be wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import (
    Mount,
    Port,
    Probe,
    Workload,
    WorkloadError,
    check_names,
    network_owner,
    ranks,
)

FULL = Workload(
    name="edge",
    command=("~/bin/envoy", "--config-path", "edge/bootstrap.yaml"),
    image="envoyproxy/envoy:v1.40.0",
    environment={"A": "1"},
    mounts=(Mount("edge/run", "/etc/envoy/edge/run", writable=True),),
    ports=(Port(8080, 8080), Port(9125, None, "udp")),
    probe=Probe("http", 9902, "/ready", ("bash", "-c", "true")),
    aliases=("front",),
    after=("service1-1",),
    memory_mb=128,
    cpus=0.5,
    digest="abc",
)


def test_a_workload_survives_the_way_through_json() -> None:
    assert Workload.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_missing_and_null_keys_have_their_defaults() -> None:
    short = Workload.from_dict(
        {
            "name": "a",
            "command": ["sleep", 5],
            "network": "",
            "memory_mb": None,
            "stop_signal": "SIGTERM",
            "probe": {"kind": "none"},
        }
    )
    assert short == Workload(name="a", command=("sleep", "5"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"command": ["x"]}, "needs a name"),
        ({"name": "a"}, "workload a needs a command"),
        (
            {"name": "a", "command": ["x"], "enviroment": {}},
            "workload a: there is no key 'enviroment'; there is: name, command",
        ),
        (
            {"name": "a", "command": ["x"], "probe": {"kind": "grpc"}},
            "probe: kind 'grpc' is not one of http, tcp, none",
        ),
        (
            {"name": "a", "command": ["x"], "ports": [{"number": 1, "protocol": "sctp"}]},
            "protocol 'sctp' is not one of tcp, udp",
        ),
    ],
)
def test_a_wrong_one_is_named_with_what_it_could_be(data: dict[str, Any], words: str) -> None:
    with pytest.raises(WorkloadError) as error:
        Workload.from_dict(data)
    assert words in str(error.value)


def _named(name: str, **more: Any) -> Workload:
    return Workload(name=name, command=("true",), **more)


def test_ranks_follow_the_longest_chain() -> None:
    assert ranks([_named("edge", after=("b", "a")), _named("b", after=("a",)), _named("a")]) == {
        "a": 0,
        "b": 1,
        "edge": 2,
    }


def test_a_network_belongs_to_the_last_of_a_chain() -> None:
    chain = [_named("a", network="b"), _named("b", network="c"), _named("c")]
    assert [network_owner(one, chain).name for one in chain] == ["c", "c", "c"]


@pytest.mark.parametrize(
    ("workloads", "words"),
    [
        ([_named("a", after=("b",)), _named("b", after=("a",))], "after: a → b → a goes round in a circle"),
        ([_named("a", after=("x",))], "workload a: after: there is no workload 'x'"),
    ],
)
def test_an_order_that_cannot_be_is_told(workloads: list[Workload], words: str) -> None:
    with pytest.raises(WorkloadError, match=words):
        ranks(workloads)


def test_networks_that_cannot_be_are_told() -> None:
    with pytest.raises(WorkloadError, match="network: a → b → a goes round in a circle"):
        network_owner(_named("a", network="b"), [_named("a", network="b"), _named("b", network="a")])
    with pytest.raises(WorkloadError, match="workload a: network: there is no workload 'x'"):
        network_owner(_named("a", network="x"), [_named("a", network="x")])


def test_two_of_one_name_are_told() -> None:
    with pytest.raises(WorkloadError, match="two workloads named 'a'"):
        check_names([_named("a"), _named("a")])
