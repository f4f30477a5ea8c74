# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of a demo by its modules, without Ansible, which is faster for many runs."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from live import (
    CACHE,
    ENVOY_VERSION,
    EXPORTER_VERSION,
    PYTHON_IMAGE,
    SUPERVISOR_VERSION,
    Home,
    demo_data,
    merged,
)
from managed_host import run_module

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import deployment_info
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.planned_observer import observed_part
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy, demo_verify
from ansible_collections.meshlab.envoy.plugins.plugin_utils._deployed_context import KEYS
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

_one_at_a_time = threading.Lock()


class Deployment:
    """One demo in a home, unchanged or with changes: a demo of the gallery, or `data`, whose ports are those of a demo of the gallery."""

    def __init__(self, home: Home, demo: str, data: dict[str, Any] | None = None) -> None:
        self.home = home
        self.demo = demo
        self.data = demo_data(demo, home.shift) if data is None else data

    def plan(
        self,
        changes: dict[str, Any] | None = None,
        replicas: dict[str, int] | None = None,
        kubernetes: dict[str, Any] | None = None,
    ) -> Any:
        data = merged(self.data, changes or {})
        context = self._context(replicas or {}, kubernetes or {})
        return make_plan(self.home.name(self.demo), data, complete_context(context))

    def plan_file(self, data: Any, file: str, source: DemoSource) -> Any:
        """Return the plan of the data that read_demo_file returns. Raises the errors of the planner."""
        return make_plan(
            self.home.name(self.demo), data, complete_context(self._context({}, {})), file, source=source
        )

    def _context(self, replicas: dict[str, int], kubernetes: dict[str, Any]) -> dict[str, Any]:
        return {
            "platform": self.home.platform,
            "folder": str(self.home.state(self.demo)),
            "envoy": {
                "image": f"envoyproxy/envoy:v{ENVOY_VERSION}",
                # On a cluster the Envoy of the tests validates, so that none is downloaded.
                "executable": os.environ["MESHLAB_ENVOY"]
                if self.home.platform in ("kubernetes", "openshift")
                else f"{CACHE}/envoy-{ENVOY_VERSION}/bin/envoy",
                "version": ENVOY_VERSION,
            },
            "python": {"image": PYTHON_IMAGE, "executable": "python3"},
            "statsd_exporter": {
                "image": f"prom/statsd-exporter:v{EXPORTER_VERSION}",
                "executable": self.home.exporter,
            },
            "supervisord": {"executable": f"{CACHE}/supervisor-{SUPERVISOR_VERSION}/bin/supervisord"},
            "registry": self.home.variables.get("deployment_registry", ""),
            "replicas": replicas,
            "kubernetes": kubernetes,
            **host_context(self.home.state(self.demo)),
        }

    def run(self, plan: Any, **options: Any) -> dict[str, Any]:
        where = self._variables("cluster", "timeout")
        supervisord = f"{CACHE}/supervisor-{SUPERVISOR_VERSION}/bin/supervisord"
        return module_answer(
            demo_deploy, {"plan": plan, "supervisord_executable": supervisord, **where, **options}
        )

    def verify(self, plan: Any, timeout: float = 0.5) -> dict[str, Any]:
        needed = {key: plan[key] for key in ("endpoints", "traffic", "assertions", "admins")}
        options = {"plan": needed | observed_part(plan), "timeout": timeout, "result_formats": []}
        options |= self._variables("cluster")
        return module_answer(demo_verify, options)

    def _variables(self, *options: str) -> dict[str, Any]:
        """Return the options of modules that variables of the home set."""
        found = {key: self.home.variables.get(f"deployment_{key}") for key in options}
        return {key: value for key, value in found.items() if value is not None}


def host_context(folder: Path) -> dict[str, Any]:
    """Return the keys of the context about the deployment in `folder`, as the action demo_plan reads them."""
    found = deployment_info.perform({"folder": str(folder)}, check_mode=False)
    return {key: found[key] for key in KEYS}


def failure_messages(result: dict[str, Any]) -> list[str]:
    """Return the messages of all expectations that do not hold, of which the message of the task contains the first ones."""
    outcomes = [outcome for batch in result["traffic"] for outcome in batch["expect"]] + result["assertions"]
    return [outcome["message"] for outcome in outcomes if not outcome["ok"]]


def take_down(home: Home, demo: str) -> None:
    """Tear a demo down without teardown.yml, which takes a second of CPU."""
    plan = {"name": home.name(demo), "platform": home.platform, "folder": str(home.state(demo))}
    # Tests run stories in several threads, and a module has one place for its arguments.
    with _one_at_a_time:
        result = Deployment(home, demo, {}).run(plan, state="absent")
    assert not result["failed"], result["msg"]


def module_answer(module: ModuleType, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a module in this process; return its result, with `failed` in any case."""
    return {"failed": False, **run_module(module, arguments)}
