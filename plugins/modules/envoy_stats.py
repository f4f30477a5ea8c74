#!/usr/bin/python
# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: envoy_stats
version_added: 0.1.0
short_description: Assert on the numbers that Envoys show
description:
  - Asks any number of Envoy's admin interfaces, or of pages in Prometheus' format, side by side, and holds typed expectations against
    what they show.
  - Counts, differences to an earlier snapshot, rates, sums and spreads across endpoints, ratios, quantiles of histograms, and what else
    the admin tells (its state, the health of clusters, the days that certificates have left) are expected in the same form.
  - Fails where an expectation does not hold, with one sentence for each that says which stat, where, what was expected, what was seen
    last and after how long.
  - Needs nothing but Python's standard library on the host that it runs on.
extends_documentation_fragment:
  - meshlab.envoy.attributes
  - meshlab.envoy.attributes.assertion_module
  - meshlab.envoy.attributes.action_group
  - meshlab.envoy.endpoints
  - meshlab.envoy.cluster
  - meshlab.envoy.endpoints.assertions
  - meshlab.envoy.endpoints.wait
options:
  identify:
    description:
      - Whether to ask each Envoy which process it is, for RV(endpoints[].version) and RV(endpoints[].state). Costs a second question
        per endpoint and look. Asked in any case for what counts from O(since).
    type: bool
    default: true
  usedonly:
    description:
      - Whether Envoy is to leave out the stats that it has never used, all of which are 0, so that less travels and is read.
      - By default this is done where it changes no number, which is where all that an endpoint is asked for is patterns
        (O(assertions[].match)) to be summed (O(assertions[].across=sum)), without O(assertions[].over).
      - V(true) does it for all patterns. V(each), V(min), V(avg), V(spread) and V(count) are then those of what was used.
      - A stat that is named in whole is never taken for missing because of this. Where it did not come, it is asked for by itself. Nor
        is anything left out for V(present) and V(absent), or of pages in Prometheus' format.
    type: bool
    version_added: 0.1.0
  snapshots:
    description:
      - What was seen on several managed hosts, in place of O(endpoints). A dictionary of the hosts' names, each with the C(snapshot) that
        a task of this module or of M(meshlab.envoy.envoy_stats_info) registered there, the whole result of that task, or the path of a
        file with one, on the host that this task runs on.
      - For a task that runs once, on the controller, and holds all hosts together to what is expected. Nothing is asked, so O(wait)
        does not go with it.
      - The endpoints are named C(host/endpoint), such as C(web1/envoy), so that O(assertions[].endpoint) picks a host's by V(web1/*).
        A host that has no snapshot is an endpoint that could not be asked, with the host's name. It is meant wherever one of its
        endpoints may be, as by V(*/envoy).
      - O(since) is then a dictionary of the same form, or the C(snapshot) that such a task returned.
      - A snapshot has to have been taken of what is expected here, or of everything. Of a pattern, that is the same pattern.
    type: dict
    version_added: 0.1.0
seealso:
  - module: meshlab.envoy.envoy_stats_info
  - plugin: meshlab.envoy.delta
    plugin_type: filter
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Remember the numbers
  meshlab.envoy.envoy_stats_info:
    url: http://127.0.0.1:8001
  register: before

- name: Send 20 requests
  ansible.builtin.uri:
    url: http://127.0.0.1:8080/service/1
  loop: "{{ range(20) | list }}"

- name: 20 were sent, 20 were counted
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:8001
    since: "{{ before.snapshot }}"
    assertions:
      - {stat: cluster.service1.upstream_rq_2xx, of: delta, op: eq, value: 20}
      - {match: 'cluster\..*\.upstream_rq_5xx', of: delta, across: sum, op: eq, value: 0}
      - {stat: http.ingress_http.downstream_rq_time, of: delta, quantile: 0.99, op: lt, value: 50}
    wait: true
    timeout: 10

- name: A tenth of what came since goes to the canary, as far as chance allows
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:8001
    since: "{{ before.snapshot }}"
    assertions:
      - stat: cluster.v2.upstream_rq_total
        over: http.ingress_http.downstream_rq_total
        of: delta
        op: eq
        value: 0.1
        tolerance: binomial

