#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: executable_info
short_description: See whether a program is there, and what it says of itself
version_added: 0.1.0
description:
  - Looks for a program on the managed host and, with O(arguments), runs it and returns what it says. That it is not there, or
    fails, is an answer and no failure of the task.
  - The roles look with it for what is installed already. On this machine that takes no time, because no module is sent anywhere.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
attributes:
  check_mode:
    support: full
    details:
      - It looks in check mode as well.
  idempotent:
    support: full
  diff_mode:
    support: none
    details:
      - It changes nothing.
options:
  path:
    description:
      - The program, by its path or, without a slash, by its name in a folder of C(PATH).
    type: path
    required: true
  arguments:
    description:
      - What to run it with; it is not run where this is empty.
    type: list
    elements: str
    default: []
  also:
    description:
      - Names of other programs to look for in the folders of C(PATH).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Ask Envoy for its version
  meshlab.envoy.executable_info:
    path: ~/.cache/meshlab.envoy/envoy-1.40.0/bin/envoy
    arguments: [--version]
  register: envoy

- name: See that it is the right one
  ansible.builtin.assert:
    that: "'/1.40.0/' in envoy.stdout"
"""

RETURN = r"""
exists:
  description: Whether it is there and may be executed.
  returned: always
  type: bool
also:
  description: Those of O(also) that are there.
  returned: always
  type: list
  elements: str
  sample: [go]
system:
  description: The host's operating system and machine, as C(uname -sm) says them.
  returned: always
  type: str
  sample: Linux x86_64
code:
  description: The exit code; where it could not be started, the number of the system's error, such as 2 where it is not there.
  returned: with O(arguments)
  type: int
  sample: 0
stdout:
  description: What it said.
  returned: with O(arguments)
  type: str
stderr:
  description: What it said on standard error, or why it could not be started.
  returned: with O(arguments)
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.executable_version import (
    ARGUMENTS,
    perform,
)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    module.exit_json(**perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
