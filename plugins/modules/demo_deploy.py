#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys a plan on a platform, or tears it down."""

from __future__ import annotations

DOCUMENTATION = r"""
module: demo_deploy
short_description: Deploy a plan as processes, containers or pods
version_added: 0.1.0
author:
  - meshlab.envoy contributors (@meshlab)
description:
  - Deploys a plan of M(meshlab.envoy.demo_plan) - its files, certificates and workloads - or tears it down.
  - Checks everything that can prevent the deployment before it changes anything - ports in use, a Docker daemon that does not
    answer, images that cannot be pulled, executables for another architecture, objects that the API server rejects,
    configurations that Envoy rejects.
  - Then it writes files, starts new workloads, waits until all workloads are ready, and replaces the files that running proxies
    watch. Each proxy confirms its files. Workloads that the plan does not list any more are stopped last.
  - Restarts only workloads that differ. A run after an interrupted or failed run completes it.
  - In a cluster it applies objects with server-side apply, after a dry run of all of them. It deletes objects of the demo that
    the plan does not list any more, which it finds by the label C(meshlab.envoy/demo) in the namespace. A rollout that cannot
    complete fails at once with the reason and the last log lines, while the pods of the previous rollout keep serving.
  - Writes a report on the controller if the traffic during the deployment fails its expectations.
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.cluster
  - meshlab.envoy.reports
attributes:
  check_mode:
    support: full
    details:
      - A missing prerequisite (Docker, an image, an executable) is a warning, because a task before this one may install it.
  diff_mode:
    support: full
    details:
      - Shows files, and objects of a cluster. Private keys and the data of Secrets are omitted.
  idempotent:
    support: full
options:
  plan:
    description:
      - The plan that M(meshlab.envoy.demo_plan) returns. C(docs/plan.md) of the collection describes its keys.
      - Only the keys C(name), C(platform), C(folder), C(files), C(directories), C(certificates), C(checks), C(workloads),
        C(admins), C(manifests), C(during), C(change) and C(deployed) are used. A plan that is written by hand needs the first three,
        and the document of its platform among C(files) - C(supervisord.conf), C(compose.yaml) or C(manifests.yaml).
      - Required with O(state=present). With O(state=absent) it can be replaced by O(name), O(platform) and O(folder).
    type: dict
  state:
    description:
      - Whether to deploy the plan (V(present)) or to tear the deployment down (V(absent)).
      - V(absent) also stops what an interrupted run or a killed supervisord left behind. It removes only files that this
        collection wrote.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - Name of the demo to tear down, which is also the name of its compose project. Ignored when O(plan) is set.
    type: str
  platform:
    description:
      - Platform of the demo to tear down. Ignored when O(plan) is set.
      - V(local) runs processes under supervisord, as the user of the task. V(docker) runs the containers of a compose project of
        the Docker daemon on the managed host. V(kubernetes) and V(openshift) run pods in the namespace of O(cluster).
    type: str
    choices: [local, docker, kubernetes, openshift]
  folder:
    description:
      - Path to the state folder on the managed host of the demo to tear down. Ignored when O(plan) is set.
      - The folder stores where its deployment runs. A run for another platform, cluster or namespace is refused.
    type: path
  bind:
    description:
      - IP address that published ports are bound to. The module checks that the ports are free on this address.
    type: str
    default: 127.0.0.1
  supervisord_executable:
    description:
      - Path to the supervisord executable on the managed host, or its name in C(PATH). Used on the platform V(local).
    type: path
    default: supervisord
  timeout:
    description:
      - Number of seconds to wait until all workloads are ready. They count from the last progress of any workload.
    type: float
    default: 60
  confirm_timeout:
    description:
      - Number of seconds to wait until a running proxy confirms each step of its new files.
    type: float
    default: 60
  drain_timeout:
    description:
      - Number of seconds to wait until connections from before the change no longer use clusters that are removed. After that
        time the clusters stay, a warning names them, and the next run removes them.
      - It is also the longest wait before a workload that was replaced is stopped.
    type: float
    default: 10
notes:
  - Requires Python 3.9 or newer on the managed host. The platform V(docker) requires Docker with compose 2.20 or newer, a cluster
    the Python package C(kubernetes), and a plan with certificates C(openssl).
  - One run at a time changes a folder. A second run is refused.
  - While the module runs on the controller, it prints its phase and what it waits for. On another host, it prints what it deploys.
seealso:
  - module: meshlab.envoy.demo_plan
  - module: meshlab.envoy.demo_verify
  - module: meshlab.envoy.envoy_config
    description: Write and confirm files of Envoys that this collection does not run.
"""

