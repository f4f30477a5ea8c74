# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_prometheus
version_added: 0.1.0
short_description: A snapshot as a page in Prometheus' text format
description:
  - Returns the numbers and histograms of a snapshot in Prometheus' text format, for the textfile collector of node_exporter or for a push.
  - The name of the endpoint becomes the label C(endpoint). The name of a stat becomes C(envoy_) and the name, with an underscore for each
    character that Prometheus does not allow. A metric from a page in Prometheus' format keeps its name and labels; its label C(endpoint)
    becomes C(exported_endpoint). If two stats get the same name, the label C(stat) contains their original names.
  - The numbers of Envoy's JSON are untyped, because that format does not distinguish counters from gauges.
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
- name: Write the numbers of this test for node_exporter
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

from ansible_collections.meshlab.envoy.plugins.plugin_utils._cached_imports import plugin_imports

with plugin_imports():
    from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot_diff import prometheus_page


def to_prometheus(snapshot: Any) -> str:
    """Return a snapshot as a page in Prometheus' text format."""
    try:
        return prometheus_page(snapshot)
    except ValueError as error:
        raise AnsibleFilterError(f"meshlab.envoy.to_prometheus: {error}") from error


class FilterModule:
    """The filter, in the form that Ansible loads."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by its name."""
        return {"to_prometheus": to_prometheus}
