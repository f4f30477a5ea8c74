#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds an executable and runs it for its version."""

from __future__ import annotations

DOCUMENTATION = r"""
module: executable_info
short_description: Find an executable and read its version
version_added: 0.1.0
description:
  - Returns whether an executable exists on the managed host. With O(arguments), runs it and returns its output.
  - An executable that does not exist or that fails is a result, and does not fail the task.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.info_module
options:
  path:
    description:
      - Path to the executable on the managed host, or its name in C(PATH).
    type: path
    required: true
  arguments:
    description:
      - Arguments to run the executable with. It is not run when the list is empty.
    type: list
    elements: str
    default: []
  also_find:
    description:
      - Names of further executables to search for in C(PATH).
    type: list
    elements: str
    default: []
notes:
  - On the controller itself the module takes no extra process, because its action plugin runs it in place.
seealso:
  - module: ansible.builtin.command
"""

EXAMPLES = r"""
- name: Read the version of Envoy
  meshlab.envoy.executable_info:
    path: ~/.cache/meshlab.envoy/envoy-1.40.0/bin/envoy
    arguments: [--version]
  register: envoy

- name: Check the version
  ansible.builtin.assert:
    that: "'/1.40.0/' in envoy.stdout"

- name: Find statsd_exporter, and Go to build it with
  meshlab.envoy.executable_info:
    path: statsd_exporter
    also_find: [go]
  register: statsd_exporter
"""

RETURN = r"""
exists:
  description: Whether O(path) exists and is executable.
  returned: always
  type: bool
also_found:
  description: Names of O(also_find) that exist and are executable.
  returned: always
  type: list
  elements: str
  sample: [go]
system:
  description: Operating system and machine of the managed host, as C(uname -sm) prints them.
  returned: always
  type: str
  sample: Linux x86_64
exit_code:
  description: Exit code. When the executable cannot be started, the error number of the operating system, such as 2 for C(ENOENT).
  returned: with O(arguments)
  type: int
  sample: 0
stdout:
  description: Standard output.
  returned: with O(arguments)
  type: str
stderr:
  description: Standard error. When the executable cannot be started, the text of the operating system's error.
  returned: with O(arguments)
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.executable_options import (
    ARGUMENTS,
    perform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(**printable_result(**perform(module.params, module.check_mode)))


if __name__ == "__main__":
    main()
