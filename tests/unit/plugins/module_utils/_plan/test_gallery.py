# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every plan, and so for each demo of the gallery."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import BLOCK

FILES = sorted((Path(__file__).resolve().parents[5] / "playbooks" / "demos").glob("*.yml"))
GALLERY = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}


def fitting(platform: str) -> dict[str, Any]:
    """The demos that run there."""
    return {name: demo for name, demo in GALLERY.items() if platform not in demo.get("unsupported_on", {})}


PLATFORMS = pytest.mark.parametrize("platform", ["local", "docker"])
# each demo where it runs
PLAYED = pytest.mark.parametrize(
    ("demo", "platform"),
    [(name, platform) for platform in ("local", "docker") for name in fitting(platform)],
)
Planner = Callable[..., dict[str, Any]]


def ports(plan: dict[str, Any], published: bool = True) -> list[int]:
    """The host's ports that a plan takes."""
    found = [port for workload in plan["workloads"] for port in workload["ports"]]
    return [port["published"] if published else port["number"] for port in found if port["published"]]


def listening(plan: dict[str, Any]) -> dict[tuple[str, int], int]:
    """(workload, position) → the port that it listens on."""
    return {
        (workload["name"], position): port["number"]
        for workload in plan["workloads"]
        for position, port in enumerate(workload["ports"])
    }


