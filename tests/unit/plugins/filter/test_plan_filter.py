# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter: a plan, or one message that Ansible shows as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.meshlab.envoy.plugins.filter.plan import FilterModule
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context

DEMO: dict[str, Any] = {"summary": "s", "ports": 20000, "services": {"web": {"app": {}}}}
CONTEXT: dict[str, Any] = {"platform": "local", "folder": "/state", "python": {"executable": "python3"}}


def plan(*arguments: Any, **options: Any) -> Any:
    return FilterModule().filters()["plan"](*arguments, **options)


def test_filter_returns_the_plan() -> None:
    assert plan(DEMO, "shop", CONTEXT) == make_plan("shop", DEMO, complete_context(CONTEXT))


@pytest.mark.parametrize(
    ("demo", "context", "message"),
    [
        (
            {**DEMO, "ports": "x"},
            CONTEXT,
            "shop.yml: ports: expected a whole number, got 'x'. Write digits only.",
        ),
        (
            {**DEMO, "proxies": {"edge": {}}},
            {**CONTEXT, "envoy": {"version": "1.2.3"}},
            "Envoy 1.2.3 is not supported",
        ),
        (DEMO, {**CONTEXT, "platform": "docker"}, "workload web-1: has no image. A container needs one."),
        (None, CONTEXT, "shop.yml: expected a mapping."),
    ],
)
def test_error_is_one_message_without_traceback(demo: Any, context: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        plan(demo, "shop", context, "shop.yml")
    assert str(caught.value).startswith(message)


def test_filter_accepts_results_of_templates() -> None:
    variables = {
        "demo": {
            **DEMO,
            "ports": trust_as_template("{{ first }}"),
            "services": {"web": {"replicas": trust_as_template("{{ count }}")}},
        },
        "first": 20000,
        "count": "2",
        "where": {**CONTEXT, "folder": trust_as_template("/state/{{ first }}")},
    }
    templar = Templar(loader=DataLoader(), variables=variables)
    data, context = (templar.template(trust_as_template(one)) for one in ("{{ demo }}", "{{ where }}"))
    made = plan(data, "shop", context)
    assert json.loads(json.dumps(made)) == made
    assert made["folder"] == "/state/20000"
    assert [workload["name"] for workload in made["workloads"]] == ["web-1", "web-2"]
    assert made["folder"].__class__ is str
