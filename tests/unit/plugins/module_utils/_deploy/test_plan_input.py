# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans that are given to demo_deploy: accepted keys and the errors for wrong ones."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import plan_input
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.plan_input import check_plan

IDENTITY = {"name": "a", "platform": "local", "folder": "/a"}


def error_of(**keys: Any) -> str:
    with pytest.raises(ArgumentError) as error:
        check_plan({**IDENTITY, **keys})
    return str(error.value)


def test_documented_examples_are_right() -> None:
    assert doctest.testmod(plan_input, optionflags=doctest.ELLIPSIS).failed == 0


def test_keys_with_a_default_may_be_missing() -> None:
    check_plan(
        {
            **IDENTITY,
            "files": [{"path": "x", "content": ""}],
            "directories": [{"path": "x"}],
            "certificates": [{"path": "x", "names": ["web"]}],
            "checks": [{"name": "edge", "command": ["x"], "version": 1.4}],
            "workloads": [{"name": "web", "command": ["x"], "probe": {"kind": "none"}, "cpus": None}],
            "admins": [
                {"proxy": "edge", "url": "http://x", "members": {"web": {"selector": "a=b", "hosts": 2}}}
            ],
            "manifests": [{"kind": "Service", "metadata": {"name": "x"}}],
        }
    )


def test_keys_of_a_registered_result_are_accepted() -> None:
    check_plan({**IDENTITY, "changed": False, "failed": False, "warnings": [], "traffic": "not looked at"})


@pytest.mark.parametrize("key", ["name", "platform", "folder"])
def test_missing_identity_is_refused(key: str) -> None:
    assert error_of(**{key: ""}) == f"plan: has no {key}. Use a plan of meshlab.envoy.demo_plan, or add it"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"workload": []}, "plan: unknown key 'workload'. Did you mean 'workloads'?"),
        ({"files": {}}, "plan.files: expected a list, got {}"),
        ({"files": ["x"]}, "plan.files[0]: expected a mapping, got 'x'"),
        ({"files": [{"path": "x"}]}, "plan.files[0]: has no content. Add it"),
        ({"workloads": [{"name": "a", "command": []}]}, "plan.workloads[0]: has no command. Add it"),
        (
            {"workloads": [{"name": "a", "command": ["x"], "ports": [{"numbr": 1}]}]},
            "plan.workloads[0].ports[0]: unknown key 'numbr'. Did you mean 'number'?",
        ),
        (
            {"workloads": [{"name": "a", "command": ["x"], "stop_seconds": "soon"}]},
            "plan.workloads[0].stop_seconds: expected a number, got 'soon'",
        ),
        (
            {"workloads": [{"name": "a", "command": ["x"], "init": "yes"}]},
            "plan.workloads[0].init: expected true or false, got 'yes'",
        ),
        (
            {"workloads": [{"name": "a", "command": ["x"], "memory_mb": []}]},
            "plan.workloads[0].memory_mb: expected a number, got []",
        ),
        (
            {"workloads": [{"name": "a", "command": ["x"], "environment": {"A": []}}]},
            "plan.workloads[0].environment.A: expected text, got []",
        ),
        ({"manifests": ["x"]}, "plan.manifests[0]: expected a mapping, got 'x'"),
    ],
)
def test_wrong_key_or_value_is_refused(keys: dict[str, Any], text: str) -> None:
    assert error_of(**keys) == text