EXAMPLES = r"""
- name: Plan a demo
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: demos/front_proxy.yml
    context:
      platform: docker
      folder: ~/.local/state/meshlab.envoy/front_proxy
      envoy:
        image: envoyproxy/envoy:v1.40.0
      python:
        image: python:3.11-slim-bookworm
      app: "{{ lookup('ansible.builtin.file', 'demo_app.py') }}"
  register: deployment_plan

- name: Deploy the plan
  meshlab.envoy.demo_deploy:
    plan: "{{ deployment_plan }}"

- name: Deploy a plan in a namespace of a cluster
  meshlab.envoy.demo_deploy:
    plan: "{{ deployment_plan }}"
    cluster:
      context: lab
      namespace: demos
    timeout: 120

- name: Run a program of your own under supervisord
  meshlab.envoy.demo_deploy:
    plan:
      name: sleeper
      platform: local
      folder: ~/.local/state/sleeper
      files:
        - path: supervisord.conf
          content: "{{ lookup('ansible.builtin.file', 'supervisord.conf') }}"
      workloads:
        - name: sleeper
          command: [sleep, infinity]

- name: Tear a demo down without its plan
  meshlab.envoy.demo_deploy:
    name: front_proxy
    platform: docker
    folder: ~/.local/state/meshlab.envoy/front_proxy
    state: absent
"""

RETURN = r"""
started:
  description: Names of the workloads that did not run before and were started.
  returned: always
  type: list
  elements: str
  sample: [edge, service1-1]
restarted:
  description: Names of the workloads that were restarted because they differ or because the network that they share was replaced.
  returned: always
  type: list
  elements: str
  sample: []
replaced:
  description:
    - How each restarted workload was replaced.
    - V(hot_restart) - the new Envoy took the listening sockets from the previous one, which finished its requests.
    - V(overlap) - the new process became ready before the previous one stopped.
    - V(stop) - the previous process was stopped first, which interrupted its requests.
    - V(rollout) - a Deployment replaced its pods.
  returned: always
  type: dict
  sample: {edge: hot_restart}
rolled_back:
  description: Whether the change failed after it had begun, and the previous files, document and processes were restored.
  returned: always
  type: bool
  sample: false
removed:
  description: Names of the workloads that were stopped and removed.
  returned: always
  type: list
  elements: str
  sample: []
objects:
  description: Objects of a cluster that were created, changed or deleted, as C(kind/name).
  returned: always
  type: list
  elements: str
  sample: [Deployment/front-proxy-edge]
traffic:
  description:
    - Results of the requests that were sent during the deployment, for a plan with C(during), as M(meshlab.envoy.http_traffic) returns
      them. The module fails if their expectations do not hold. What it deployed stays.
  returned: always
  type: list
  elements: dict
  sample: []
confirmed:
  description: When each running proxy confirmed its new files, in seconds since 1970, by the name of the proxy.
  returned: always
  type: dict
  sample: {edge: 1790000004.211}
began:
  description: When each phase began, in seconds since 1970.
  returned: always
  type: dict
  sample: {preflight: 1790000003.9, live: 1790000004.1}
files:
  description: Paths, relative to the state folder, of the files that were written or removed.
  returned: always
  type: list
  elements: str
  sample: [edge/listeners.yaml]
seconds:
  description: Duration of each phase in seconds.
  returned: always
  type: dict
  sample:
    preflight: 0.03
    prepare: 0.11
    write: 0.01
    start: 0.4
    ready: 0.3
    remove: 0.0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import end_module
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import ARGUMENTS, perform
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.sensitive_plan import sensitive_texts
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    allow_kubeconfig_path_in_output,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    allow_kubeconfig_path_in_output(module)
    # With -vvv, Ansible prints the options of a module: without these texts.
    module.no_log_values.update(sensitive_texts(module.params["plan"] or {}))
    result = perform(module.params, module.check_mode)
    if not module._diff:
        result.pop("diff")
    end_module(module, result)


if __name__ == "__main__":
    main()