def kinds(value: Any) -> set[type]:
    """The exact types of all that is in a plan."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {type(value)}.union(*(kinds(one) for one in inside))


def test_there_are_demos() -> None:
    assert {"front_proxy", "service_envoy", "mutual_tls", "fault_injection", "canary"} <= set(GALLERY)


@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_a_demo_has_a_plan_on_a_cluster_or_says_why_not(plan: Planner, platform: str) -> None:
    for name, demo in fitting(platform).items():
        assert plan(demo, platform, name)["manifests"]


def test_a_program_of_a_demos_own_says_in_its_metrics_when_it_was_started() -> None:
    """Else each report remarks that whether it was restarted in between cannot be told."""
    servers = [one.get("server") or {} for demo in GALLERY.values() for one in demo["services"].values()]
    asked = [one for one in servers if one.get("metrics") and one["command"][0] == "python3"]
    assert asked
    for server in asked:
        assert "process_start_time_seconds" in "".join(server["files"].values())


@PLAYED
def test_a_plan_is_json_and_nothing_else(plan: Planner, demo: str, platform: str) -> None:
    class Text(str):
        """As Ansible hands over what a template made."""

    class Tree(dict[str, Any]):
        pass

    def disguised(value: Any) -> Any:
        if isinstance(value, dict):
            return Tree({Text(key): disguised(one) for key, one in value.items()})
        if isinstance(value, list):
            return tuple(disguised(one) for one in value)
        return Text(value) if isinstance(value, str) else value

    made = plan(disguised(GALLERY[demo]), platform, Text(demo), folder=Text("/state"), bind=Text("127.0.0.1"))
    assert json.loads(json.dumps(made)) == made
    assert kinds(made) <= {dict, list, str, int, float, bool, type(None)}
    assert made == plan(GALLERY[demo], platform, demo)


@PLAYED
def test_the_same_demo_is_the_same_plan(plan: Planner, demo: str, platform: str) -> None:
    first, second = (json.dumps(plan(GALLERY[demo], platform, demo)) for _time in range(2))
    assert first == second


@PLAYED
def test_files_are_whole(plan: Planner, demo: str, platform: str) -> None:
    made = plan(GALLERY[demo], platform, demo)
    paths = [file["path"] for file in made["files"]]
    assert len(paths) == len(set(paths))
    for path in [*paths, *(one["path"] for one in made["directories"] + made["certificates"])]:
        assert not path.startswith("/")
        assert ".." not in path
    for file in made["files"]:
        if file["path"].endswith(".yaml"):
            assert file["content"].startswith("# "), "says what it is"
            assert yaml.safe_load(file["content"])
    for check in made["checks"]:
        assert set(check["validated_files"]) <= set(paths)
    for file in made["files"]:
        if file["live"]:
            assert file["live"] in [admin["proxy"] for admin in made["admins"]]


@PLAYED
def test_nothing_in_a_configuration_is_an_absolute_path(plan: Planner, demo: str, platform: str) -> None:
    # What is validated in a staged copy has to mean the same files there.
    for file in plan(GALLERY[demo], platform, demo)["files"]:
        if file["path"].count("/") == 1 and file["path"].endswith(
            ("bootstrap.yaml", "clusters.yaml", "listeners.yaml")
        ):
            assert not re.search(
                r"(path|filename): [\"']?/(?!healthz|service|$)\S*/(certs|run|secrets)", file["content"]
            )
            assert "/state" not in file["content"]


@PLAYED
def test_every_expectation_asks_an_endpoint_that_is_there(plan: Planner, demo: str, platform: str) -> None:
    made = plan(GALLERY[demo], platform, demo)
    names = [endpoint["name"] for endpoint in made["endpoints"]]
    assert made["assertions"]
    for assertion in made["assertions"]:
        assert assertion["endpoint"]
        assert set(assertion["endpoint"]) <= set(names)


@PLAYED
def test_all_changes_of_the_gallery_can_be_planned(plan: Planner, demo: str, platform: str) -> None:
    for change in GALLERY[demo].get("changes", {}):
        assert plan(GALLERY[demo], platform, demo, change=change)["workloads"]


def test_any_two_demos_can_run_at_once() -> None:
    blocks = {name: range(data["ports"], data["ports"] + BLOCK) for name, data in GALLERY.items()}
    for one, other in itertools.combinations(blocks, 2):
        assert not set(blocks[one]) & set(blocks[other]), f"{one} and {other} share a block"
    # Integration tests move all of them up by the same number.
    assert all(one.start >= 7000 and one.stop <= 13000 for one in blocks.values())


@PLATFORMS
def test_no_demo_takes_a_port_of_another(plan: Planner, platform: str) -> None:
    taken: dict[int, str] = {}
    for name, data in fitting(platform).items():
        for change in ["", *data.get("changes", {})]:
            for port in ports(plan(data, platform, name, change=change)):
                assert taken.setdefault(port, name) == name, f"{port} is wanted by {name} and {taken[port]}"
                foreign = [
                    other for other, its in GALLERY.items()
                    if other != name and its["ports"] <= port < its["ports"] + BLOCK
                ]  # fmt: skip
                assert not foreign, f"{name} takes {port} from the block of {foreign}"


@PLATFORMS
def test_no_port_is_taken_twice_within_a_demo(plan: Planner, platform: str) -> None:
    for name, data in fitting(platform).items():
        found = ports(plan(data, platform, name))
        assert len(found) == len(set(found)), name


REPLICAS = st.fixed_dictionaries({"service1": st.integers(1, 10), "service2": st.integers(1, 10)})


@settings(max_examples=40, deadline=None)
@given(before=REPLICAS, after=REPLICAS, platform=st.sampled_from(["local", "docker"]))
def test_scaling_moves_nobody(
    plan: Planner, before: dict[str, int], after: dict[str, int], platform: str
) -> None:
    """Whatever runs before and after a change of replicas listens where it listened, so it can stay."""
    demo = GALLERY["front_proxy"]
    one, other = (
        listening(plan(demo, platform, "front_proxy", replicas=replicas)) for replicas in (before, after)
    )
    stays = one.keys() & other.keys()
    assert ("edge", 0) in stays
    assert {key: one[key] for key in stays} == {key: other[key] for key in stays}


@settings(max_examples=40, deadline=None)
@given(replicas=REPLICAS)
def test_ports_on_one_host_are_all_different(plan: Planner, replicas: dict[str, int]) -> None:
    found = list(listening(plan(GALLERY["front_proxy"], "local", "front_proxy", replicas=replicas)).values())
    assert len(found) == len(set(found))


@settings(max_examples=20, deadline=None)
@given(replicas=REPLICAS)
def test_scaling_restarts_nobody(plan: Planner, replicas: dict[str, int]) -> None:
    """What is added goes live: nothing that is read at start only changes in what stays."""
    usual = {one["name"]: one for one in plan(GALLERY["front_proxy"], "local", "front_proxy")["workloads"]}
    scaled = plan(GALLERY["front_proxy"], "local", "front_proxy", replicas=replicas)["workloads"]
    for workload in scaled:
        assert usual.get(workload["name"], workload) == workload
