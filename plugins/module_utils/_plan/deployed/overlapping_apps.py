# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other ports for the applications whose new generation starts while the previous one still listens."""

from __future__ import annotations

from ansible_collections.meshlab.envoy.plugins.module_utils._plan.deployed.start_digest import start_digest
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.service import plan_instance
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform


def move_changed_apps(platform: Platform) -> None:
    """Choose other ports for the applications that differ from the record, before anything with their ports is planned.

    An application whose new generation overlaps with the previous one is planned with the ports of the record first. So its digest
    differs exactly if something else than its ports changed.
    """
    recorded = platform.context.deployed.workloads
    if not recorded:
        return
    platform.move_ports(
        [
            instance
            for name in platform.demo["services"]
            for instance in platform.instances(name)
            if instance.name in recorded and platform.service_replacement(instance) == "overlap"
            for workload in platform.complete_workloads([plan_instance(instance, platform)[0]])
            if start_digest(workload, platform.unused_fields) != recorded[instance.name].digest
        ]
    )
