#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: demo_plan
short_description: Return the plan of a demo
version_added: 0.1.0
description:
  - Reads a demo, checks it, and computes everything that deploying and verifying it needs - files, workloads, endpoints, traffic and
    assertions.
  - The module reads the demo file on the controller, and on the managed host what the deployment folder records of the deployment. It
    changes nothing. So the ports of a deployed demo stay when the demo changes.
  - It warns about each workload whose requests can fail during the deployment, see RV(interruptions).
  - Internal to the collection. Its roles and playbooks use it, and its options and results can change in any release.
author:
  - meshlab.envoy contributors (@meshlab)
extends_documentation_fragment:
  - meshlab.envoy.attributes
attributes:
  check_mode:
    support: full
  idempotent:
    support: full
    details:
      - The module changes nothing but its cache of the versions of installed programs.
  diff_mode:
    support: none
    details:
      - The module changes nothing but its cache of the versions of installed programs.
options:
  name:
    description:
      - Name of the demo. On Docker it is also the name of the compose project, on a cluster the prefix of the objects.
    type: str
    required: true
  path:
    description:
      - Path of the demo file on the controller.
    type: str
  data:
    description:
      - Content of a demo file, in place of O(path).
    type: dict
  source:
    description:
      - Name of the demo file in messages. The default is the file name of O(path), or O(name).
    type: str
  authority:
    description:
      - Path to a folder on the controller with a certificate authority that several deployments share, so that they trust each other.
      - The authority is created if it does not exist. Its private key stays in the folder, with mode 0600. A host receives only its own
        certificates and keys.
      - By default, each host creates an authority in its deployment folder. Requires C(openssl) on the controller.
    type: path
  context:
    description:
      - Planning context - the platform, the folder and the programs. C(docs/architecture.md) of the collection lists its keys.
    type: dict
    required: true
  provide:
    description:
      - Names of programs of RV(to_provide) in each run, such as an image to build.
    type: list
    elements: str
    default: []
seealso:
  - plugin: meshlab.envoy.plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Plan a demo for Docker
  meshlab.envoy.demo_plan:
    name: front_proxy
    path: demos/front_proxy.yml
    context:
      platform: docker
      folder: ~/.local/state/meshlab.envoy/front_proxy
  register: front_proxy

- name: Show the addresses that users can open
  ansible.builtin.debug:
    var: front_proxy.addresses
"""

RETURN = r"""
name:
  description: Name of the demo. All keys together are the plan, which C(docs/plan.md) of the collection describes.
  returned: success
  type: str
summary:
  description: Summary of the demo, or of its change.
  returned: success
  type: str
notes:
  description: Commands to try, with the addresses of this platform.
  returned: success
  type: list
  elements: str
replacements:
  description:
    - Each address and path that differs between a file of an author (C(config) of a proxy) and the copy that Envoy reads.
    - The task prints them. RV(replacements) is empty unless names of the demo do not resolve, as on platform V(local).
  returned: success
  type: list
  elements: str
  sample: ["envoy.yaml line 59: web:8080 is 127.0.0.1:20000 in the copy for front"]
platform:
  description: Name of the platform that runs the demo.
  returned: success
  type: str
folder:
  description: Deployment folder on the host.
  returned: success
  type: str
without_replicas:
  description: Names of the services without replicas.
  returned: success
  type: list
  elements: str
trust:
  description: The certificates that the clusters with TLS accept, as text, by proxy and cluster.
  returned: success
  type: dict
hosts:
  description: Names of the hosts that run the demo.
  returned: success
  type: list
  elements: str
  sample: [default]
programs:
  description: Names of the roles that provide the programs.
  returned: success
  type: list
  elements: str
  sample: [envoy, demo_app]
files:
  description: Files of RV(folder), as module M(meshlab.envoy.demo_deploy) takes them.
  returned: success
  type: list
  elements: dict
directories:
  description: Directories of RV(folder) that no file creates.
  returned: success
  type: list
  elements: dict
certificates:
  description: Certificates that the host creates.
  returned: success
  type: list
  elements: dict
checks:
  description: Validation commands that run before anything changes.
  returned: success
  type: list
  elements: dict
workloads:
  description: Processes or containers of the demo.
  returned: success
  type: list
  elements: dict
manifests:
  description: Kubernetes objects of the demo. Empty on other platforms.
  returned: success
  type: list
  elements: dict
commands:
  description: Commands that run the documents in RV(folder) without Ansible.
  returned: success
  type: list
  elements: str
  sample: [docker compose up]
admins:
  description: Admin interfaces of the proxies.
  returned: success
  type: list
  elements: dict
endpoints:
  description: Endpoints that serve stats, as module M(meshlab.envoy.envoy_stats) takes them.
  returned: success
  type: list
  elements: dict
addresses:
  description: Addresses that users can open.
  returned: success
  type: list
  elements: dict
  sample: [{name: edge/http, url: "http://127.0.0.1:8080", what: listener}]
traffic:
  description: Requests to send, as module M(meshlab.envoy.http_traffic) takes them.
  returned: success
  type: list
  elements: dict
during:
  description: Requests to send while a change is made, as module M(meshlab.envoy.http_traffic) takes them.
  returned: success
  type: list
  elements: dict
change:
  description: Name of the change, with the number of its last step in V(canary/2). Empty for the demo without a change.
  returned: success
  type: str
previous:
  description: The change that is deployed until now, in the form of RV(change). Null if nothing is deployed.
  returned: success
  type: str
rollback:
  description: Whether the demo returns to its previous state if the change fails.
  returned: success
  type: bool
to_provide:
  description:
    - Names of the programs that the demo needs and that the managed host does not have, or that O(provide) names.
    - A program with a version in O(context) runs with C(--version). Its output is cached in C(cache) of O(context) while its files do
      not change.
  returned: success
  type: list
  elements: str
  sample: [envoy, supervisord]
steps:
  description: Plans of the steps of the change, which are deployed before this plan.
  returned: success
  type: list
  elements: dict
assertions:
  description: Expectations of the demo, as module M(meshlab.envoy.envoy_stats) takes them.
  returned: success
  type: list
  elements: dict
deployed:
  description: What a later plan must not decide differently. M(meshlab.envoy.demo_deploy) records it in RV(folder).
  returned: success
  type: dict
replaced:
  description: Workloads that a deployment of the plan replaces, and how. Empty if RV(folder) has no deployment.
  returned: success
  type: list
  elements: dict
  sample: [{workload: edge, how: hot_restart}]
interruptions:
  description: Workloads whose requests can fail during a deployment of the plan, with the reason and the remedy.
  returned: success
  type: list
  elements: dict
"""
