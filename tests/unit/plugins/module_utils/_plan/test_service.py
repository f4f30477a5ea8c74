# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the plan of a service."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Planner = Callable[..., dict[str, Any]]


SHOP: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {"web": {"app": {}, "publish": 18081, "sidecar": {}, "replicas": 2}},
    "proxies": {
        "edge": {
            "listeners": {
                "http": {"port": 8080, "publish": 18080, "routes": []},
                "https": {"port": 8443, "publish": 18443, "tls": {}, "routes": []},
                "tcp": {"port": 7000, "publish": 17000, "filters": []},
                "inner": {"port": 8082, "routes": []},
            },
            "clusters": {"web": {"to": "web"}},
        }
    },
    "statsd_exporter": {"publish": 19102},
    "traffic": [{"name": "hello", "to": "edge"}],
}


def shop(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SHOP), **keys}


def digests(plan: dict[str, Any]) -> dict[str, str]:
    return {workload["name"]: workload["digest"] for workload in plan["workloads"]}


def test_another_app_changes_only_digests_of_apps(plan: Planner) -> None:
    before, after = digests(plan(shop())), digests(plan(shop(), app="print('other')"))
    assert {name for name in before if before[name] != after[name]} == {"web-1", "web-2"}
