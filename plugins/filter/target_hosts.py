# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter `target_hosts`: the hosts of a play, also without an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: target_hosts
version_added: 0.1.0
short_description: Return the hosts of a play, and localhost where no inventory is given
description:
  - Returns the name of O(group) when the inventory has a host in this group.
  - Returns V(localhost) when the inventory has no host, or only V(localhost), so that C(ansible-playbook meshlab.envoy.site) deploys to
    the controller.
  - Fails when the inventory has hosts, but none of them is in O(group). A play without hosts would end with exit status 0.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
positional: group
options:
  _input:
    description: The groups of the inventory, from Ansible's variable C(groups).
    type: dict
    required: true
  group:
    description: The name of the expected group.
    type: str
    default: envoy_hosts
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Deploy a demo to the hosts of a group, or to the controller
  hosts: "{{ groups | meshlab.envoy.target_hosts('web') }}"
  gather_facts: false
  roles:
    - role: meshlab.envoy.deployment
      vars:
        deployment_demo_file: "{{ playbook_dir }}/shop.yml"
"""

RETURN = r"""
_value:
  description: A pattern for the keyword C(hosts) of a play.
  type: str
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def target_hosts(groups: Mapping[str, Sequence[str]], group: str = "envoy_hosts") -> str:
    """Return the pattern of hosts for a play; see DOCUMENTATION."""
    if groups.get(group):
        return group
    hosts = groups.get("all") or []
    # ansible-pull passes the inventory `localhost,`.
    if set(hosts) <= {"localhost"}:
        return "localhost"
    shown = ", ".join(hosts[:3]) + (" ..." if len(hosts) > 3 else "")
    raise AnsibleFilterError(
        f"inventory: no host is in the group '{group}', and the inventory has other hosts ({shown})."
        f" Add hosts to the group '{group}', or name another group with -e deployment_hosts=GROUP."
    )


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters of this file by name."""
        return {"target_hosts": target_hosts}
