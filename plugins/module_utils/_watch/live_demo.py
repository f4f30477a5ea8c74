# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo of a live view, and what is wrong with it at one moment. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_data
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import PartOfRun
from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import parts_of
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import groups_of_proxies
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_hosts import healthy
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_state import LIVE, LiveState

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan, Topology


@dataclass(frozen=True)
class LiveDemo:
    """What a live view shows of a plan. All texts are printable.

    Attributes:
        name: Name of the demo.
        summary: Summary of the demo, or of its change.
        platform: Name of the platform.
        change: Name of the deployed change; empty without one.
        topology: Topology of the plan.
        groups: The group of each proxy, by the name of its endpoint.
        parts: Hosts, programs and images of each box.
        addresses: Addresses that a user can open.
    """

    name: str
    summary: str
    platform: str
    change: str
    topology: Topology
    groups: Mapping[str, str]
    parts: list[PartOfRun]
    addresses: list[dict[str, str]]

    @classmethod
    def of(cls, plan: Plan) -> LiveDemo:
        """Return the demo of a plan."""
        shown: dict[str, Any] = printable_data(
            {
                "name": plan["name"],
                "summary": plan["summary"],
                "platform": plan["platform"],
                "change": plan.get("change") or "",
                "topology": plan["topology"],
                "parts": parts_of(plan),
                "addresses": [dict(one) for one in plan.get("addresses") or ()],
            }
        )
        return cls(**shown, groups=groups_of_proxies(plan))


@dataclass(frozen=True)
class BoxHealth:
    """The health of one box of the topology."""

    text: str
    failing: bool


def box_health(state: LiveState) -> dict[str, BoxHealth]:
    """Return the health of each box: of its Envoys, and of a box without Envoy as the clusters that lead to it show it."""
    found: dict[str, BoxHealth] = {}
    for one in state["connections"]:
        hosts = one["hosts"]
        if hosts and len(one["targets"]) == 1:
            number, all_hosts = healthy(hosts), len(hosts["hosts"])
            known = found.get(one["targets"][0])
            failing = number < all_hosts or not all_hosts
            if known is None or (failing and not known.failing):
                found[one["targets"][0]] = BoxHealth(f"{number} of {all_hosts} healthy", failing)
    for group in dict.fromkeys(one["group"] for one in state["envoys"]):
        states = [one["state"] == LIVE for one in state["envoys"] if one["group"] == group]
        if (known := found.get(group)) is None or not known.failing or not all(states):
            found[group] = BoxHealth(f"{sum(states)} of {len(states)} live", not all(states))
    return found


def problems(state: LiveState) -> list[str]:
    """Return what is wrong, one sentence each; nothing if all Envoys serve and all hosts are healthy."""
    return [*_of_envoys(state), *_of_hosts(state)]


def _of_envoys(state: LiveState) -> Iterator[str]:
    for one in state["envoys"]:
        if one["failure"]:
            yield f"{one['name']} does not answer: {one['failure']}."
        elif one["state"] != LIVE:
            yield f"{one['name']} is {one['state']}."
        if one["rejected"]:
            updates = "update" if one["rejected"] == 1 else "updates"
            yield f"{one['name']} rejected {one['rejected']} {updates} of its configuration."


def _of_hosts(state: LiveState) -> Iterator[str]:
    for cluster in state["hosts"]:
        where = f"cluster {cluster['cluster']} of {cluster['group']}"
        if not cluster["hosts"]:
            yield f"{where} has no host."
        for host in cluster["hosts"]:
            if host["ejected"]:
                yield f"{where}: outlier detection ejected {host['address']}."
            elif not host["healthy"]:
                yield f"{where}: {host['address']} is not healthy."


def verdict(state: LiveState) -> tuple[bool, str]:
    """Return whether nothing is wrong, and the state of the demo in a few words."""
    serving = sum(one["state"] == LIVE for one in state["envoys"])
    envoys = len(state["envoys"])
    found = problems(state)
    if serving < envoys:
        return False, f"{serving} of {envoys} Envoys live"
    if found:
        return False, f"{len(found)} problem" + ("s" if len(found) > 1 else "")
    return True, "live" if envoys == 1 else f"all {envoys} Envoys live"
