# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: delta
version_added: 0.1.0
short_description: The differences of the numbers of two snapshots
description:
  - Returns the difference of each number of two snapshots of M(meshlab.envoy.envoy_stats_info) or M(meshlab.envoy.envoy_stats).
  - A number that the earlier snapshot queried but did not contain counts as 0 in it. The result omits texts, numbers that the earlier
    snapshot did not query, and numbers that the later snapshot does not contain.
  - Fails for an endpoint that was restarted between the snapshots, because its counters restarted at 0, and for a counter that decreased,
    because it was reset.
  - A page in Prometheus' format has the type of each number. Envoy's JSON has no types, so a number that decreased there may be a gauge,
    and its difference is negative. C(of=delta) of M(meshlab.envoy.envoy_stats) queries the type in such a case, and fails for a counter.
  - The filter cannot detect a restart of an endpoint whose snapshot was taken without C(identify).
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
- name: Print the number of requests between two snapshots
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

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import differences


def delta(later: Any, earlier: Any) -> dict[str, dict[str, int | float]]:
    """Return the differences of two snapshots, by endpoint and name."""
    try:
        return differences(later, earlier)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.delta: {error}") from error


class FilterModule:
    """The filter, in the form that Ansible loads."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by its name."""
        return {"delta": delta}
