# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the Envoys of a demo for the live view: one snapshot of all of them, and the record of their deployment."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import expanded_path
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import parse_endpoints
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_pool import (
    EndpointPool,
    Limits,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Selection, Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.read_only_client import ReadOnlyAdminClient

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

TIMEOUT = 5.0  # seconds for one round, with the lookup of pods
LIMITS = Limits(request_timeout=3.0)
_STATS = (
    r"cluster\..+\.upstream_(?:rq_total|rq_5xx|rq_active|rq_time|cx_total|cx_active|cx_connect_fail|cx_rx_bytes_total)",
    r"listener\..+\.(?:downstream_cx_total|downstream_cx_active|downstream_rq_completed|downstream_rq_5xx)",
    r"http\..+\.downstream_(?:rq_time|cx_tx_bytes_total)",
    # Those of a cluster are also counted for each resolution of a name.
    r"(?:listener_manager|cluster_manager|http|listener|sds)\..+\.update_(?:success|rejected)",
)
QUERY = Query(
    {
        "stats": Selection(patterns=tuple(compile_pattern(one, "watch") for one in _STATS), usedonly=True),
        "clusters": Selection(everything=True),
        "listeners": Selection(everything=True),
    },
    histograms=True,
)


@dataclass(frozen=True)
class Reading:
    """One round.

    Attributes:
        snapshot: The snapshot of all Envoys; None if only the record was read.
        deployment: Digest of the record of the deployment. Empty: the deployment is not complete. None: there is none.
    """

    snapshot: Snapshot | None
    deployment: str | None


def envoy_entries(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a plan's endpoints that are Envoys."""
    return [dict(one) for one in plan.get("endpoints") or () if one["format"] == "envoy"]


def deployment_digest(folder: str) -> str | None:
    """Return the digest of the record in a deployment folder: empty while it is not complete, None if nothing is deployed there.

    Raises:
        ConfigRefused: The state file of the folder was modified by another user.
    """
    state = state_file.load(Path(expanded_path(folder)).absolute())
    if not state.files:
        return None
    if not state.complete:
        return ""
    return state_file.sha256(json.dumps([state.files, state.deployed.to_dict()], sort_keys=True).encode())


class DemoReader:
    """Reads the Envoys of a plan, and keeps the connections to them. Use it in one thread, and call `close` at the end.

    Args:
        plan: The plan, of which `endpoints` and `folder` are used.
        access: The access to the cluster of pods.

    Raises:
        ArgumentError: An endpoint is wrong.
    """

    def __init__(self, plan: Mapping[str, Any], access: PodAccess | None = None) -> None:
        self._folder = str(plan["folder"])
        endpoints = parse_endpoints(envoy_entries(plan), cluster=access)
        self._pool = EndpointPool(endpoints, LIMITS, client_type=ReadOnlyAdminClient)
        self._queries = {endpoint.name: QUERY for endpoint in endpoints}
        self._loop = asyncio.new_event_loop()

    def read(self) -> Reading:
        """Return the readings of all Envoys. An Envoy that does not answer has a page with its failure."""
        return Reading(self._loop.run_until_complete(self._snapshot()), self.deployment())

    def deployment(self) -> str | None:
        """Return the digest of the record of the deployment, as `deployment_digest`; empty if this user cannot read it."""
        try:
            return deployment_digest(self._folder)
        except (ConfigRefused, OSError):
            return ""

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        self._loop.close()

    async def _snapshot(self) -> Snapshot:
        deadline = time.monotonic() + TIMEOUT
        await self._pool.find_pods(deadline)
        return await self._pool.snapshot(self._queries, deadline)
