# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshot, traffic and assertions in one go: what demo_verify does, without Ansible."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import send_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic
from ansible_collections.meshlab.envoy.plugins.module_utils.stats_api import (
    Endpoint,
    Outcome,
    Page,
    Snapshot,
    parse_assertions,
    parse_endpoints,
    required_queries,
    scrape,
    watch,
)

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

Entry = Mapping[str, Any]
# Pods are ready a while before everybody's name resolution knows them: stock clusters tell for 30 s what they knew.
SETTLING = 60.0
# Seconds that who does not answer has until its numbers are done without.
STANDSTILL = 60.0


@dataclass(frozen=True)
class Experiment:
    """What is sent and what is expected of it; read and checked before anything is sent."""

    endpoints: Sequence[Entry]
    traffic: Sequence[Entry]
    assertions: Sequence[Entry]
    access: PodAccess | None = None  # to the cluster, where endpoints or traffic are about pods
    admins: Sequence[Entry] = ()  # of pods: whom each proxy must have found by name before anything is sent

    def parsed(self) -> list[Traffic]:
        """Return the traffic to send. Raises ValueError for anything in the experiment that cannot be meant."""
        value_references.check(self.assertions, self.traffic)
        parse_assertions([value_references.placeholder(one) for one in self.assertions])
        self.places()
        return parse_traffic(self.traffic, self.access)

    def places(self) -> list[Endpoint]:
        """Return the endpoints to ask."""
        return parse_endpoints(self.endpoints, cluster=self.access)


def verify(experiment: Experiment, timeout: float, sleep: float) -> dict[str, Any]:
    """Return what was sent, what was expected and seen; raise ValueError for an experiment that cannot be meant.

    The assertions are looked at until they hold, or no longer can, or `timeout` seconds are over.
    """
    began = time.monotonic()
    traffic = experiment.parsed()
    _settle(experiment, sleep)
    before = _before(experiment)
    sent = [send_traffic(one) for one in traffic]
    outcome = _after(experiment, sent, before, timeout, sleep)
    seen = outcome.as_data() if outcome else {"assertions": [], "endpoints": []}
    return {
        "traffic": sent,
        "assertions": seen["assertions"],
        "endpoints": seen["endpoints"],
        "elapsed": round(time.monotonic() - began, 3),
    }


def _settle(experiment: Experiment, sleep: float) -> None:
    """Wait until proxies know the pods that there are to be, also where nobody waited for that (`kubectl apply`).

    What they do not find is for the expectations to tell.
    """
    wanted = [
        {
            "endpoint": [one["proxy"]],
            "stat": f"cluster.{name.replace(':', '_')}.membership_total",
            "op": "eq",
            "value": known["hosts"],
        }
        for one in experiment.admins
        for name, known in (one.get("members") or {}).items()
    ]
    if wanted:
        watch(experiment.places(), parse_assertions(wanted), timeout=SETTLING, sleep=sleep)


def _before(experiment: Experiment) -> Snapshot | None:
    """Return what endpoints show before anything is sent. Who stands still is asked again; who refuses is not."""
    if not experiment.assertions:
        return None
    endpoints = experiment.places()
    assertions = parse_assertions([value_references.placeholder(one) for one in experiment.assertions])
    wanted = required_queries(assertions, endpoints)
    deadline = time.monotonic() + STANDSTILL
    before = scrape(endpoints, wanted)
    while (late := _late(before)) and time.monotonic() < deadline:
        again = scrape([one for one in endpoints if one.name in late], wanted)
        there = {name: page for name, page in before.pages.items() if _entry(page) not in late}
        before.pages = {**there, **again.pages}
    return before


def _late(snapshot: Snapshot) -> set[str]:
    """Return the entries of endpoints that did not answer in time; of pods, as soon as one of them did not."""
    return {
        _entry(page) for page in snapshot.pages.values() if page.failure and page.failure.kind == "timeout"
    }


def _entry(page: Page) -> str:
    return page.group or page.name


def _after(
    experiment: Experiment, sent: Sequence[Entry], before: Snapshot | None, timeout: float, sleep: float
) -> Outcome | None:
    if before is None:
        return None
    assertions = parse_assertions(value_references.resolve(experiment.assertions, sent))
    deadline = time.monotonic() + STANDSTILL
    while True:
        outcome = watch(experiment.places(), assertions, since=before, timeout=timeout, sleep=sleep)
        # Who stood still for all of that time has not said yet what its numbers are.
        silent = any(one.failure and one.failure.kind == "timeout" for one in outcome.failed)
        if not silent or time.monotonic() >= deadline:
            return outcome