- name: Hardly anything that the shop answers is an error, told by Envoy's own labels
  meshlab.envoy.envoy_stats:
    url: http://127.0.0.1:8001
    assertions:
      - stat: envoy_cluster_upstream_rq_xx
        labels: {envoy_cluster_name: shop, envoy_response_code_class: "5"}
        over: envoy_cluster_upstream_rq_completed
        default: 0
        op: le
        value: 0.01

- name: Two sidecars, one of them in a container, and an exporter
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: s1, url: "unix:///run/envoy/s1.sock"}
      - {name: s2, container: front_proxy-service2-1, url: "http://127.0.0.1:8001"}
      - {name: exporter, url: "http://127.0.0.1:9102/metrics", format: prometheus}
    assertions:
      - name: both sidecars share the work
        stat: cluster.app.upstream_rq_total
        across: spread
        op: le
        value: 0.2
      - {source: server_info, stat: state, op: eq, value: LIVE}
      - {source: clusters, stat: app.healthy, op: eq, value: 1}
      - {source: certs, match: 'chain\..*\.days_left', op: ge, value: 14}
      - {stat: cluster.app.upstream_rq_5xx, over: cluster.app.upstream_rq_total, default: 0, op: lt, value: 0.01}
      - {endpoint: exporter, stat: statsd_exporter_events_unmapped_total, op: eq, value: 0}
    wait: true

- name: All pods of a Deployment share the work, whatever their names are
  meshlab.envoy.envoy_stats:
    cluster: {context: kind-lab, namespace: shop}
    endpoints:
      - {name: web, selector: "app=web", container: envoy}
    assertions:
      - {endpoint: web, stat: http.ingress_http.downstream_rq_total, across: sum, op: eq, value: 100}
      - {endpoint: web, stat: http.ingress_http.downstream_rq_total, across: spread, op: le, value: 0.2}
    wait: true

- name: Each host asks its own Envoy
  meshlab.envoy.envoy_stats_info:
    url: http://127.0.0.1:8001
    match: ['cluster\.app\..*']
    strict: false
  register: seen

- name: The hosts share the work, and none failed
  meshlab.envoy.envoy_stats:
    snapshots: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'seen'))) }}"
    assertions:
      - {stat: cluster.app.upstream_rq_total, across: spread, op: le, value: 0.2}
      - {stat: cluster.app.upstream_rq_total, across: sum, op: ge, value: 100}
  run_once: true
  delegate_to: localhost

- name: What the monitoring that is there anyway makes of it
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: prometheus, url: "http://127.0.0.1:9090", format: promql}
    assertions:
      - {promql: 'sum(rate(envoy_cluster_upstream_rq_total[1m]))', op: ge, value: 100}
      - {promql: 'up{job="envoy"}', op: eq, value: 1}
    wait: true

- name: What it holds is what Envoy says itself, to the request
  meshlab.envoy.envoy_stats:
    endpoints:
      - {name: edge, url: "http://127.0.0.1:8001"}
      - {name: prometheus, url: "http://127.0.0.1:9090", format: promql}
    assertions:
      - promql: 'envoy_cluster_upstream_rq_total{job="envoy", envoy_cluster_name="shop"}'
        op: eq
        value: {endpoint: edge, stat: cluster.shop.upstream_rq_total}
    wait: true
