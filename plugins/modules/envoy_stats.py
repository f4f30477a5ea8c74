#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module envoy_stats."""

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_stats
version_added: 0.1.0
short_description: Assert the stats of Envoy
description:
  - Reads the admin interfaces of any number of Envoys, pages in the Prometheus text format, or Prometheus servers, and evaluates
    assertions about what they show.
  - An assertion compares a value, the difference or the rate since an earlier snapshot, a ratio, or a quantile of a histogram, for each
    endpoint or across all of them. It can also compare the state of Envoy, the health of clusters, or the days that certificates are
    still valid.
  - Fails if an assertion fails. The message has one line for each of them, with the expected and the actual value.
  - Requires only the standard library of Python on the managed host.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.assertion_module
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.endpoints
  - meshlab.envoy.cluster
  - meshlab.envoy.assertions
  - meshlab.envoy.assertions.wait
options:
  identify:
    description:
      - Whether to read which process answers, for RV(endpoints[].version) and RV(endpoints[].state). This takes a second request for each
        endpoint and evaluation. An assertion that starts from O(since) reads it in any case.
    type: bool
    default: true
  usedonly:
    description:
      - Whether Envoy leaves out the stats that it has never used, all of which are 0. Responses are then smaller.
      - The default is V(true) where it changes no number, which is where all assertions about an endpoint are sums
        (O(assertions[].across=sum)) over patterns (O(assertions[].match)) without O(assertions[].over), and V(false) otherwise.
      - With V(true), V(each), V(min), V(avg), V(spread) and V(count) are those of the used stats.
      - A stat that O(assertions[].stat) names is read in any case. For V(present) and V(absent), and for the Prometheus format, all stats
        are read.
    type: bool
    version_added: 0.1.0
  snapshots:
    description:
      - Snapshots of several managed hosts, instead of O(endpoints). A dictionary with the name of each host, and with the registered result
        of a task of this module or of M(meshlab.envoy.envoy_stats_info) on that host, the C(snapshot) in it, or the path of a file with one
        on the host that runs this task.
      - For a task that runs once, on the controller, and evaluates assertions across all hosts. It sends no request, so O(wait) is not
        possible.
      - The endpoints have the names C(host/endpoint), such as C(web1/envoy). For example, O(assertions[].endpoint=web1/*) selects all
        endpoints of a host. A host without a snapshot is an endpoint with the host's name that could not be read, and every pattern that
        can match one of its endpoints selects it.
      - O(since) is then a dictionary of the same form, or the C(snapshot) that such a task returned.
      - Each snapshot has to include what an assertion is about. For O(assertions[].match), that is the same pattern, or everything.
    type: dict
    version_added: 0.1.0
notes:
  - On the controller itself the action plugin runs the module in Ansible's process, except with C(become), C(async) or C(environment).
seealso:
  - module: meshlab.envoy.envoy_stats_info
  - plugin: meshlab.envoy.delta
    plugin_type: filter
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Check that Envoy is live
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:9901
    assertions:
      - {source: server_info, stat: state, op: eq, value: LIVE}

- name: Read the stats before the requests
  meshlab.envoy.envoy_stats_info:
    url: http://127.0.0.1:9901
  register: before

- name: Send 20 requests
  ansible.builtin.uri:
    url: http://127.0.0.1:8080/service/1
  loop: "{{ range(20) | list }}"

- name: Check that Envoy counted 20 requests, no error, and a p99 below 50 ms
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:9901
    since: "{{ before }}"
    assertions:
      - {stat: cluster.service1.upstream_rq_2xx, of: delta, op: eq, value: 20}
      - {match: 'cluster\..*\.upstream_rq_5xx', of: delta, across: sum, op: eq, value: 0}
      - {stat: http.ingress_http.downstream_rq_time, of: delta, quantile: 0.99, op: lt, value: 50}
    wait: true
    timeout: 10

- name: Check that a tenth of the requests went to the canary
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:9901
    since: "{{ before }}"
    assertions:
      - stat: cluster.v2.upstream_rq_total
        over: http.ingress_http.downstream_rq_total
        of: delta
        op: eq
        value: 0.1
        tolerance: binomial

- name: Check the share of errors with the labels of the Prometheus format
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:9901
    assertions:
      - stat: envoy_cluster_upstream_rq_xx
        labels: {envoy_cluster_name: shop, envoy_response_code_class: "5"}
        over: envoy_cluster_upstream_rq_completed
        default: 0
        op: le
        value: 0.01

- name: Check two sidecars, one of them in a container, and an exporter
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: s1, url: "unix:///run/envoy/s1.sock"}
      - {name: s2, container: front_proxy-service2-1, url: "http://127.0.0.1:9901"}
      - {name: exporter, url: "http://127.0.0.1:9102/metrics", format: prometheus}
    assertions:
      - name: both sidecars get requests evenly
        stat: cluster.app.upstream_rq_total
        across: spread
        op: le
        value: 0.2
      - {source: clusters, stat: app.healthy, op: eq, value: 1}
      - {source: certs, match: 'chain\..*\.days_left', op: ge, value: 14}
      - {stat: cluster.app.upstream_rq_5xx, over: cluster.app.upstream_rq_total, default: 0, op: lt, value: 0.01}
      - {endpoint: exporter, stat: statsd_exporter_events_unmapped_total, op: eq, value: 0}
    wait: true

- name: Check that the pods of a Deployment get requests evenly
  meshlab.envoy.envoy_stats:
    cluster: {context: kind-lab, namespace: shop}
    endpoints:
      - {name: web, selector: "app=web", container: envoy}
    assertions:
      - {endpoint: web, stat: http.ingress_http.downstream_rq_total, across: sum, op: eq, value: 100}
      - {endpoint: web, stat: http.ingress_http.downstream_rq_total, across: spread, op: le, value: 0.2}
    wait: true

- name: Read the stats of each host's own Envoy
  meshlab.envoy.envoy_stats_info:
    url: http://127.0.0.1:9901
    match: ['cluster\.app\..*']
    strict: false
  register: after

- name: Check that the hosts get requests evenly
  meshlab.envoy.envoy_stats:
    snapshots: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'after'))) }}"
    assertions:
      - {stat: cluster.app.upstream_rq_total, across: spread, op: le, value: 0.2}
      - {stat: cluster.app.upstream_rq_total, across: sum, op: ge, value: 100}
  run_once: true
  delegate_to: localhost

- name: Check a Prometheus server that scrapes the Envoys
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: prometheus, url: "http://127.0.0.1:9090", format: promql}
    assertions:
      - {promql: 'sum(rate(envoy_cluster_upstream_rq_total[1m]))', op: ge, value: 100}
      - {promql: 'up{job="envoy"}', op: eq, value: 1}
    wait: true

- name: Check that Prometheus has the number that Envoy shows
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: edge, url: "http://127.0.0.1:9901"}
      - {name: prometheus, url: "http://127.0.0.1:9090", format: promql}
    assertions:
      - promql: 'envoy_cluster_upstream_rq_total{job="envoy", envoy_cluster_name="shop"}'
        op: eq
        value: {endpoint: edge, stat: cluster.shop.upstream_rq_total}
    wait: true
"""

RETURN = r"""
msg:
  description: How many assertions hold, or one line for each that fails, at most 20.
  returned: always
  type: str
  sample: "expected 20, got 19 (delta of cluster.service1.upstream_rq_2xx at edge) after 5.0 s"
assertions:
  description: One entry for each of O(assertions), in their order, with the same keys on success and on failure.
  returned: when endpoints were read
  type: list
  elements: dict
  contains:
    ok:
      description: Whether the assertion holds.
      type: bool
      returned: success
    name:
      description: Its O(assertions[].name).
      type: str
      returned: success
    source:
      description: The source that it reads.
      type: str
      returned: success
    stat:
      description: Its stat or pattern, or its labels if it has neither.
      type: str
      returned: success
    endpoint:
      description: The first endpoint that it fails for, or the endpoints that it holds for.
      type: str
      returned: success
    endpoints:
      description: The endpoints that it is about.
      type: list
      elements: str
      returned: success
    of:
      description: Its O(assertions[].of).
      type: str
      returned: success
    across:
      description: Its O(assertions[].across).
      type: str
      returned: success
    op:
      description: Its O(assertions[].op).
      type: str
      returned: success
    expected:
      description: Its O(assertions[].value), or the number that was read if the value is another stat.
      type: raw
      returned: success
    observed:
      description: The last value. With O(assertions[].across=each), the first value that does not fit. Null if there is no value.
      type: raw
      returned: success
    error:
      description: The maximum error of RV(assertions[].observed) if it is from a histogram's buckets, otherwise null.
      type: float
      returned: success
    accepted:
      description:
        - The lowest and the highest number that holds. Null in place of a number is no limit.
        - Null for operators and values without a range, such as text.
      type: list
      elements: float
      returned: success
      sample: [20, 20]
    texts:
      description: The parts of RV(assertions[].message) as texts - C(subject), C(expected) and C(observed).
      type: dict
      returned: success
      sample: {subject: delta of cluster.web.upstream_rq_200 at edge, expected: "20", observed: "19"}
    failure:
      description:
        - The kind of failure, empty if the assertion holds. One of V(unreachable), V(timeout), V(http_status), V(unparsable),
          V(too_large), V(absent), V(restarted) and V(comparison).
      type: str
      returned: success
    message:
      description: The expected and the actual value in one line.
      type: str
      returned: success
      sample: "expected 20, got 19 (delta of cluster.service1.upstream_rq_2xx at edge) after 5.0 s"
    readings:
      description: The values of single stats, up to 20, those that do not fit first.
      type: list
      elements: dict
      returned: success
endpoints:
  description: One entry for each endpoint that was read, from the last evaluation.
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
      description: Whether the endpoint answered and its response could be used.
      type: bool
      returned: success
    state:
      description: State of Envoy, such as V(LIVE).
      type: str
      returned: success
    version:
      description: Version of Envoy, such as V(1.40.0).
      type: str
      returned: success
    uptime:
      description: Number of seconds since the process started.
      type: float
      returned: success
    epoch:
      description: Hot restart epoch of Envoy.
      type: int
      returned: success
    bytes:
      description: Size of the responses in bytes.
      type: int
      returned: success
    milliseconds:
      description: Duration of the requests in milliseconds.
      type: float
      returned: success
    attempts:
      description: How often the endpoint was read.
      type: int
      returned: success
    failure:
      description: The kind of failure, empty if there is none.
      type: str
      returned: success
    message:
      description: The failure in one sentence.
      type: str
      returned: success
snapshot:
  description:
    - The selected stats of the last evaluation. A later task takes it as O(since).
    - With O(snapshot_file), its C(file) is the path that it was written to.
  returned: when endpoints were read
  type: dict
failure:
  description: The kind of the first failure, empty if all assertions hold.
  returned: when endpoints were read
  type: str
elapsed:
  description: Duration of the task in seconds.
  returned: when endpoints were read
  type: float
attempts:
  description: How often the assertions were evaluated.
  returned: when endpoints were read
  type: int
"""

import gc

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._common.python_version import (
    require_supported_python,
)

require_supported_python()

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_modules.stats_options import (
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
    gc.freeze()  # without it, garbage collection of the imported modules takes a fifth of the time for a fleet
    end_module(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
