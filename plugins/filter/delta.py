# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: delta
version_added: 0.1.0
short_description: How much the numbers changed between two snapshots
description:
  - The difference of each number of two snapshots, as M(meshlab.envoy.envoy_stats_info) and M(meshlab.envoy.envoy_stats) return them.
  - What the earlier snapshot looked for and did not find was 0 there. What it did not look for is left out, and so are texts and what is
    there no longer.
  - Fails for an endpoint that was restarted in between, since its counters began anew, and for a counter that went back, since it was
    reset.
  - Which numbers are counters is known of a page in Prometheus' format. Envoy's JSON does not say it, so that what went back there may be a
    gauge, and is negative here. C(of=delta) of M(meshlab.envoy.envoy_stats) asks Envoy in such a case, and fails where it is a counter.
  - Whether an endpoint was restarted cannot be told of a snapshot that was taken without C(identify).
positional: earlier
options:
  _input:
    description: The later snapshot.
    type: dict
    required: true
  earlier:
    description: The earlier snapshot.
    type: dict
    required: true
seealso:
  - plugin: meshlab.envoy.quantile
    plugin_type: filter
  - module: meshlab.envoy.envoy_stats_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Say how many requests came since
  ansible.builtin.debug:
    msg: "{{ (after.snapshot | meshlab.envoy.delta(before.snapshot)).edge['http.ingress_http.downstream_rq_total'] }}"
"""

RETURN = r"""
_value:
  description: The differences, by endpoint and by name.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import differences


def delta(later: Any, earlier: Any) -> dict[str, dict[str, int | float]]:
    try:
        return differences(later, earlier)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.delta: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"delta": delta}
