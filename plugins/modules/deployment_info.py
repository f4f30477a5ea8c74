#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a deployment folder records, and which ports of its host are in use."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_info
short_description: Read the record of a deployment and the ports of its host
version_added: 0.1.0
description:
  - Returns the ports and generations that a deployment folder records, the ports of the managed host that are in use, and a free block of
    ports.
  - M(meshlab.envoy.demo_plan) runs this module itself, so that the ports of a deployed demo stay when the demo changes.
  - A folder that does not exist, or that has no deployment, is a result, and does not fail the task. A record with wrong types, names or
    ranges fails the task.
  - Looks for O(programs), so that a play installs them only if they are missing. It caches their versions, except in check mode.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.info_module
options:
  folder:
    description:
      - Path to the deployment folder on the managed host. C(~) is the value of E(HOME), as in M(meshlab.envoy.demo_deploy).
    type: path
    required: true
  programs:
    description:
      - Programs to look for.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the program in the result.
        type: str
        required: true
      executable:
        description:
          - Path to the executable, or its name in E(PATH).
        type: path
        required: true
      version:
        description:
          - Version that the executable must print with C(--version), between slashes as Envoy prints it. When empty, any version is
            accepted.
        type: str
        default: ""
  cache:
    description:
      - Path to the folder of the installed executables. The module keeps the output of C(--version) there while an executable does not
        change. When empty, or if the folder does not exist, the executable runs each time.
    type: path
    default: ""
seealso:
  - module: meshlab.envoy.demo_plan
  - module: meshlab.envoy.demo_deploy
"""

EXAMPLES = r"""
- name: Read the ports of a deployed demo
  meshlab.envoy.deployment_info:
    folder: ~/.local/state/meshlab.envoy/front_proxy
  register: front_proxy

- name: Show the port of an app
  ansible.builtin.debug:
    var: front_proxy.deployed.ports['service1-1/app']
"""

RETURN = r"""
deployed:
  description: The record of the deployment, which C(docs/plan.md) of the collection describes. Its mappings are empty without a deployment.
  returned: success
  type: dict
  sample:
    block: 12000
    ports: {"edge/hot-restart": 12099, "service1-1/app": 12000}
    stated: {"edge/http": 8080}
    workloads: {edge: {generation: 2, digest: 4f0c2a9be101}}
used_ports:
  description: Ports of the host that are in use, those of the deployment included, and the base ids of its Envoys.
  returned: success
  type: list
  elements: int
  sample: [22, 8080]
free_block:
  description: First of 100 ports that are not in use, for a demo that states no C(ports). V(0) if there is no such block.
  returned: success
  type: int
  sample: 14000
migrates_connections:
  description:
    - Whether the kernel of the host gives the connections of a listening socket that is closed to another socket of its port,
      the sysctl C(net.ipv4.tcp_migrate_req). Then an Envoy with fewer worker threads takes over without a reset connection.
  returned: success
  type: bool
  sample: false
missing_programs:
  description: Names of O(programs) that do not exist, or have another version.
  returned: success
  type: list
  elements: str
  sample: [envoy]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment_info import (
    ARGUMENTS,
    perform,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result = perform(module.params, module.check_mode)
    if result.get("failed"):
        module.fail_json(**printable_result(msg=result["msg"]))
    module.exit_json(**printable_result(**result))


if __name__ == "__main__":
    main()
