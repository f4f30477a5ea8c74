# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a demo like front_proxy with any number of services, on ports that no demo of the gallery uses."""

from __future__ import annotations

import json
from pathlib import Path


def write_demo(folder: Path, services: int) -> Path:
    """Write the demo for a number of services to a folder, and return its path."""
    numbers = range(1, services + 1)
    names = {f"service{number}": str(number) for number in numbers}
    demo = {
        "summary": f"A front proxy for {services} services",
        "ports": 17000,
        "services": {name: {"app": {"service": number}, "sidecar": {}} for name, number in names.items()},
        "proxies": {
            "edge": {
                "listeners": {
                    "http": {
                        "port": 8080,
                        "publish": 17980,
                        "routes": [
                            {"match": {"prefix": f"/service/{number}"}, "route": {"cluster": name}}
                            for name, number in reversed(names.items())
                        ],
                    }
                },
                "clusters": {name: {"to": name} for name in names},
            }
        },
        "traffic": [
            {
                "name": "service 1",
                "to": "edge",
                "path": "/service/1",
                "requests": 33,
                "expect": [{"status": "200", "op": "eq", "value": 33}],
            },
            {
                "name": "service 2",
                "to": "edge",
                "path": "/service/2",
                "requests": 12,
                "expect": [{"status": "200", "op": "eq", "value": 12}],
            },
        ],
        "expectations": [
            {
                "at": "edge",
                "stat": "cluster.service1.upstream_rq_200",
                "of": "delta",
                "op": "eq",
                "value": 33,
            },
            {
                "at": "edge",
                "stat": "cluster.service2.upstream_rq_200",
                "of": "delta",
                "op": "eq",
                "value": 12,
            },
        ],
    }
    path = folder / f"bench{services}.yml"
    path.write_text(json.dumps(demo))
    return path
