# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: quantile
version_added: 0.1.0
short_description: A quantile of a histogram in a snapshot
description:
  - Reads a quantile from the buckets of a histogram, in a snapshot that M(meshlab.envoy.envoy_stats_info) returned.
  - Of all endpoints that have the histogram together, or of one of them.
positional: quantile, stat
options:
  _input:
    description: The snapshot.
    type: dict
    required: true
  quantile:
    description: A share from V(0) to V(1).
    type: float
    required: true
  stat:
    description: The histogram's name.
    type: str
    required: true
  endpoint:
    description: The endpoint whose samples count. By default those of all of them.
    type: str
  since:
    description: An earlier snapshot. Only the samples that came after it count then.
    type: dict
seealso:
  - plugin: meshlab.envoy.delta
    plugin_type: filter
  - module: meshlab.envoy.envoy_stats_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Say how long the slowest hundredth of this test's requests took
  ansible.builtin.debug:
    msg: "{{ after.snapshot | meshlab.envoy.quantile(0.99, 'http.ingress_http.downstream_rq_time', since=before.snapshot) }} ms"
"""

RETURN = r"""
_value:
  description: The quantile, or null where no sample was counted.
  type: float
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.module_utils._readings import snapshot_diff


def quantile(
    snapshot: Any, quantile: Any, stat: str, endpoint: str | None = None, since: Any = None
) -> float | None:
    try:
        return snapshot_diff.quantile(snapshot, quantile, stat, endpoint, since)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.quantile: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"quantile": quantile}
