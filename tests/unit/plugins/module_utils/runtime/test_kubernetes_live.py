# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom an Envoy knows, beside the pods that serve. A stand-in for the cluster says which pods there are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils.runtime.kubernetes_live import (
    Asked,
    Members,
    Pods,
)

READY = [{"type": "Ready", "status": "True"}]


def pod(name: str, address: str, ending: bool = False) -> dict[str, Any]:
    metadata = {"name": name, **({"deletionTimestamp": "2026-11-24T04:00:00Z"} if ending else {})}
    return {"metadata": metadata, "status": {"phase": "Running", "podIP": address, "conditions": READY}}


class Pretended:
    """Has these pods, whatever is asked."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods

    def list(self, kind: str, selector: str) -> list[dict[str, Any]]:
        assert (kind, selector) == ("Pod", "app=web")
        return list(self.pods)


def stranger(known: set[str], hosts: int, *pods: dict[str, Any]) -> str:
    place = object.__new__(Pods)
    cluster: Any = Pretended(*pods)
    place.cluster = cluster
    place.asked = Asked("app=edge", members={"web": Members("app=web", hosts)})
    return place._stranger("web", {"web": known})


@pytest.mark.parametrize(
    ("known", "hosts", "said"),
    [
        ({"10.0.0.1", "10.0.0.2"}, 2, ""),
        ({"10.0.0.1"}, 2, "cluster web knows 1 of 2 hosts"),
        # As many as there are to be, and one of them is on its way out: counting alone does not tell.
        ({"10.0.0.1", "10.0.0.9"}, 2, "cluster web knows 1 of 2 hosts, and 1 of before"),
        ({"10.0.0.1", "10.0.0.2", "10.0.0.9"}, 2, "cluster web knows 2 of 2 hosts, and 1 of before"),
        (set(), 2, "cluster web knows 0 of 2 hosts"),
    ],
)
def test_a_cluster_knows_the_pods_that_serve_and_no_others(known: set[str], hosts: int, said: str) -> None:
    pods = pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), pod("old", "10.0.0.9", ending=True)
    assert stranger(known, hosts, *pods) == said
