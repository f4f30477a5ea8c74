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
      runtime: docker
      folder: ~/.local/state/meshlab.envoy/front_proxy

- name: See what could be opened
  ansible.builtin.debug:
    var: runtime_plan.addresses
"""

RETURN = r"""
ansible_facts:
  description: The plan, as a fact.
  returned: success
  type: dict
  contains:
    runtime_plan:
      description: See "The plan" in C(docs/architecture.md) of the collection.
      returned: success
      type: dict
"""
