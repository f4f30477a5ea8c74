# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_prometheus
version_added: 0.1.0
short_description: A snapshot as a page in Prometheus' text format
description:
  - Writes the numbers and histograms of a snapshot in Prometheus' text format, for a file that node_exporter's textfile collector reads,
    or to be pushed.
  - The endpoint becomes a label named C(endpoint). A stat's name becomes C(envoy_) and the name with underscores in place of what
    Prometheus does not take; a metric that came in Prometheus' format keeps its name and labels. Where two stats become one name, the
    label C(stat) tells them apart. A label C(endpoint) that a metric has is called C(exported_endpoint).
  - Envoy's JSON does not say what is a counter and what is a gauge, so its numbers are untyped.
options:
  _input:
    description: The snapshot, as M(meshlab.envoy.envoy_stats_info) and M(meshlab.envoy.envoy_stats) return it.
    type: dict
    required: true
seealso:
  - module: meshlab.envoy.envoy_stats_info
author:
  - meshlab.envoy contributors (@meshlab)
"""

EXAMPLES = r"""
- name: Keep the numbers of this test where node_exporter finds them
  ansible.builtin.copy:
    content: "{{ after.snapshot | meshlab.envoy.to_prometheus }}"
    dest: /var/lib/node_exporter/envoy.prom
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import page_in_prometheus


def to_prometheus(snapshot: Any) -> str:
    try:
        return page_in_prometheus(snapshot)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.to_prometheus: {error}") from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"to_prometheus": to_prometheus}
