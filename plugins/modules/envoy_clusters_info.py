#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_clusters_info
version_added: 0.1.0
short_description: Read the clusters of Envoys, with their hosts
description:
  - Asks any number of Envoy's admin interfaces, side by side, for their clusters, and returns each host with its address, health, weight,
    priority, locality and counters.
  - To expect something of them, M(meshlab.envoy.envoy_stats) reads the same page with
    O(meshlab.envoy.envoy_stats#module:assertions[].source=clusters).
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
  clusters:
    description:
      - The names of the clusters to read, all by default. One that an Envoy does not have is not in its result.
      - From Envoy 1.38, nothing else travels.
    type: list
    elements: str
seealso:
  - module: meshlab.envoy.envoy_stats
  - module: meshlab.envoy.envoy_config_dump_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Read a cluster of two Envoys
  meshlab.envoy.envoy_clusters_info:
    endpoints:
      - {name: edge, url: "unix:///run/envoy/edge.sock"}
      - {name: s1, container: front_proxy-service1-1}
    clusters: [service1]
  register: seen

- name: Show the hosts that get no requests
  ansible.builtin.debug:
    msg: "{{ seen.clusters.edge.service1.hosts | rejectattr('healthy') | map(attribute='address') }}"
"""

RETURN = r"""
clusters:
  description: The clusters of each endpoint that could be asked, by the endpoint's and by the cluster's name.
  returned: when endpoints were asked
  type: dict
  contains:
    added_via_api:
      description: Whether the cluster came through CDS.
      type: bool
      returned: success
    eds_service_name:
      description: Its name in EDS, where that is another.
      type: str
      returned: success
    healthy:
      description: How many hosts are healthy, as in Envoy's C(membership_healthy). One that is degraded is not.
      type: int
      returned: success
    degraded:
      description: How many are degraded.
      type: int
      returned: success
    ejected:
      description: How many outlier detection has ejected.
      type: int
      returned: success
    draining:
      description: How many EDS says are draining.
      type: int
      returned: success
    weight:
      description: The weights of all hosts together.
      type: int
      returned: success
    hosts:
      description: Its hosts.
      type: list
      elements: dict
      returned: success
      contains:
        address:
          description: Where it is.
          type: str
          returned: success
          sample: 10.0.0.7:8080
        hostname:
          description: Its name, where it was found by name.
          type: str
          returned: success
        healthy:
          description: Whether Envoy counts it as healthy. Neither one that fails a check nor one that is degraded is.
          type: bool
          returned: success
        eds_health:
          description: What EDS says of its health, V(HEALTHY) where there is no EDS.
          type: str
          returned: success
        flags:
          description: The flags of its health that are set, such as V(failed_active_health_check) or V(failed_outlier_check).
          type: list
          elements: str
          returned: success
        weight:
          description: Its weight.
          type: int
          returned: success
        priority:
          description: Its priority, V(0) being the first.
          type: int
          returned: success
        locality:
          description: Its C(region), C(zone) and C(sub_zone), each empty where there is none.
          type: dict
          returned: success
        success_rate:
          description: The percentage of requests that succeeded, as outlier detection saw it last. Null where it did not.
          type: float
          returned: success
        stats:
          description: Its own counters and gauges, C(rq_total), C(rq_success), C(rq_error), C(rq_active), C(cx_total) and others.
          type: dict
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

from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_options import CLUSTERS_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.admin_task import ASKS, WHERE_ARGS, read
from ansible_collections.meshlab.envoy.plugins.module_utils._admin.clusters_info import clusters_info


def main() -> None:
    module = AnsibleModule(argument_spec={**WHERE_ARGS, **CLUSTERS_ARGS}, **ASKS)
    names, timeout = module.params["clusters"] or (), module.params["timeout"]
    read(module, lambda endpoints, limits: clusters_info(endpoints, names, timeout, limits))


if __name__ == "__main__":
    main()
