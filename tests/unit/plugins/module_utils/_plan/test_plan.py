# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the planner: programs, versions, replicas and changes."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import Planner, shop

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.versions import UnsupportedVersion


@pytest.mark.parametrize("version", ["1.35.9", "1.41.0", "latest"])
def test_unsupported_envoy_is_refused(plan: Planner, version: str) -> None:
    with pytest.raises(UnsupportedVersion, match=rf"^Envoy {version} is not supported. Use one of 1\.36"):
        plan(shop(), envoy={"version": version, "image": "e", "executable": "e"})


def test_unsupported_envoy_is_ignored_without_envoy(plan: Planner) -> None:
    data = {"summary": "s", "ports": 20000, "services": {"web": {}}}
    assert plan(data, envoy={"version": "1.0.0"})["programs"] == ["demo_app"]


def test_programs_are_the_roles_that_provide_them(plan: Planner) -> None:
    assert plan(shop())["programs"] == ["envoy", "demo_app", "statsd_exporter"]
    assert plan({"summary": "s", "ports": 20000, "statsd_exporter": {}})["programs"] == ["statsd_exporter"]


def error_of(plan: Planner, data: Any, platform: str = "local", **context: Any) -> str:
    with pytest.raises(DemoError) as caught:
        plan(data, platform, **context)
    return str(caught.value)


def test_replicas_and_change_come_from_the_context(plan: Planner) -> None:
    assert len(plan(shop(), replicas={"web": "5"})["workloads"]) == len(plan(shop())["workloads"]) + 6
    assert error_of(plan, shop(), change="x") == "shop.yml: changes: unknown change 'x'. Use one of: none."
