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
    network_owners,
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


def test_workload_is_equal_after_json() -> None:
    assert Workload.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_missing_and_null_keys_have_defaults() -> None:
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
    ("data", "message"),
    [
        ({"command": ["x"]}, "name is missing"),
        ({"name": "a"}, "workload a: command is missing"),
        (
            {"name": "a", "command": ["x"], "enviroment": {}},
            "workload a: unknown key 'enviroment'. Did you mean 'environment'?",
        ),
        (
            {"name": "a", "command": ["x"], "probe": {"kind": "grpc"}},
            "probe: unknown kind 'grpc'. Use one of: http, none, tcp.",
        ),
        (
            {"name": "a", "command": ["x"], "ports": [{"number": 1, "protocol": "sctp"}]},
            "unknown protocol 'sctp'. Use one of: tcp, udp.",
        ),
    ],
)
def test_wrong_workload_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(WorkloadError) as error:
        Workload.from_dict(data)
    assert message in str(error.value)


def _workload(name: str, **more: Any) -> Workload:
    return Workload(name=name, command=("true",), **more)


def test_ranks_follow_the_longest_chain() -> None:
    assert ranks([_workload("edge", after=("b", "a")), _workload("b", after=("a",)), _workload("a")]) == {
        "a": 0,
        "b": 1,
        "edge": 2,
    }


def test_last_workload_of_a_chain_owns_the_network() -> None:
    chain = [_workload("a", network="b"), _workload("b", network="c"), _workload("c")]
    assert [network_owner(one, chain).name for one in chain] == ["c", "c", "c"]
    assert {name: one.name for name, one in network_owners(chain).items()} == dict.fromkeys("abc", "c")


@pytest.mark.parametrize(
    ("workloads", "message"),
    [
        ([_workload("a", after=("b",)), _workload("b", after=("a",))], "after: cycle a → b → a"),
        ([_workload("a", after=("x",))], "workload a: after: unknown workload 'x'"),
    ],
)
def test_impossible_order_is_refused(workloads: list[Workload], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        ranks(workloads)


def test_impossible_network_is_refused() -> None:
    with pytest.raises(WorkloadError, match="network: cycle a → b → a"):
        network_owner(_workload("a", network="b"), [_workload("a", network="b"), _workload("b", network="a")])
    with pytest.raises(WorkloadError, match="workload a: network: unknown workload 'x'"):
        network_owner(_workload("a", network="x"), [_workload("a", network="x")])


def test_equal_names_are_refused() -> None:
    with pytest.raises(WorkloadError, match="workload a: two workloads have this name"):
        check_names([_workload("a"), _workload("a")])
