#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: demo_verify
short_description: Send a demo's traffic and hold its expectations
version_added: 0.1.0
description:
  - Takes a snapshot of the stats, sends the traffic, and asserts what the stats must show since then, in one task,
    so that nothing happens in between.
  - The parts are M(meshlab.envoy.envoy_stats) and M(meshlab.envoy.http_traffic); use those in playbooks of your own.
  - Prints a report of what runs, what was sent, and each expectation with its number.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - Sends nothing, and says so.
  idempotent:
    support: full
    details:
      - It changes nothing but the counters of what it asks.
  diff_mode:
    support: none
    details:
      - It changes nothing.
options:
  plan:
    description:
      - The plan of M(meshlab.envoy.demo_plan). Its C(endpoints), C(traffic) and C(assertions) are what is verified.
        Its C(admins) say which pods proxies have to know by name before traffic is sent, which takes some seconds after a start.
        Where an expectation fails, its C(folder) and C(files) tell whether something else was deployed, such as a change.
    type: dict
    required: true
  timeout:
    description:
      - How many seconds the assertions may take to hold, once the traffic was sent.
      - An endpoint that does not answer within them is asked again, for a minute; so is one that does not before the traffic.
    type: float
    default: 15.0
  sleep:
    description:
      - How many seconds to wait between two looks.
    type: float
    default: 0.1
seealso:
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.http_traffic
"""

EXAMPLES = r"""
- name: Plan the demo that runs
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: demos/front_proxy.yml
    context:
      platform: local
      folder: ~/.local/state/meshlab.envoy/front_proxy

- name: Send its traffic and hold its expectations
  meshlab.envoy.demo_verify:
    plan: "{{ deployment_plan }}"
"""

RETURN = r"""
traffic:
  description: What was sent and answered, as M(meshlab.envoy.http_traffic) says it; the same on failure.
  returned: always
  type: list
  elements: dict
assertions:
  description: One entry for each assertion, as M(meshlab.envoy.envoy_stats) says it; the same on failure.
  returned: always
  type: list
  elements: dict
endpoints:
  description: One entry for each endpoint that was asked, as M(meshlab.envoy.envoy_stats) says it.
  returned: always
  type: list
  elements: dict
elapsed:
  description: How many seconds it took.
  returned: always
  type: float
  sample: 0.214
msg:
  description: How many expectations hold, or a sentence for each that does not.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import ARGUMENTS, perform


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    allow_kubeconfig_path_in_output(module)
    result = perform(module.params, module.check_mode)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
