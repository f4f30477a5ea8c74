# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of every plan, checked with each demo of the gallery on each platform that runs it. Each pair is planned once."""

from __future__ import annotations

import functools
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

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import PLANNERS

FILES = sorted((Path(__file__).resolve().parents[5] / "playbooks" / "demos").glob("*.yml"))
GALLERY = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
# Ports of a demo of the gallery: half of the block that a deployment can use, as no demo needs more.
SHARE = 50
HOST_PLATFORMS = ("local", "docker")
Planner = Callable[..., dict[str, Any]]
Plans = Callable[[str, str], dict[str, Any]]


def supported(platform: str) -> dict[str, Any]:
    """Return the demos that a platform runs."""
    return {name: demo for name, demo in GALLERY.items() if platform not in demo.get("unsupported_on", {})}


ON_HOSTS = pytest.mark.parametrize("platform", HOST_PLATFORMS)
EACH_PAIR = pytest.mark.parametrize(
    ("demo", "platform"), [(name, platform) for platform in HOST_PLATFORMS for name in supported(platform)]
)


@pytest.fixture(scope="session")
def plans(plan: Planner) -> Plans:
    """Return a function that returns the plan of a demo on a platform, which is made once."""
    return functools.cache(lambda demo, platform: plan(GALLERY[demo], platform, demo))


def published_ports(plan: dict[str, Any]) -> list[int]:
    """Return the ports of the host that a plan uses."""
    found = [port for workload in plan["workloads"] for port in workload["ports"]]
    return [port["published"] for port in found if port["published"]]


def listening_ports(plan: dict[str, Any]) -> dict[tuple[str, int], int]:
    """Return the number of each port, by (workload, position)."""
    return {
        (workload["name"], position): port["number"]
        for workload in plan["workloads"]
        for position, port in enumerate(workload["ports"])
    }


