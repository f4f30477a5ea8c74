# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform objects in tests: one demo on each platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

DATA: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {
        "web": {"app": {}, "sidecar": {}, "replicas": 2},
        "db": {"app": {}, "port": 8081, "publish": 18081},
    },
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "publish": 18080, "routes": []}},
            "clusters": {"web": {"to": "web"}},
        }
    },
}
PROGRAM = {"image": "program:1", "executable": "~/bin/program"}


def platform_of(name: str, data: Any = None, **context: Any) -> Platform:
    """Return the planner's view of a platform for a demo."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import read_context
    from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import (
        PLANNERS,
        platform_class,
    )

    keys = {"platform": name, "folder": "/state", "envoy": PROGRAM, "statsd_exporter": PROGRAM, **context}
    return platform_class(name)(
        read_demo("shop", data or DATA, file="shop.yml"), read_context(keys, PLANNERS)
    )
