# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: quantile
version_added: 0.1.0
short_description: A quantile of a histogram in a snapshot
description:
  - Computes a quantile from the buckets of a histogram in a snapshot of M(meshlab.envoy.envoy_stats_info).
  - Combines the samples of all endpoints that have the histogram, or uses those of one endpoint.
positional: quantile, stat
options:
  _input:
    description: The snapshot.
    type: dict
    required: true
  quantile:
    description: The quantile to compute, from V(0) to V(1).
    type: float
    required: true
  stat:
    description: Name of the histogram.
    type: str
    required: true
  endpoint:
    description: Name of the endpoint whose samples are used. By default the samples of all endpoints.
    type: str
  since:
    description: An earlier snapshot. With it, only samples after that snapshot are used.
    type: dict
seealso:
  - plugin: meshlab.envoy.delta
    plugin_type: filter
  - module: meshlab.envoy.envoy_stats_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Print the 99th percentile of the response times of this test
  ansible.builtin.debug:
    msg: "{{ after.snapshot | meshlab.envoy.quantile(0.99, 'http.ingress_http.downstream_rq_time', since=before.snapshot) }} ms"
"""

RETURN = r"""
_value:
  description: The quantile, or null without samples.
  type: float
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._readings import snapshot_diff


def quantile(
    snapshot: Any, quantile: Any, stat: str, endpoint: str | None = None, since: Any = None
) -> float | None:
    """Return a quantile of a histogram, or None without samples."""
    try:
        return snapshot_diff.quantile(snapshot, quantile, stat, endpoint, since)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.quantile: {error}") from error


class FilterModule:
    """The filter, in the form that Ansible loads."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by its name."""
        return {"quantile": quantile}
