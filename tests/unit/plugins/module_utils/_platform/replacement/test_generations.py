# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The generations of workloads, and the order in which replicas are replaced."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.generations import (
    generation_of,
    waves,
    workload_name,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


def replica(name: str, group: str, **more: bool) -> Workload:
    return Workload(name=name, command=("x",), group=group, **more)


def names(found: list[list[Workload]]) -> list[list[str]]:
    return [[workload.name for workload in wave] for wave in found]


def test_program_of_a_workload_names_it() -> None:
    for generation in (0, 1, 12):
        program = Workload(name="web-1", command=("x",), generation=generation).program
        assert (workload_name(program), generation_of(program)) == ("web-1", generation)


def test_replicas_are_replaced_one_after_another() -> None:
    starting = [replica(f"web-{number}", "web") for number in (10, 2, 1)] + [replica("edge", "edge")]
    replaced = {workload.name: "overlap" for workload in starting}
    assert names(waves(starting, replaced, {})) == [["edge", "web-1"], ["web-2"], ["web-10"]]


def test_new_replicas_start_at_once() -> None:
    starting = [replica(f"web-{number}", "web") for number in (1, 2, 3)]
    assert names(waves(starting, {"web-1": "overlap"}, {})) == [["web-1", "web-2", "web-3"]]


def test_sidecar_is_replaced_with_its_app() -> None:
    starting = [
        replica(f"{kind}-{n}", "web", sidecar=kind == "proxy") for kind in ("app", "proxy") for n in (1, 2)
    ]
    found = waves(starting, {workload.name: "overlap" for workload in starting}, {})
    assert names(found) == [["app-1", "proxy-1"], ["app-2", "proxy-2"]]


def test_wave_starts_in_the_order_of_ranks() -> None:
    starting = [replica("a", "a"), replica("b", "b")]
    assert names(waves(starting, {}, {"a": 1, "b": 0})) == [["b", "a"]]
