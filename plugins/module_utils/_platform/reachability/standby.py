# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The standby endpoint of a cluster: the address of a service that Envoy uses while name resolution returns no instance of it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import CLUSTER, snake_case_fields
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout

# Fields of Cluster by which an author decides which hosts Envoy uses, or how it finds them.
OWN_HOSTS = frozenset(
    (
        "type",
        "cluster_type",
        "load_assignment",
        "health_checks",
        "outlier_detection",
        "common_lb_config",
        "lb_subset_config",
    )
)


class StandbyLayout(Layout, ABC):
    """A layout whose names resolve to running instances at once, so that a cluster needs no standby endpoint."""

    def standby_address(self, spec: Mapping[str, Any], proxy: Proxy, where: str) -> Address | None:
        """Return the address of the standby endpoint of a cluster of `proxy`; None if it has none."""
        del spec, proxy, where
        return None


def can_have_standby(spec: Mapping[str, Any]) -> bool:
    """Return whether a standby endpoint changes nothing in a cluster while its hosts are found.

    Args:
        spec: A cluster of the demo.
    """
    return bool(spec["to"]) and not OWN_HOSTS & snake_case_fields(spec["cluster"] or {}, CLUSTER).keys()
