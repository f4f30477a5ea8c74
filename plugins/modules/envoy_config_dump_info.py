#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_config_dump_info
version_added: 0.1.0
short_description: Read the configuration of running Envoys, without secrets
description:
  - Reads the configuration that Envoys run through their admin interfaces, several at the same time. It returns resources in one form,
    whether they were requested as a whole or in part, and whether they are static or dynamic.
  - Envoy redacts private keys and passwords. This module also redacts secrets in headers, metadata and filters, before it returns
    anything. It redacts values with a name like a secret, values that look like one (PEM keys, tokens, users in URLs), and all bytes
    and source code. A dump is for reading, not for restoring.
  - To assert on versions and rejected updates, use M(meshlab.envoy.envoy_stats) with
    O(meshlab.envoy.envoy_stats#module:assertions[].source=config).
  - Needs only Python's standard library on the managed host.
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
      - A list of resources to read, such as V(static_clusters), V(dynamic_active_clusters), V(static_listeners),
        V(dynamic_listeners), V(dynamic_route_configs) or V(static_secrets).
    type: str
  mask:
    description:
      - Fields to read. With O(resource), fields of each resource, such as V(cluster.name). Otherwise fields of the whole dump, such as
        V(bootstrap) or V(static_clusters).
    type: list
    elements: str
  name_regex:
    description: Regular expression for whole names of resources to read, in the syntax of RE2. Envoy applies it.
    type: str
  include_eds:
    description: Whether to read the endpoints from EDS, too.
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
  register: now

- name: Print the version and state of each listener
  ansible.builtin.debug:
    msg: "{{ item.name }}: version {{ item.version_info }}, {{ item.state }}"
  loop: "{{ now.dumps.envoy.listeners }}"
  loop_control:
    label: "{{ item.name }}"

- name: Read the resources of two Envoys whose names begin with service
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
    - Configurations by the name of the endpoint.
    - Each of C(listeners), C(clusters), C(routes), C(scoped_routes), C(endpoints), C(secrets) and C(extensions) is a list of resources
      like RV(dumps.listeners).
  returned: when endpoints were read
  type: dict
  contains:
    bootstrap:
      description: The bootstrap, without C(node.extensions), the list of compiled-in extensions.
      type: dict
      returned: success
    listeners:
      description: The listeners.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: Name of the resource.
          type: str
          returned: success
        state:
          description: One of V(static), V(active), V(warming), V(draining) and V(inline). A resource can be there in two states.
          type: str
          returned: success
        version_info:
          description: Version of the update that contained it, empty for a static resource.
          type: str
          returned: success
        last_updated:
          description: Time of the update.
          type: str
          returned: success
        error:
          description: Reason why Envoy rejected its last update, empty if Envoy accepted it.
          type: str
          returned: success
        config:
          description: The resource as Envoy returns it, without secrets.
          type: raw
          returned: success
    other:
      description: Parts of the dump of other types, as Envoy returns them, without secrets.
      type: list
      elements: dict
      returned: success
    redacted:
      description: Number of values that Envoy or this module redacted. Their value is V((redacted\)).
      type: int
      returned: success
endpoints:
  description: The endpoints and their failures.
  returned: when endpoints were read
  type: list
  elements: dict
  contains:
    name:
      description: Name of the endpoint.
      type: str
      returned: success
    ok:
      description: Whether the endpoint was read without a failure.
      type: bool
      returned: success
    milliseconds:
      description: Number of milliseconds for all requests to the endpoint.
      type: float
      returned: success
    failure:
      description:
        - The kind of failure, empty if there is none. One of V(unreachable), V(timeout), V(http_status), V(unparsable) and
          V(too_large).
      type: str
      returned: success
    message:
      description: The failure as a sentence, empty if there is none.
      type: str
      returned: success
failure:
  description: The kind of the first failure, empty if there is none.
  returned: when endpoints were read
  type: str
elapsed:
  description: Number of seconds for all endpoints.
  returned: when endpoints were read
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import CONFIG_DUMP_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import (
    MODULE_ARGS,
    TARGET_ARGS,
    run_info_module,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.config_dump import config_dump_info


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={**TARGET_ARGS, **CONFIG_DUMP_ARGS}, **MODULE_ARGS)
    params = module.params
    run_info_module(
        module, lambda endpoints, limits: config_dump_info(endpoints, params, params["timeout"], limits)
    )


if __name__ == "__main__":
    main()
