#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_watch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: demo_watch
short_description: Show a running demo as a live page or table
version_added: 0.1.0
description:
  - Reads the stats, clusters and listeners of all Envoys of a plan in rounds, and shows the topology with rates, latencies, connections,
    health and versions.
  - With O(view=page), serves a page on the loopback of the controller, and prints its address. All viewers share the readings, and without
    viewers no Envoy is read.
  - With O(view=terminal), prints a table of the same numbers after each reading.
  - The task ends when the last viewer has left for O(idle_timeout), after O(duration), when the demo is removed, or when it is deployed
    again. RV(again) is true in the last case.
  - Sends only GET of C(/stats), C(/clusters), C(/listeners) and C(/server_info) to an admin interface. It cannot change an Envoy.
  - On a managed host other than the controller, each round is a run of this module on the host.
  - Internal to the collection. The playbook C(meshlab.envoy.watch) uses it, and its options and results can change in any release.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.cluster
attributes:
  check_mode:
    support: full
    details:
      - Reads and serves nothing. RV(msg) states it.
  idempotent:
    support: full
    details:
      - Changes nothing.
  diff_mode:
    support: none
    details:
      - The module changes nothing.
options:
  plan:
    description:
      - The plan of M(meshlab.envoy.demo_plan) with the change that is deployed.
      - The task fails if no Envoy of its C(endpoints) answers.
    type: dict
    required: true
  view:
    description: Whether to serve a page, or to print a table.
    type: str
    choices: [page, terminal]
    default: page
  port:
    description: Number of the port of the page on C(127.0.0.1) of the controller. V(0) chooses a free one.
    type: int
    default: 0
  key:
    description: Path of the page. By default it is random, so that other users of the controller cannot guess the address.
    type: str
  interval:
    description: Number of seconds between two readings, 0.2 to 3600.
    type: float
    default: 2.0
  idle_timeout:
    description: Number of seconds after which a page without viewers ends.
    type: float
    default: 300.0
  duration:
    description: Number of seconds after which the task ends.
    type: float
    default: 14400.0
  redraw:
    description: Whether each table replaces the previous one on the terminal. Leave it false where the output is a log.
    type: bool
    default: false
seealso:
  - module: meshlab.envoy.demo_plan
  - module: meshlab.envoy.envoy_stats_info
"""

EXAMPLES = r"""
- name: Plan a demo that is deployed already
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: demos/front_proxy.yml
    context:
      platform: local
      folder: ~/.local/state/meshlab.envoy/front_proxy
  register: planned

- name: Show it on a page for ten minutes
  meshlab.envoy.demo_watch:
    plan: "{{ planned }}"
    port: 8900
    duration: 600
"""

RETURN = r"""
msg:
  description: Why the task ended.
  returned: always
  type: str
  sample: front_proxy was removed.
port:
  description: Port of the page.
  returned: success
  type: int
  sample: 43211
key:
  description: Path of the page.
  returned: success
  type: str
  sample: hmpNB-gIeQULpDgX5zmYxQ
again:
  description: Whether the demo was deployed again, so that another plan shows it.
  returned: success
  type: bool
remaining:
  description: Number of seconds of O(duration) that remain.
  returned: success
  type: float
  sample: 583.21
snapshot:
  description: The readings of one round, as M(meshlab.envoy.envoy_stats) returns a snapshot.
  returned: on a managed host other than the controller, within the task
  type: dict
deployment:
  description: Digest of the record of the deployment; empty while it is not complete, and null without one.
  returned: on a managed host other than the controller, within the task
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import end_module
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_options import ARGUMENTS, perform


def main() -> None:
    """Run the module: one round."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    allow_kubeconfig_path_in_output(module)
    end_module(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
