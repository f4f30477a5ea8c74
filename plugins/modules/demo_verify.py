#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_verify."""

from __future__ import annotations

DOCUMENTATION = r"""
module: demo_verify
short_description: Verify a demo by its traffic and its expectations
version_added: 0.1.0
description:
  - Reads the stats, sends the traffic of a plan, and evaluates the assertions of the plan about the change of the stats, in one task.
  - The task does the same as the modules M(meshlab.envoy.envoy_stats) and M(meshlab.envoy.http_traffic) together. Use these two in your
    own playbooks.
  - Writes a report of the run on the controller, and prints its path. A teardown keeps the reports.
  - Prints a report of what runs, what was sent, and the expected and the actual value of each expectation. The failed expectations and
    their reasons come last.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.cluster
  - meshlab.envoy.reports
attributes:
  check_mode:
    support: full
    details:
      - Checks the plan and sends no request. RV(msg) states it.
  idempotent:
    support: full
    details:
      - Changes only the counters of the programs that get requests.
  diff_mode:
    support: none
    details:
      - The module changes nothing.
options:
  plan:
    description:
      - The plan of M(meshlab.envoy.demo_plan).
      - The module uses its C(endpoints), C(traffic) and C(assertions).
      - Before the traffic, the module waits up to 60 seconds until the C(workloads) are ready, because commands such as
        C(docker compose up) and C(kubectl apply) do not wait. It does not wait for a workload that does not exist, was stopped or
        ended. Without C(workloads), it does not wait.
      - Then it waits up to 60 seconds until the proxies in C(admins) have found their pods by name.
      - If an expectation fails, the module compares C(files) with C(folder), to detect that a change is deployed instead of this plan.
    type: dict
    required: true
  timeout:
    description:
      - Number of seconds that the assertions have to become true after the traffic.
      - An endpoint that does not answer in time is read again for up to 60 seconds, before and after the traffic.
    type: float
    default: 15.0
  sleep:
    description: Number of seconds between two evaluations.
    type: float
    default: 0.1
  live:
    description:
      - Whether to print the counts of each traffic while it flows, once a second - its rate, its failures, p50 and p99.
      - Requires that the task runs on the controller. On a terminal, each line replaces the previous one.
    type: bool
    default: false
  deployment:
    description: The result of M(meshlab.envoy.demo_deploy) that preceded, for the report.
    type: dict
seealso:
  - module: meshlab.envoy.demo_plan
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.http_traffic
"""

EXAMPLES = r"""
- name: Verify the demo of a plan
  meshlab.envoy.demo_verify:
    plan: "{{ deployment_plan }}"

- name: Plan a demo that is deployed already
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: demos/front_proxy.yml
    context:
      platform: local
      folder: ~/.local/state/meshlab.envoy/front_proxy
  register: planned

- name: Verify it with more time
  meshlab.envoy.demo_verify:
    plan: "{{ planned }}"
    timeout: 60
"""

RETURN = r"""
msg:
  description: How many expectations hold, and one line for each that fails.
  returned: always
  type: str
  sample: "16 of 16 expectations hold: 45 requests sent and counted in 0.1 s."
traffic:
  description: One entry for each traffic, as M(meshlab.envoy.http_traffic) returns it, with the same keys on failure.
  returned: on success, with C(register), or with C(-v)
  type: list
  elements: dict
assertions:
  description: One entry for each assertion, as M(meshlab.envoy.envoy_stats) returns it, with the same keys on failure.
  returned: on success, with C(register), or with C(-v)
  type: list
  elements: dict
endpoints:
  description: One entry for each endpoint, as M(meshlab.envoy.envoy_stats) returns it.
  returned: on success, with C(register), or with C(-v)
  type: list
  elements: dict
reasons:
  description:
    - "Why expectations fail, one line for each reason: services without replicas, workloads that were not ready, and the response flags and
      response code details of the failed requests."
    - The flags and details are those of the access log of the proxies, which they write unless C(access_log) is false. The module
      reads up to 256 KiB or 1000 lines of each log, for up to 2 seconds.
  returned: always
  type: list
  elements: str
  sample:
    - "traffic web: 4 × 503 at edge: response flags UH (the cluster has no healthy upstream host), details no_healthy_upstream, cluster web"
clusters:
  description:
    - What the clusters of the proxies forwarded, by group and cluster - C(requests), C(failed), C(bytes), C(p50_ms) and C(p99_ms).
    - The module reads the stats of the clusters before the traffic and after the assertions. A proxy that does not answer has no entry.
      The latencies are null if Envoy has not updated its histograms in between, which it does every 5 seconds by default.
  returned: always
  type: list
  elements: dict
  sample:
    - {group: edge, cluster: service1, requests: 30, failed: 0, bytes: 5432, p50_ms: 0.6, p99_ms: 1.2}
reports:
  description: URLs of the reports that were written on the controller.
  returned: when reports were written
  type: list
  elements: str
  sample: ["file:///home/user/.local/state/meshlab.envoy/reports/front_proxy/2026-11-30T11-20-05.123Z-local.html"]
began:
  description: Time at which the task began, in seconds since 1970.
  returned: always
  type: float
  sample: 1790000000.125
elapsed:
  description: Duration of the task in seconds.
  returned: always
  type: float
  sample: 0.214
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
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import ARGUMENTS, perform


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    allow_kubeconfig_path_in_output(module)
    end_module(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
