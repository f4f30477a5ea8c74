# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the settings of the demo app: the planner refuses exactly those with which the app does not start."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType

import pytest
from demo_data import changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.faults.app_settings import (
    PREFIX,
    author_setting_problem,
    setting_problem,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan

APP = Path(__file__).resolve().parents[6] / "roles" / "demo_app" / "files" / "demo_app.py"
CONTEXT = {
    "platform": "docker",
    "folder": "/state",
    "envoy": {"image": "e"},
    "python": {"image": "p"},
    "app": "",
}
VALUES = [
    "", "0", "80", "65535", "65536", "-1", "1e3", " 5", "9" * 15, "9" * 16, "1099511627777", "http", "udp", "HTTP", "none", "requests",
    "all", "a b", "v1.2-3", "a+b", "ä", "x=1.2.3.4:80", "x=host:80, y=[::1]:1", "x=host", "=h:1", "x=h:123456", ",", "x\ny", "host:1", "²",
]  # fmt: skip


@pytest.fixture(scope="module")
def app() -> ModuleType:
    """Return the demo app as a module."""
    spec = importlib.util.spec_from_file_location("demo_app_for_settings", APP)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def starts(app: ModuleType, name: str, value: str) -> bool:
    """Return whether the app accepts a setting."""
    try:
        app.Settings.read({PREFIX + name: value})
    except app.SettingsError:
        return False
    return True


def test_planner_and_app_agree_on_each_setting(app: ModuleType) -> None:
    for name in [*app.SETTINGS, "LOGS", ""]:
        for value in VALUES:
            assert (setting_problem(name, value) == "") == starts(app, name, value), (name, value)


def test_planner_and_app_agree_on_generated_settings(app: ModuleType) -> None:
    chosen = random.Random(14)
    for _number in range(3000):
        name = chosen.choice(list(app.SETTINGS))
        value = "".join(chosen.choice("019abzAZ_.:-+=,[] \n") for _length in range(chosen.randrange(12)))
        assert (setting_problem(name, value) == "") == starts(app, name, value), (name, value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PORT", "9000", "the planner sets it. Use 'services.web.port'."),
        ("BIND", "127.0.0.1", "the planner sets it. Remove the key."),
        ("LOGS", "none", "the app does not start: unknown setting 'DEMO_APP_LOGS'. Did you mean 'DEMO_APP_LOG'?"),
        ("DRAIN", "5s", "the app does not start: expected a whole number from 0 to 3600, got '5s'. Correct the value."),
        ("LOG", "requests", ""),
    ],
)  # fmt: skip
def test_setting_of_an_author_has_fault_and_remedy(name: str, value: str, problem: str) -> None:
    assert author_setting_problem(PREFIX + name, value, "services.web") == problem


def test_plan_names_the_key_of_a_setting() -> None:
    for path, value, message in (
        ("app.environment", {"DEMO_APP_LOG": "x"}, "app.environment.DEMO_APP_LOG: the app does not start: expected one of none, requests"),
        ("app.version", "a b", "app.version: the app does not start: got 'a b'. Use letters, digits, dots and dashes only."),
    ):  # fmt: skip
        data = changed(f"services.web.{path}", value)
        with pytest.raises(DemoError) as caught:
            make_plan("shop", data, {**CONTEXT, "statsd_exporter": {"image": "s"}}, "shop.yml")
        assert str(caught.value).startswith(f"shop.yml: services.web.{message}")
