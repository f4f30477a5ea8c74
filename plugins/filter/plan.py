# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a demo's data → its plan."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Turn a demo into its plan
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Checks a demo's data and computes everything that running it needs - files, workloads, endpoints, traffic and assertions.
  - M(meshlab.envoy.demo_plan) does the same for a demo file, and tells mistakes in a single sentence.
options:
  _input:
    description: The demo's data.
    type: dict
    required: true
  name:
    description: The demo's name, which becomes that of its folder or compose project.
    type: str
    required: true
  context:
    description: What the host is like. See "The plan" in C(docs/architecture.md) of the collection.
    type: dict
    required: true
  file:
    description: What messages call the demo. The name by default.
    type: str
    default: ""
seealso:
  - module: meshlab.envoy.demo_plan
"""

EXAMPLES = r"""
- name: Show the Envoy configurations of a demo
  ansible.builtin.debug:
    msg: "{{ (lookup('ansible.builtin.file', 'front_proxy.yml') | from_yaml | meshlab.envoy.plan('front_proxy', context)).files }}"
  vars:
    context:
      platform: docker
      folder: ~/.local/state/meshlab.envoy/front_proxy
"""

RETURN = r"""
_value:
  description: The plan. See "The plan" in C(docs/architecture.md) of the collection.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context


def plan(data: Any, name: str, context: dict[str, Any], file: str = "") -> dict[str, Any]:
    """Return the plan of demo `name`, or end with one sentence that says what is wrong and where."""
    try:
        return make_plan(name, data, complete_context(context), file)
    except ValueError as error:  # DemoError, UnsupportedVersion, WorkloadError
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's filter plugin interface."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan": plan}
