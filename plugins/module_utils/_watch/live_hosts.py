# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of the clusters of a running demo, as its Envoys see them. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page

_HEALTHY, _EJECTED = ".healthy", ".ejected"


class LiveHost(TypedDict):
    """One host of a cluster. Envoys can disagree about it: it is healthy if all of them send it requests.

    Attributes:
        address: Address of the host.
        healthy: Whether Envoy sends it requests.
        ejected: Whether outlier detection ejected it.
        requests: Requests to it since the start of the Envoys.
        active: Requests in progress.
        errors: Failed requests.
    """

    address: str
    healthy: bool
    ejected: bool
    requests: int
    active: int
    errors: int


class ClusterHosts(TypedDict):
    """The hosts of one cluster.

    Attributes:
        group: Group whose Envoys have the cluster.
        cluster: Name of the cluster.
        hosts: Hosts, in the order of their addresses.
    """

    group: str
    cluster: str
    hosts: list[LiveHost]


def cluster_hosts(group: str, cluster: str, pages: Sequence[Page]) -> ClusterHosts:
    """Return the hosts of a cluster, as the pages of all Envoys of a group show them."""
    hosts: dict[str, LiveHost] = {}
    for page in pages:
        values = page.sources["clusters"].values
        start = f"{cluster}."
        longer = tuple(
            name.removesuffix("added_via_api")
            for name in values
            if name.startswith(start) and name.endswith(".added_via_api") and name != f"{start}added_via_api"
        )
        for name, value in values.items():
            if not (name.startswith(start) and name.endswith(_HEALTHY)) or name.startswith(longer):
                continue
            address = name[len(start) : -len(_HEALTHY)]
            if f"{start}{address}.eds_health" not in values:
                continue  # the number of healthy hosts of a cluster
            host = hosts.setdefault(
                address,
                {
                    "address": address,
                    "healthy": True,
                    "ejected": False,
                    "requests": 0,
                    "active": 0,
                    "errors": 0,
                },
            )
            host["healthy"] = host["healthy"] and bool(value)
            host["ejected"] = host["ejected"] or bool(values.get(f"{start}{address}{_EJECTED}"))
            for key, stat in (("requests", "rq_total"), ("active", "rq_active"), ("errors", "rq_error")):
                count = values.get(f"{start}{address}.{stat}", 0)
                host[key] += int(count) if isinstance(count, (int, float)) else 0  # type: ignore[literal-required]
    return {"group": group, "cluster": cluster, "hosts": [hosts[one] for one in sorted(hosts)]}


def healthy(hosts: ClusterHosts) -> int:
    """Return the number of healthy hosts."""
    return sum(one["healthy"] for one in hosts["hosts"])
