# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A demo with a sidecar, an edge proxy and an exporter, for tests of the planner."""

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
    """Return a copy of SHOP with other top-level keys."""
    return {**copy.deepcopy(SHOP), **keys}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a copy of SHOP with `value` at a path such as `proxies.edge.admin`."""
    data = shop()
    *parents, last = path.split(".")
    mapping: Any = data
    for key in parents:
        mapping = mapping[key]
    mapping[last] = value
    return data
