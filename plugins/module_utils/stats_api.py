# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stats layer for those who build on it: everything here stays as it is, the other files may change.

    endpoints = parse_endpoints([{"name": "edge", "url": "unix:///run/envoy/admin.sock"}])
    assertions = parse_assertions([{"stat": "cluster.web.upstream_rq_2xx", "of": "delta", "op": "eq", "value": 20}])

    before = scrape(endpoints, required_queries(assertions, endpoints))    # a Snapshot; before.as_data() is JSON-able
    …                                                               # the traffic
    outcome = wait_for(endpoints, assertions, since=before, wait=True, timeout=30, sleep=0.5)
    outcome.ok, outcome.message, outcome.as_data()

What cannot be meant raises SpecError, a ValueError whose text names the key and says what to do. An endpoint that cannot be asked raises
nothing: its page has a failure, and the assertions about it fail with that. Nothing here knows Ansible.
"""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_options import (
    ASSERTION_ARGS,
    ASSERTION_OPTIONS,
    INFO_ARGS,
    WAIT_ARGS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.multi_host import (
    evaluate_hosts,
    read_hosts,
    read_hosts_since,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import Outcome, endpoints_data
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_info import read_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import (
    wait_for,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, pick
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_options import (
    ENDPOINT_ARGS,
    ENDPOINT_OPTIONS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    Limits,
    limits_from,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import scrape
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import KINDS, Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import (
    EVERYTHING,
    Query,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Page,
    Selection,
    Snapshot,
    read_snapshot,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import (
    load_snapshot,
    write_snapshot,
)

__all__ = [
    "ASSERTION_ARGS",
    "ASSERTION_OPTIONS",
    "ENDPOINT_ARGS",
    "ENDPOINT_OPTIONS",
    "EVERYTHING",
    "INFO_ARGS",
    "KINDS",
    "WAIT_ARGS",
    "Assertion",
    "Endpoint",
    "Failure",
    "Limits",
    "Outcome",
    "Page",
    "Query",
    "Selection",
    "Snapshot",
    "SpecError",
    "Verdict",
    "endpoints_data",
    "evaluate_hosts",
    "limits_from",
    "load_snapshot",
    "parse_assertions",
    "parse_endpoints",
    "pick",
    "read_hosts",
    "read_hosts_since",
    "read_snapshot",
    "read_stats",
    "required_queries",
    "scrape",
    "wait_for",
    "write_snapshot",
]