def types_in(value: Any) -> set[type]:
    """Return the exact types of all values in a plan."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return {type(value)}.union(*(types_in(one) for one in inner))


def as_template_result(value: Any) -> Any:
    """Return `value` in subclasses of the types of JSON, as Ansible passes the result of a template."""

    class Text(str):
        __slots__ = ()

    class Tree(dict[str, Any]):
        pass

    if isinstance(value, dict):
        return Tree({Text(key): as_template_result(one) for key, one in value.items()})
    if isinstance(value, list):
        return tuple(as_template_result(one) for one in value)
    return Text(value) if isinstance(value, str) else value


def test_gallery_has_demos() -> None:
    assert {"front_proxy", "service_envoy", "mutual_tls", "fault_injection", "canary"} <= set(GALLERY)


@pytest.mark.parametrize("platform", [one for one in PLANNERS if one not in HOST_PLATFORMS])
def test_supported_demo_has_manifests(plans: Plans, platform: str) -> None:
    for name in supported(platform):
        assert plans(name, platform)["manifests"]


def test_python_server_exposes_its_start_time() -> None:
    """Without that metric, no report can state whether the server restarted."""
    servers = [one.get("server") or {} for demo in GALLERY.values() for one in demo["services"].values()]
    with_metrics = [one for one in servers if one.get("metrics") and one["command"][0] == "python3"]
    assert with_metrics
    for server in with_metrics:
        assert "process_start_time_seconds" in "".join(server["files"].values())


@EACH_PAIR
def test_plan_has_the_types_of_json(plans: Plans, demo: str, platform: str) -> None:
    found = plans(demo, platform)
    assert json.loads(json.dumps(found)) == found
    assert types_in(found) <= {dict, list, str, int, float, bool, type(None)}


@EACH_PAIR
def test_plan_is_equal_for_results_of_templates(
    plan: Planner, plans: Plans, demo: str, platform: str
) -> None:
    """Also the check that the same input gives the same plan."""
    data, name = as_template_result(GALLERY[demo]), as_template_result(demo)
    context = as_template_result({"folder": "/state", "bind": "127.0.0.1"})
    found = plan(data, platform, name, **context)
    assert json.dumps(found) == json.dumps(plans(demo, platform))
    assert types_in(found) <= {dict, list, str, int, float, bool, type(None)}


@EACH_PAIR
def test_files_are_complete(plans: Plans, demo: str, platform: str) -> None:
    found = plans(demo, platform)
    paths = [file["path"] for file in found["files"]]
    assert len(paths) == len(set(paths))
    for path in [*paths, *(one["path"] for one in found["directories"] + found["certificates"])]:
        assert not path.startswith("/")
        assert ".." not in path
    for file in found["files"]:
        if file["path"].endswith(".yaml"):
            assert file["content"].startswith("# "), "a comment describes the file"
            assert yaml.safe_load(file["content"])
    for check in found["checks"]:
        assert set(check["validated_files"]) <= set(paths)
    for file in found["files"]:
        if file["live"]:
            assert file["live"] in [admin["proxy"] for admin in found["admins"]]


@EACH_PAIR
def test_configuration_has_no_absolute_path(plans: Plans, demo: str, platform: str) -> None:
    """A staged copy of the files is validated, so its paths must refer to the copy."""
    for file in plans(demo, platform)["files"]:
        names = ("bootstrap.yaml", "clusters.yaml", "listeners.yaml")
        if file["path"].count("/") == 1 and file["path"].endswith(names):
            assert not re.search(
                r"(path|filename): [\"']?/(?!healthz|service|$)\S*/(certs|run|secrets)", file["content"]
            )
            assert "/state" not in file["content"]


@EACH_PAIR
def test_expectations_name_endpoints_of_the_plan(plans: Plans, demo: str, platform: str) -> None:
    found = plans(demo, platform)
    names = [endpoint["name"] for endpoint in found["endpoints"]]
    assert found["assertions"]
    for assertion in found["assertions"]:
        assert assertion["endpoint"]
        assert set(assertion["endpoint"]) <= set(names)


@EACH_PAIR
def test_every_entry_is_on_the_only_host(plans: Plans, demo: str, platform: str) -> None:
    found = plans(demo, platform)
    for key in ("files", "directories", "certificates", "checks", "workloads", "admins", "endpoints"):
        assert {one["host"] for one in found[key]} <= set(found["hosts"])


@EACH_PAIR
def test_changes_have_plans(plan: Planner, demo: str, platform: str) -> None:
    for change in GALLERY[demo].get("changes", {}):
        assert plan(GALLERY[demo], platform, demo, change=change)["workloads"]


def test_blocks_of_ports_are_disjoint() -> None:
    blocks = {name: range(data["ports"], data["ports"] + SHARE) for name, data in GALLERY.items()}
    for one, other in itertools.combinations(blocks, 2):
        assert not set(blocks[one]) & set(blocks[other]), f"{one} and {other} share a block"
    # Integration tests move all blocks by the same number, and know blocks by their first port.
    assert all(one.start >= 7000 and one.stop <= 13000 and one.start % SHARE == 0 for one in blocks.values())


@ON_HOSTS
def test_demo_uses_no_port_of_another(plan: Planner, platform: str) -> None:
    taken: dict[int, str] = {}
    for name, data in supported(platform).items():
        for change in ["", *data.get("changes", {})]:
            for port in published_ports(plan(data, platform, name, change=change)):
                assert taken.setdefault(port, name) == name, f"{port} is a port of {name} and {taken[port]}"
                foreign = [
                    other
                    for other, other_data in GALLERY.items()
                    if other != name and other_data["ports"] <= port < other_data["ports"] + SHARE
                ]
                assert not foreign, f"{name} uses {port} of the block of {foreign}"


@ON_HOSTS
def test_demo_uses_each_port_once(plans: Plans, platform: str) -> None:
    for name in supported(platform):
        found = published_ports(plans(name, platform))
        assert len(found) == len(set(found)), name


REPLICAS = st.fixed_dictionaries({"service1": st.integers(1, 10), "service2": st.integers(1, 10)})


@settings(max_examples=40, deadline=None)
@given(before=REPLICAS, after=REPLICAS, platform=st.sampled_from(HOST_PLATFORMS))
def test_scaling_keeps_the_ports_of_other_replicas(
    plan: Planner, before: dict[str, int], after: dict[str, int], platform: str
) -> None:
    demo = GALLERY["front_proxy"]
    one, other = (
        listening_ports(plan(demo, platform, "front_proxy", replicas=replicas))
        for replicas in (before, after)
    )
    common = one.keys() & other.keys()
    assert ("edge", 0) in common
    assert {key: one[key] for key in common} == {key: other[key] for key in common}


@settings(max_examples=40, deadline=None)
@given(replicas=REPLICAS)
def test_ports_of_a_host_are_different(plan: Planner, replicas: dict[str, int]) -> None:
    demo = GALLERY["front_proxy"]
    found = list(listening_ports(plan(demo, "local", "front_proxy", replicas=replicas)).values())
    assert len(found) == len(set(found))


@settings(max_examples=20, deadline=None)
@given(replicas=REPLICAS)
def test_scaling_restarts_no_workload(plan: Planner, plans: Plans, replicas: dict[str, int]) -> None:
    """A file that is read only at start does not change in workloads that remain."""
    usual = {one["name"]: one for one in plans("front_proxy", "local")["workloads"]}
    scaled = plan(GALLERY["front_proxy"], "local", "front_proxy", replicas=replicas)["workloads"]
    for workload in scaled:
        assert usual.get(workload["name"], workload) == workload
