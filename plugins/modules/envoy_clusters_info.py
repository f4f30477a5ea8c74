#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_clusters_info
version_added: 0.1.0
short_description: Read the clusters of Envoys and their hosts
description:
  - Reads the clusters of Envoys through their admin interfaces, several at the same time, and returns each host of a cluster with its
    address, health, weight, priority, locality and stats.
  - To assert on them, use M(meshlab.envoy.envoy_stats) with O(meshlab.envoy.envoy_stats#module:assertions[].source=clusters), which reads
    the same page.
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
  clusters:
    description:
      - Names of the clusters to read. By default all are read. A cluster that an Envoy does not have is not in its result.
      - Envoy 1.38 and later sends only these clusters.
    type: list
    elements: str
seealso:
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.envoy_config_dump_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Read one cluster of two Envoys
  meshlab.envoy.envoy_clusters_info:
    endpoints:
      - {name: edge, url: "unix:///run/envoy/edge.sock"}
      - {name: s1, container: front_proxy-service1-1}
    clusters: [service1]
  register: now

- name: Print the addresses of hosts that are not healthy
  ansible.builtin.debug:
    msg: "{{ now.clusters.edge.service1.hosts | rejectattr('healthy') | map(attribute='address') }}"
"""

RETURN = r"""
clusters:
  description: Clusters by the name of the endpoint and the name of the cluster.
  returned: when endpoints were read
  type: dict
  contains:
    added_via_api:
      description: Whether the cluster was added through CDS.
      type: bool
      returned: success
    eds_service_name:
      description: Name of the cluster in EDS, if it is another name.
      type: str
      returned: success
    healthy:
      description: Number of healthy hosts, as in Envoy's C(membership_healthy), which excludes degraded hosts.
      type: int
      returned: success
    degraded:
      description: Number of degraded hosts.
      type: int
      returned: success
    ejected:
      description: Number of hosts that outlier detection ejected.
      type: int
      returned: success
    draining:
      description: Number of hosts with the EDS health status C(DRAINING).
      type: int
      returned: success
    weight:
      description: Sum of the weights of all hosts.
      type: int
      returned: success
    hosts:
      description: Hosts of the cluster.
      type: list
      elements: dict
      returned: success
      contains:
        address:
          description: Address of the host.
          type: str
          returned: success
          sample: 10.0.0.7:8080
        hostname:
          description: Host name, if the address was resolved from a name.
          type: str
          returned: success
        healthy:
          description: Whether Envoy counts the host as healthy. A host that fails a health check or is degraded is not healthy.
          type: bool
          returned: success
        eds_health:
          description: Health status from EDS. It is V(HEALTHY) without EDS.
          type: str
          returned: success
        flags:
          description: Health flags that are set, such as V(failed_active_health_check) or V(failed_outlier_check).
          type: list
          elements: str
          returned: success
        weight:
          description: Load balancing weight.
          type: int
          returned: success
        priority:
          description: Priority. V(0) is the highest.
          type: int
          returned: success
        locality:
          description: The keys C(region), C(zone) and C(sub_zone), each empty if it is not set.
          type: dict
          returned: success
        success_rate:
          description: Percentage of successful requests, as outlier detection calculated it. Null without outlier detection.
          type: float
          returned: success
        stats:
          description: Counters and gauges of the host, such as C(rq_total), C(rq_success), C(rq_error), C(rq_active) and C(cx_total).
          type: dict
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

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import CLUSTERS_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import (
    MODULE_ARGS,
    TARGET_ARGS,
    run_info_module,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.clusters_info import clusters_info


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={**TARGET_ARGS, **CLUSTERS_ARGS}, **MODULE_ARGS)
    names, timeout = module.params["clusters"] or (), module.params["timeout"]
    run_info_module(module, lambda endpoints, limits: clusters_info(endpoints, names, timeout, limits))


if __name__ == "__main__":
    main()
