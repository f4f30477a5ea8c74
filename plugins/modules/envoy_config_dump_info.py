#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_config_dump_info
version_added: 0.1.0
short_description: Read the configuration that Envoys run, without its secrets
description:
  - Asks any number of Envoy's admin interfaces, side by side, for the configuration that they run, and returns it in one form, whether
    it was asked for as a whole or in part, static or dynamic.
  - Envoy strikes out private keys and passwords by itself. This module strikes out more, before anything is returned, since a dump has
    tokens in headers, metadata and filters, too. Whatever is named like a secret goes, whatever looks like one (keys in PEM, tokens,
    users in addresses), and all bytes and source code. It is made for looking at, not for restoring from.
  - To expect something of the versions and refusals, M(meshlab.envoy.envoy_stats) has
    O(meshlab.envoy.envoy_stats#module:assertions[].source=config).
  - Needs nothing but Python's standard library on the host that it runs on.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.info_module
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.endpoints
  - meshlab.envoy.endpoints.once
  - meshlab.envoy.endpoints.strict
  - meshlab.envoy.cluster
options:
  resource:
    description:
      - The one list of resources to read, such as V(static_clusters), V(dynamic_active_clusters), V(static_listeners),
        V(dynamic_listeners), V(dynamic_route_configs) or V(static_secrets).
    type: str
  mask:
    description:
      - The fields to read. With O(resource), of each resource, such as V(cluster.name). Otherwise of the whole, such as V(bootstrap) or
        V(static_clusters).
    type: list
    elements: str
  name_regex:
    description: A regular expression, as RE2 reads it, for whole names of resources to read. Envoy decides what it holds back by it.
    type: str
  include_eds:
    description: Whether to read the hosts that EDS told, too.
    type: bool
    default: false
seealso:
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.envoy_clusters_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Read the names of an Envoy's listeners
  meshlab.envoy.envoy_config_dump_info:
    url: unix:///run/envoy/admin.sock
    resource: dynamic_listeners
  register: seen

- name: Show which version of which listener runs
  ansible.builtin.debug:
    msg: "{{ item.name }} is at {{ item.version_info }}, {{ item.state }}"
  loop: "{{ seen.dumps.envoy.listeners }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read the clusters of two Envoys whose names begin with service
  meshlab.envoy.envoy_config_dump_info:
    endpoints:
      - {name: edge, url: "http://127.0.0.1:9901"}
      - {name: s1, container: front_proxy-service1-1}
    name_regex: service.*
    include_eds: true
"""

RETURN = r"""
dumps:
  description:
    - The configuration of each endpoint that could be asked, by the endpoint's name.
    - Each of C(listeners), C(clusters), C(routes), C(scoped_routes), C(endpoints), C(secrets) and C(extensions) is a list of resources
      like RV(dumps.listeners).
  returned: when endpoints were asked
  type: dict
  contains:
    bootstrap:
      description: The bootstrap, without C(node.extensions), the list of all that is compiled in.
      type: dict
      returned: success
    listeners:
      description: The listeners.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: Its name.
          type: str
          returned: success
        state:
          description: One of V(static), V(active), V(warming), V(draining) and V(inline). A resource can be there in two states.
          type: str
          returned: success
        version_info:
          description: The version of the update that it came with, empty where there is none.
          type: str
          returned: success
        last_updated:
          description: When it came.
          type: str
          returned: success
        error:
          description: Why its last update was refused, empty where it was not.
          type: str
          returned: success
        config:
          description: The resource in Envoy's own words.
          type: raw
          returned: success
    other:
      description: Parts of the dump that this module does not know, as they are but for their secrets.
      type: list
      elements: dict
      returned: success
    redacted:
      description: How many values were struck out, by Envoy or here. In their place is V((redacted\)).
      type: int
      returned: success
endpoints:
  description: What was asked, and how it went.
  returned: when endpoints were asked
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: success
    ok:
      description: Whether it could be asked and its answer be read.
      type: bool
      returned: success
    milliseconds:
      description: How long it took.
      type: float
      returned: success
    failure:
      description:
        - The kind of failure, empty where there was none. One of V(unreachable), V(timeout), V(http_status), V(unparsable) and
          V(too_large).
      type: str
      returned: success
    message:
      description: The failure in one sentence.
      type: str
      returned: success
failure:
  description: The kind of the first failure, empty where there was none.
  returned: when endpoints were asked
  type: str
elapsed:
  description: How many seconds it took.
  returned: when endpoints were asked
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import CONFIG_DUMP_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import ASKS, WHERE_ARGS, read
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.config_dump import config_dump_info


def main() -> None:
    module = AnsibleModule(argument_spec={**WHERE_ARGS, **CONFIG_DUMP_ARGS}, **ASKS)
    given = module.params
    read(module, lambda endpoints, limits: config_dump_info(endpoints, given, given["timeout"], limits))


if __name__ == "__main__":
    main()
