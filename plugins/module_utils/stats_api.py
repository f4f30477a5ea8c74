# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public interface for reading and asserting Envoy's stats from Python. It needs the standard library only, and no Ansible.

Read, send traffic, then wait until the difference is as expected:

    from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
        parse_assertions,
        parse_endpoints,
        required_queries,
        scrape,
        wait_for,
    )

    endpoints = parse_endpoints([{"name": "edge", "url": "unix:///run/envoy/admin.sock"}])
    assertions = parse_assertions([{"stat": "http.in.downstream_rq_2xx", "of": "delta", "op": "eq", "value": 20}])

    before = scrape(endpoints, required_queries(assertions, endpoints))
    send_traffic()
    outcome = wait_for(endpoints, assertions, since=before, timeout=30)
    print(outcome.ok, outcome.message)

Functions:

- `parse_endpoints` and `parse_assertions` read plain data, in the form of the options of the module envoy_stats.
- `scrape` reads endpoints once, and `required_queries` returns what assertions need of them.
- `wait_for` reads endpoints and evaluates assertions until all hold or the time is over.
- `read_stats` reads endpoints once and returns plain data, as the module envoy_stats_info does.
- `read_snapshot`, `load_snapshot` and `write_snapshot` convert snapshots from and to data and files. `Snapshot.as_data()` and
  `Outcome.as_data()` return data for JSON.
- `read_hosts`, `read_hosts_since` and `evaluate_hosts` evaluate assertions about the snapshots of several hosts.

Errors: an option that is wrong raises `ArgumentError`, a `ValueError` whose text is `where: what is wrong. What to do.` An endpoint that
cannot be read raises nothing. Its page has a `Failure`, whose `kind` is one of `KINDS`, and the assertions about it fail with it.

This module is the only public one of this collection's module_utils. Its names follow semantic versioning; all other modules can change
at any time.
"""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import Assertion
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.multi_host import (
    evaluate_hosts,
    read_hosts,
    read_hosts_since,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import Outcome
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stat_selection import (
    required_queries,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.stats_info import read_stats
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.wait import wait_for
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import Limits
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.scrape import scrape
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import KINDS, Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import EVERYTHING, Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    Identity,
    Page,
    Samples,
    Selection,
    Snapshot,
    read_snapshot,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_file import (
    load_snapshot,
    write_snapshot,
)

__all__ = [
    "EVERYTHING",
    "KINDS",
    "ArgumentError",
    "Assertion",
    "Endpoint",
    "Failure",
    "Identity",
    "Limits",
    "Outcome",
    "Page",
    "Query",
    "Samples",
    "Selection",
    "Snapshot",
    "Verdict",
    "evaluate_hosts",
    "load_snapshot",
    "parse_assertions",
    "parse_endpoints",
    "read_hosts",
    "read_hosts_since",
    "read_snapshot",
    "read_stats",
    "required_queries",
    "scrape",
    "wait_for",
    "write_snapshot",
]
