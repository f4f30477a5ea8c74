# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter plan: the plan of a demo's data."""

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Return the plan of a demo
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Checks the data of a demo and computes everything that deploying and verifying it needs - files, workloads, endpoints, traffic and
    assertions.
  - M(meshlab.envoy.demo_plan) returns the same plan for a demo file.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
options:
  _input:
    description: Content of a demo file.
    type: dict
    required: true
  name:
    description: Name of the demo. On Docker it is also the name of the compose project, on a cluster the prefix of the objects.
    type: str
    required: true
  context:
    description: Planning context - the platform, the folder and the programs. C(docs/architecture.md) of the collection lists its keys.
    type: dict
    required: true
  file:
    description: Name of the demo file in messages. The default is the name of the demo.
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
  description: The plan. C(docs/plan.md) of the collection describes its keys.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import cached_imports


def plan(data: Any, name: str, context: dict[str, Any], file: str = "") -> dict[str, Any]:
    """Return the plan of demo `name`. An error of the demo or the context becomes an AnsibleFilterError."""
    # Ansible loads all filters of a collection for the first one that a template uses. Only this filter needs the planner.
    with cached_imports():
        from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan
        from ansible_collections.meshlab.envoy.plugins.plugin_utils._planner_defaults import complete_context
    try:
        return make_plan(name, data, complete_context(context), file)
    except ValueError as error:  # DemoError, UnsupportedVersion, WorkloadError
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Ansible's filter plugin interface."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"plan": plan}
