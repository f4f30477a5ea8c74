# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of changes with steps: what each step merges, sends and expects, and the errors at the author's key."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import changed, error_of
from planned_envoy import plan

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource, with_line
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

REQUEST = {"to": "edge", "requests": 3}
OTHER = {"to": "edge", "requests": 4}


def replicas(number: int) -> dict[str, Any]:
    return {"services": {"web": {"replicas": number}}}


STEPS: list[dict[str, Any]] = [
    {"summary": "Two", "set": replicas(2)},
    {"summary": "Three", "set": replicas(3), "during": [OTHER], "traffic": [OTHER]},
]
CHANGE: dict[str, Any] = {
    "summary": "More",
    "set": {"services": {"web": {"port": 8081}}},
    "during": [REQUEST],
    "steps": STEPS,
}
NAMES = ("bigger/1", "bigger/2", "bigger")


def demo(steps: dict[str, Any], **chosen: Any) -> dict[str, Any]:
    return read_demo("shop", changed("changes.bigger", steps), **chosen)


def test_steps_are_merged_one_after_another() -> None:
    found = [demo(CHANGE, change=name)["services"]["web"] for name in NAMES]
    assert [(one["port"], one["replicas"]) for one in found] == [(8081, 2), (8081, 3), (8081, 3)]


def test_step_sends_the_traffic_of_its_change_by_default() -> None:
    steps = demo(CHANGE)["changes"]["bigger"]["steps"]
    assert [[one["requests"] for one in step["during"]] for step in steps] == [[3], [4]]


def test_traffic_after_a_step_is_that_of_the_step_only() -> None:
    data = {**CHANGE, "traffic": [{**REQUEST, "name": "final"}]}
    first, second, whole = (demo(data, change=name)["traffic"] for name in NAMES)
    assert first == []
    assert [one["requests"] for one in second] == [4]
    assert [one["name"] for one in whole] == ["final"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, True),
        ({"rollback": False}, False),
        ({"steps": []}, False),
        ({"steps": [], "rollback": True}, True),
    ],
)
def test_only_a_change_with_steps_is_rolled_back_by_default(keys: dict[str, Any], expected: bool) -> None:
    assert demo({**CHANGE, **keys})["changes"]["bigger"]["rollback"] is expected


def test_plan_of_a_step_has_its_summary_and_traffic() -> None:
    data = changed("changes.bigger", CHANGE)
    data["proxies"]["edge"]["listeners"]["http"]["publish"] = 18080
    del data["statsd_exporter"]
    found = [plan(data, "shop", "docker", change=name) for name in NAMES]
    assert [one["summary"] for one in found] == ["Two", "Three", "More"]
    # The whole change is deployed after its steps, when nothing differs any more.
    assert [[entry["requests"] for entry in one["during"]] for one in found] == [[3], [4], []]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            {"summary": "x", "sett": {}},
            "shop.yml: changes.bigger.steps[0]: unknown key 'sett'. Did you mean 'set'?",
        ),
        ({"set": {}}, "shop.yml: changes.bigger.steps[0].summary: missing. "),
        (
            {"summary": "x", "set": {"ports": 1}},
            "shop.yml: changes.bigger.steps[0].set: unknown key 'ports'.",
        ),
        (
            {"summary": "x", "set": {"services": {"web": {"replica": 1}}}},
            "shop.yml with change 'bigger' at step 1: services.web: unknown key 'replica'. Did you mean 'replicas'?",
        ),
    ],
)
def test_error_names_the_step(step: dict[str, Any], message: str) -> None:
    assert error_of(changed("changes.bigger", {"summary": "x", "steps": [step]})).startswith(message)


def test_error_has_the_line_of_the_step() -> None:
    lines = {
        "services.web": 3,
        "changes.bigger.steps[0]": 20,
        "changes.bigger.steps[0].set.services.web": 22,
        "changes.bigger.steps[1]": 30,
        "changes.bigger.steps[1].set.services.web": 32,
    }
    source = DemoSource(lines=lines)
    problem = "services.web: unknown key 'replica'."
    for where, line in (
        ("change 'bigger' at step 1", 22),
        ("change 'bigger' at step 2", 32),
        ("change 'bigger'", 32),
    ):
        error = DemoError(f"shop.yml with {where}", problem)
        assert with_line(error, source) == f"shop.yml with {where}, line {line}: {problem}"


def test_plan_has_the_change_and_the_one_that_is_deployed() -> None:
    data = changed("changes.bigger", {**CHANGE, "during": [], "steps": STEPS[:1]})
    del data["statsd_exporter"]
    first = plan(data, "shop", "docker", change="bigger/1")
    assert (first["change"], first["previous"], first["rollback"]) == ("bigger/1", None, True)
    again = plan(data, "shop", "docker", deployed=first["deployed"])
    assert (again["change"], again["previous"], again["rollback"]) == ("", "bigger/1", False)


@pytest.mark.parametrize("name", ["bigger/3", "bigger/x", "bigger/0", "bigger/"])
def test_step_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(
        DemoError, match=rf"changes\.bigger\.steps: expected a number from 1 to 2 in '{name}'\."
    ):
        demo(CHANGE, change=name)


def test_placeholder_in_the_traffic_of_a_step_is_refused() -> None:
    step = {"summary": "x", "during": [{**REQUEST, "path": "/${web/app}"}]}
    error = error_of(changed("changes.bigger", {"summary": "x", "steps": [step]}))
    assert error.startswith("shop.yml: changes.bigger.steps[0].during[0].path: this text has no placeholders")
