#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: demo_plan
short_description: Turn a demo into its plan
version_added: 0.1.0
description:
  - Reads a demo, checks it, and computes everything that running it needs - files, workloads, endpoints, traffic and assertions.
  - It runs on the controller, reads nothing but the demo file, and changes nothing.
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
      - It changes nothing.
  diff_mode:
    support: none
    details:
      - It changes nothing.
options:
  name:
    description:
      - The demo's name, which becomes that of its folder or compose project.
    type: str
    required: true
  path:
    description:
      - The demo file, on the controller.
    type: str
  data:
    description:
      - The demo itself, in place of O(path).
    type: dict
  source:
    description:
      - What messages call the demo. The name of the file of O(path), or O(name), by default.
    type: str
  context:
    description:
      - What the host is like. See "The plan" in C(docs/architecture.md) of the collection.
    type: dict
    required: true
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

- name: See what could be opened
  ansible.builtin.debug:
    var: front_proxy.addresses
"""

RETURN = r"""
name:
  description: The demo's name. All keys together are the plan, whose shape is in C(docs/architecture.md) of the collection.
  returned: success
  type: str
summary:
  description: What the demo, or its change, is about.
  returned: success
  type: str
notes:
  description: What to try, with the addresses of this platform in them.
  returned: success
  type: list
  elements: str
platform:
  description: Where it runs.
  returned: success
  type: str
folder:
  description: Everything that is written, on the host.
  returned: success
  type: str
programs:
  description: What must be provided, by the role that does.
  returned: success
  type: list
  elements: str
  sample: [envoy, demo_app]
files:
  description: What is in RV(folder), as the module M(meshlab.envoy.demo_deploy) takes it.
  returned: success
  type: list
  elements: dict
directories:
  description: Folders in RV(folder), as the module M(meshlab.envoy.demo_deploy) takes them.
  returned: success
  type: list
  elements: dict
certificates:
  description: Keys and certificates that are made on the host, as the module M(meshlab.envoy.demo_deploy) takes them.
  returned: success
  type: list
  elements: dict
checks:
  description: What validates the configurations, as the module M(meshlab.envoy.demo_deploy) takes it.
  returned: success
  type: list
  elements: dict
workloads:
  description: What runs, as the module M(meshlab.envoy.demo_deploy) takes it.
  returned: success
  type: list
  elements: dict
manifests:
  description: The objects of a cluster's namespace, as the module M(meshlab.envoy.demo_deploy) takes them.
  returned: success
  type: list
  elements: dict
commands:
  description: How to run the documents in RV(folder) without Ansible.
  returned: success
  type: list
  elements: str
  sample: [docker compose up]
admins:
  description: Where each Envoy's whole admin interface is, as the module M(meshlab.envoy.demo_deploy) takes it.
  returned: success
  type: list
  elements: dict
endpoints:
  description: The endpoints of the demo, as the option O(meshlab.envoy.envoy_stats#module:endpoints).
  returned: success
  type: list
  elements: dict
addresses:
  description: What people can open.
  returned: success
  type: list
  elements: dict
  sample: [{name: edge/http, url: "http://127.0.0.1:8080"}]
traffic:
  description: What is sent, as the module M(meshlab.envoy.http_traffic) takes it.
  returned: success
  type: list
  elements: dict
during:
  description: What is sent while a change is made, as the module M(meshlab.envoy.http_traffic) takes it.
  returned: success
  type: list
  elements: dict
assertions:
  description: What must hold, as the module M(meshlab.envoy.envoy_stats) takes it.
  returned: success
  type: list
  elements: dict
"""
