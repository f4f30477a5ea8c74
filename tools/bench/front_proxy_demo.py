# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a demo like front_proxy with any number of services, on ports that no demo of the gallery uses."""

from __future__ import annotations

import json
from pathlib import Path

EDGE_PORT = 17980
# The requests to the first services; each other one gets 3.
REQUESTS = {1: 33, 2: 12}


def requests_to(address: str) -> list[str]:
    """Return the URLs of the requests to the first two services for curl, from the address of the edge."""
    return [f"{address}/service/{number}?[1-{count}]" for number, count in REQUESTS.items()]


def write_demo(folder: Path, services: int, sent_to: int = 2) -> Path:
    """Write the demo for a number of services, of which the first `sent_to` get traffic, and return the path of its file."""
    numbers = range(1, services + 1)
    names = {f"service{number}": str(number) for number in numbers}
    requests = {number: REQUESTS.get(number, 3) for number in numbers[:sent_to]}
    demo = {
        "summary": f"A front proxy for {services} services",
        "ports": 17000,
        "services": {name: {"app": {"service": number}, "sidecar": {}} for name, number in names.items()},
        "proxies": {
            "edge": {
                "listeners": {
                    "http": {
                        "port": 8080,
                        "publish": EDGE_PORT,
                        "routes": [
                            # The prefix of service 1 is also a prefix of /service/10.
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
                "name": f"service {number}",
                "to": "edge",
                "path": f"/service/{number}",
                "requests": count,
                "expect": [{"status": "200", "op": "eq", "value": count}],
            }
            for number, count in requests.items()
        ],
        "expectations": [
            {
                "at": "edge",
                "stat": f"cluster.service{number}.upstream_rq_200",
                "of": "delta",
                "op": "eq",
                "value": count,
            }
            for number, count in requests.items()
        ],
    }
    path = folder / f"bench{services}.yml"
    path.write_text(json.dumps(demo))
    return path
