#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_stats_info
version_added: 0.1.0
short_description: Read stats and other readings of Envoys
description:
  - Reads Envoy admin interfaces and pages in Prometheus' text format, several at the same time, and returns numbers and texts by name.
  - RV(snapshot) is the earlier snapshot for differences with M(meshlab.envoy.envoy_stats).
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
  stats:
    description:
      - Whole names of stats to read. Without O(stats) and O(match), all stats are read.
    type: list
    elements: str
  match:
    description:
      - Regular expressions for whole names of stats to read, in the syntax of RE2.
    type: list
    elements: str
  sources:
    description:
      - Sources to read. O(meshlab.envoy.envoy_stats#module:assertions[].source) lists their readings.
      - O(stats) and O(match) select readings of V(stats). All readings of other sources are returned.
    type: list
    elements: str
    choices: [stats, server_info, ready, clusters, listeners, certs, config, runtime]
    default: [stats]
  histograms:
    description: Whether to read histograms with their buckets.
    type: bool
    default: true
  usedonly:
    description:
      - Whether to leave out stats that Envoy never used, all of which are 0. They are most of the stats of an Envoy. The stats in O(stats)
        are always read.
      - In a difference to such a snapshot, a stat that is not in it counts as 0.
      - It has no effect on pages in Prometheus' format.
    type: bool
    default: false
    version_added: 0.1.0
  snapshot_file:
    description:
      - Path to a file on the managed host to write the snapshot to, instead of returning it. With many endpoints, this saves the transfer
        of the snapshot to the controller and back. The file is replaced as a whole, and only its owner can read it.
      - RV(snapshot) then names the file, and works as O(meshlab.envoy.envoy_stats#module:since) on the same host. RV(readings) and
        RV(histograms) are empty.
      - In check mode the file is not written, and the result is the same as without this option.
    type: path
notes:
  - On the controller itself the action plugin runs the module in Ansible's process, except with C(become), C(async) or C(environment).
seealso:
  - module: meshlab.envoy.envoy_stats
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Read all stats of an Envoy
  meshlab.envoy.envoy_stats_info:
    url: http://127.0.0.1:8001
  register: before

- name: Read some stats of two endpoints
  meshlab.envoy.envoy_stats_info:
    endpoints:
      - {name: edge, url: "unix:///run/envoy/edge.sock"}
      - {name: exporter, url: "http://127.0.0.1:9102/metrics", format: prometheus}
    match:
      - cluster\.service[0-9]+\.upstream_rq_.*
      - statsd_exporter_.*
    sources: [stats, server_info, clusters]
  register: now

- name: Print one of the stats and the state
  ansible.builtin.debug:
    msg: "{{ now.readings.edge.stats['cluster.service1.upstream_rq_total'] }} requests, {{ now.readings.edge.server_info.state }}"
"""

RETURN = r"""
readings:
  description:
    - Readings by endpoint, source and name. The readings of a page in Prometheus' format are in the source C(prometheus), by name and
      labels.
  returned: success
  type: dict
  sample:
    edge:
      stats:
        cluster.service1.upstream_rq_2xx: 20
      server_info:
        state: LIVE
histograms:
  description:
    - Histograms by endpoint and name, each with its count, quantiles and buckets. A quantile of a histogram without samples is null.
    - A bucket is a list of its lower bound, its upper bound and its number of samples. It includes its upper bound, or with
      C(lower_inclusive) its lower bound.
  returned: success
  type: dict
endpoints:
  description: The endpoints, their processes and their failures.
  returned: when endpoints were read
  type: list
  elements: dict
  contains:
    name:
      description: Name of the endpoint.
      type: str
      returned: success
    group:
      description: For a pod, the name of the entry that selects it, otherwise empty.
      type: str
      returned: success
    format:
      description: Format of the endpoint.
      type: str
      returned: success
    ok:
      description: Whether the endpoint was read without a failure.
      type: bool
      returned: success
    state:
      description: Envoy's state, such as V(LIVE).
      type: str
      returned: success
    version:
      description: Envoy's version, such as V(1.40.0).
      type: str
      returned: success
    uptime:
      description: Number of seconds since the process started.
      type: float
      returned: success
    epoch:
      description: Envoy's hot restart epoch.
      type: int
      returned: success
    bytes:
      description: Number of bytes of all response bodies, before decompression.
      type: int
      returned: success
    milliseconds:
      description: Number of milliseconds for all requests to the endpoint.
      type: float
      returned: success
    attempts:
      description: Number of snapshots of the endpoint.
      type: int
      returned: success
    failure:
      description: The kind of failure, empty if there is none.
      type: str
      returned: success
    message:
      description: The failure as a sentence, empty if there is none.
      type: str
      returned: success
snapshot:
  description: The snapshot, for O(meshlab.envoy.envoy_stats#module:since) of M(meshlab.envoy.envoy_stats).
  returned: when endpoints were read
  type: dict
failure:
  description: The kind of the first failure, empty if there is none.
  returned: when endpoints were read
  type: str
elapsed:
  description: Number of seconds for all endpoints.
  returned: when endpoints were read
  type: float
"""

import gc

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_modules.stats_info_options import (
    ARGUMENTS,
    EXCLUSIVE,
    perform,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import end_module
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    allow_kubeconfig_path_in_output,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[EXCLUSIVE],
        required_one_of=[EXCLUSIVE],
        supports_check_mode=True,
    )
    allow_kubeconfig_path_in_output(module)
    gc.freeze()  # a collection would look through the imported modules
    end_module(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
