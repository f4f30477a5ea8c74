# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the names of environments and images, and of the plans of servers with packages on each platform."""

from __future__ import annotations

from typing import Any

import pytest
from demo_data import changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.packages.package_targets import (
    packages_environment,
    packages_image,
)

CONTEXT: dict[str, Any] = {
    "folder": "/state",
    "app": "app",
    "python": {"image": "python:3", "executable": "python3"},
    "envoy": {"image": "envoy:1", "executable": "envoy"},
    "statsd_exporter": {"image": "exporter:1", "executable": "exporter"},
    "cache": "~/cache",
    "registry": "registry.example.com/team/",
}
DEMO = changed(
    "services.db.server",
    {
        "image": "python:3.12-slim",
        "command": ["python3", "db.py"],
        "packages": [f"six==1.17.0 --hash=sha256:{64 * 'a'}"],
    },
)


def workload(platform: str, **context: Any) -> dict[str, Any]:
    plan = make_plan("shop", DEMO, {**CONTEXT, **context, "platform": platform}, "shop.yml")
    [found] = [one for one in plan["workloads"] if one["group"] == "db"]
    return dict(found)


def test_targets_differ_with_all_that_is_in_them() -> None:
    names = [
        packages_image(text, base, "").target for text in ("a", "b") for base in ("python:3", "python:4")
    ]
    names += [packages_environment(text, python, "~").target for text in ("a", "b") for python in ("p", "q")]
    assert len({*names}) == len(names)
    assert packages_image("a", "python:3", "") == packages_image("a", "python:3", "")


def test_process_runs_the_python_of_its_environment() -> None:
    found = workload("local")
    target = found["packages"]["target"]
    assert target.startswith("~/cache/packages-")
    assert found["command"] == [f"{target}/bin/python3", "db.py"]
    assert found["packages"]["base"] == "python3"


@pytest.mark.parametrize(
    ("platform", "is_pushed"), [("docker", False), ("kubernetes", True), ("openshift", True)]
)
def test_container_runs_the_built_image(platform: str, is_pushed: bool) -> None:
    found = workload(platform)
    assert found["image"].startswith("registry.example.com/team/meshlab/packages:")
    assert found["packages"] == {
        "requirements": f"six==1.17.0 --hash=sha256:{64 * 'a'}\n",
        "base": "python:3.12-slim",
        "target": found["image"],
        "is_pushed": is_pushed,
    }
    assert found["command"] == ["python3", "db.py"]


def test_cluster_needs_a_registry() -> None:
    assert workload("docker", registry="")["image"].startswith("meshlab/packages:")
    with pytest.raises(
        DemoError,
        match=r"shop.yml: services.db.server.packages: a cluster runs .* Set .deployment_registry. to a registry",
    ):
        workload("kubernetes", registry="")