"""

RETURN = r"""
assertions:
  description: What came out of each of O(assertions), in their order. Returned whether they hold or not.
  returned: when endpoints were asked
  type: list
  elements: dict
  contains:
    ok:
      description: Whether it holds.
      type: bool
      returned: success
    name:
      description: Its O(assertions[].name).
      type: str
      returned: success
    source:
      description: What was looked at.
      type: str
      returned: success
    stat:
      description: The stat, or the pattern, or the labels where there is neither.
      type: str
      returned: success
    endpoint:
      description: Where it was seen first that it does not hold; otherwise where was looked.
      type: str
      returned: success
    endpoints:
      description: All endpoints that it is about.
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
      description: Its O(assertions[].value); of what another stat reads, the number that was read.
      type: raw
      returned: success
    observed:
      description: What was seen last; of several that are compared one by one, the first that does not fit. Null where nothing was.
      type: raw
      returned: success
    error:
      description: How far off RV(assertions[].observed) may be, as it was read from a histogram's buckets. Null for other numbers.
      type: float
      returned: success
    failure:
      description:
        - Which kind of failure it was, empty where it holds. One of V(unreachable), V(timeout), V(http_status), V(unparsable),
          V(too_large), V(absent), V(restarted) and V(comparison).
      type: str
      returned: success
    message:
      description: All of it in one sentence.
      type: str
      returned: success
      sample: "cluster.service1.upstream_rq_2xx at edge: expected delta eq 20, saw 19 after 5.0 s"
    readings:
      description: The single readings, those that do not fit first, at most 20.
      type: list
      elements: dict
      returned: success
endpoints:
  description: What was asked, and how it went at the last look.
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
  description:
    - What was seen last of the selected stats, to be given to a later task as O(since).
    - With O(snapshot_file), its C(file) is where that was written.
  returned: when endpoints were asked
  type: dict
failure:
  description: The kind of the first failure, empty where all holds.
  returned: when endpoints were asked
  type: str
elapsed:
  description: How many seconds it took.
  returned: when endpoints were asked
  type: float
attempts:
  description: How often was looked.
  returned: when endpoints were asked
  type: int
"""

import gc
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import (
    ASSERTION_ARGS,
    WAIT_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import ENDPOINT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import limits_from
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_options import (
    CLUSTER_ARGS,
    allow_kubeconfig_path_in_output,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Outcome,
    evaluate_hosts,
    load_snapshot,
    parse_assertions,
    parse_endpoints,
    read_hosts,
    read_hosts_since,
    required_queries,
    wait_for,
    write_snapshot,
)


def look(given: dict[str, Any]) -> Outcome:
    endpoints = parse_endpoints(given["endpoints"], given["url"], given["cluster"])
    assertions = parse_assertions(given["assertions"])
    since = given["since"]
    if since is not None:
        since = load_snapshot(since, required_queries(assertions, endpoints))
    return wait_for(
        endpoints,
        assertions,
        since=since,
        wait=given["wait"],
        timeout=given["timeout"],
        sleep=given["sleep"],
        limits=limits_from(given),
        identity=given["identify"],
        usedonly=given["usedonly"],
    )


def look_at_hosts(given: dict[str, Any]) -> Outcome:
    if given["wait"]:
        raise ArgumentError(
            "snapshots do not change, so there is nothing to wait for: wait on each host, when they are taken"
        )
    assertions = parse_assertions(given["assertions"])
    since = None if given["since"] is None else read_hosts_since(given["since"])
    return evaluate_hosts(assertions, read_hosts(given["snapshots"]), since)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ENDPOINT_ARGS,
            **CLUSTER_ARGS,
            **ASSERTION_ARGS,
            **WAIT_ARGS,
            "identify": {"type": "bool", "default": True},
            "snapshots": {"type": "dict"},
            "usedonly": {"type": "bool"},
        },
        mutually_exclusive=[("endpoints", "url", "snapshots")],
        required_one_of=[("endpoints", "url", "snapshots")],
        supports_check_mode=True,
    )
    allow_kubeconfig_path_in_output(module)
    given = module.params
    gc.freeze()  # all that was imported stays: going through it again and again costs a fleet a fifth of its time
    try:
        outcome = look_at_hosts(given) if given["snapshots"] is not None else look(given)
        for remark in outcome.remarks:
            module.warn(remark)
    except ArgumentError as error:
        module.fail_json(msg=str(error))
    written = None
    if given["snapshot_file"] and not module.check_mode:
        try:
            written = write_snapshot(given["snapshot_file"], outcome.snapshot)
        except ArgumentError as error:  # what came out of the assertions is not lost with it
            module.fail_json(msg=f"{error}\n{outcome.message}", changed=False, **outcome.as_data({}))
    result = {"changed": False, "msg": outcome.message, **outcome.as_data(written)}
    if outcome.ok:
        module.exit_json(**result)
    module.fail_json(**result)


if __name__ == "__main__":
    main()
