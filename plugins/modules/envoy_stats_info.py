#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_stats_info
version_added: 0.1.0
short_description: Read the numbers that Envoys show
description:
  - Asks any number of Envoy's admin interfaces, or of pages in Prometheus' format, side by side, and returns what they show, typed.
  - Its RV(snapshot) is what M(meshlab.envoy.envoy_stats) counts from.
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
      - Whole names of what to read. With neither this nor O(match), everything.
    type: list
    elements: str
  match:
    description:
      - Regular expressions for whole names of what to read, as RE2 reads them.
    type: list
    elements: str
  sources:
    description:
      - What to ask for. See O(meshlab.envoy.envoy_stats#module:assertions[].source) for what each has.
      - O(stats) and O(match) are for V(stats) only; the others are read as a whole.
    type: list
    elements: str
    choices: [stats, server_info, ready, clusters, listeners, certs, config, runtime]
    default: [stats]
  histograms:
    description: Whether to read histograms, with their buckets.
    type: bool
    default: true
  usedonly:
    description:
      - Whether to leave out what Envoy has never used, all of which is 0 and most of what an Envoy has. O(stats) are read in any case.
      - A difference to such a snapshot counts what is not in it as 0.
      - For an Envoy's admin, and not for other pages.
    type: bool
    default: false
    version_added: 0.1.0
  snapshot_file:
    description:
      - A file on the managed host to write what was read to, in place of returning it. For fleets, whose numbers would be carried to
        the controller and back again. It is replaced as a whole, and only its owner can read it.
      - RV(snapshot) then names the file, and is taken as O(meshlab.envoy.envoy_stats#module:since) like any other, on the same host.
        RV(readings) and RV(histograms) are empty.
      - Not written in check mode, where the result is the same as without it.
    type: path
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

- name: Read a few of two
  meshlab.envoy.envoy_stats_info:
    endpoints:
      - {name: edge, url: "unix:///run/envoy/edge.sock"}
      - {name: exporter, url: "http://127.0.0.1:9102/metrics", format: prometheus}
    match:
      - cluster\.service[0-9]+\.upstream_rq_.*
      - statsd_exporter_.*
    sources: [stats, server_info, clusters]
  register: seen

- name: Show one of them
  ansible.builtin.debug:
    msg: "{{ seen.readings.edge.stats['cluster.service1.upstream_rq_total'] }} requests, {{ seen.readings.edge.server_info.state }}"
"""

RETURN = r"""
readings:
  description:
    - What was read, by endpoint, by source and by name. The stats of an endpoint in Prometheus' format are in the source C(prometheus),
      by name and labels.
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
    - The histograms that were read, by endpoint and by name, each with its count, its quantiles and its buckets. A quantile of a
      histogram without samples is null.
    - A bucket is its lower end, its upper end and how many samples it holds. Its upper end is in it, or its lower end where
      C(lower_inclusive) says so.
  returned: success
  type: dict
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
    group:
      description: Of a pod, the name of the entry that selects it, else empty.
      type: str
      returned: success
    format:
      description: Its format.
      type: str
      returned: success
    ok:
      description: Whether it could be asked and its answers be read.
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
      description: For how many seconds it has been running.
      type: float
      returned: success
    epoch:
      description: Envoy's hot restart epoch.
      type: int
      returned: success
    bytes:
      description: How much came back.
      type: int
      returned: success
    milliseconds:
      description: How long it took.
      type: float
      returned: success
    attempts:
      description: How often it was asked.
      type: int
      returned: success
    failure:
      description: The kind of failure, empty where there was none.
      type: str
      returned: success
    message:
      description: The failure in one sentence.
      type: str
      returned: success
snapshot:
  description: All of it, to be given to M(meshlab.envoy.envoy_stats) as O(meshlab.envoy.envoy_stats#module:since).
  returned: when endpoints were asked
  type: dict
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

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import INFO_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import ENDPOINT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import limits_from
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_ARGS,
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import parse_endpoints, read_stats


def main() -> None:
    module = AnsibleModule(
        argument_spec={**ENDPOINT_ARGS, **CLUSTER_ARGS, **INFO_ARGS},
        mutually_exclusive=[("endpoints", "url")],
        required_one_of=[("endpoints", "url")],
        supports_check_mode=True,
    )
    allow_kubeconfig_path_in_output(module)
    given = module.params
    try:
        result = read_stats(
            parse_endpoints(given["endpoints"], given["url"], given["cluster"]),
            names=given["stats"] or (),
            patterns=given["match"] or (),
            sources=given["sources"],
            histograms=given["histograms"],
            usedonly=given["usedonly"],
            timeout=given["timeout"],
            limits=limits_from(given),
            snapshot_file=None if module.check_mode else given["snapshot_file"],
        )
    except ArgumentError as error:
        module.fail_json(msg=str(error))
    for remark in result.pop("remarks"):
        module.warn(remark)
    if given["strict"] and result["failure"]:
        messages = [f"{one['name']}: {one['message']}" for one in result["endpoints"] if not one["ok"]]
        module.fail_json(msg="\n".join(messages[:20]), **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
