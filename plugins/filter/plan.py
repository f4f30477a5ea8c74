# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `plan`, which plans the data of a demo."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Turn a demo into its plan
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Validates the data of a demo and returns its plan, which contains the files, workloads, endpoints, traffic and assertions of the demo.
  - M(meshlab.envoy.demo_plan) does the same for a demo file, and reports an error in one sentence.
options:
  _input:
    description: The demo's data.
    type: dict
    required: true
  name:
    description: Name of the demo, and of its folder or compose project.
    type: str
    required: true
  context:
    description: The settings of the host. See "The plan" in C(docs/architecture.md) of the collection.
    type: dict
    required: true
  file:
    description: The file that error messages name. By default the name of the demo.
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
    """Return the plan of the demo `name`, or fail with one sentence that locates the error."""
    try:
        return make_plan(name, data, complete_context(context), file)
    except ValueError as error:  # DemoError, UnsupportedVersion, WorkloadError
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filter, in the form that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"plan": plan}
