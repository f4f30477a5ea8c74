# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write front_proxy as plain docker compose: one compose file and one static Envoy configuration for each proxy, without Ansible.

The project has the same number of containers and ports as the demo, and health checks to wait for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from images import ENVOY, PYTHON

EDGE_PORT = 16080
APP = Path(__file__).parents[2] / "roles/demo_app/files/demo_app.py"
CHECK = {"interval": "1s", "timeout": "3s", "retries": 30}
READY = "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q HTTP"
HEALTHY = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"


def write(folder: Path, services: int) -> None:
    """Write compose.yaml and the configurations of the proxies for a number of services."""
    folder.mkdir(parents=True)
    containers: dict[str, Any] = {"edge": _envoy("edge", [f"127.0.0.1:{EDGE_PORT}:8080"])}
    names = [f"service{number}" for number in range(1, services + 1)]
    _write(
        folder / "edge.json",
        proxy_config({f"/service/{n}": (name, f"{name}-envoy", 8080) for n, name in enumerate(names, 1)}),
    )
    for number, name in enumerate(names, 1):
        containers[name] = {
            "image": PYTHON,
            "command": ["python3", "/app/demo_app.py"],
            "environment": {"DEMO_APP_PORT": "8000", "DEMO_APP_SERVICE": str(number)},
            "volumes": [f"{APP}:/app/demo_app.py:ro"],
            "healthcheck": {"test": ["CMD", "python3", "-c", HEALTHY], **CHECK},
        }
        containers[f"{name}-envoy"] = _envoy(name, [])
        _write(folder / f"{name}.json", proxy_config({"/": (name, name, 8000)}))
    _write(folder / "compose.yaml", {"name": "manual_compose", "services": containers})


def _envoy(name: str, ports: list[str]) -> dict[str, Any]:
    return {
        "image": ENVOY,
        "command": ["envoy", "-c", "/etc/envoy/demo.json", "--concurrency", "1", "-l", "warning"],
        "volumes": [f"./{name}.json:/etc/envoy/demo.json:ro"],
        "ports": ports,
        "healthcheck": {"test": ["CMD", "bash", "-c", READY], **CHECK},
    }


def proxy_config(
    routes: dict[str, tuple[str, str, int]], listen: tuple[str, int] = ("0.0.0.0", 8080), admin: int = 9901
) -> dict[str, Any]:
    """Return a static configuration with a route from each prefix to (cluster, host, port)."""
    manager = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    return {
        "admin": {"address": _address("127.0.0.1", admin)},
        "static_resources": {
            "listeners": [
                {
                    "name": "http",
                    "address": _address(*listen),
                    "filter_chains": [
                        {
                            "filters": [
                                {
                                    "name": "http",
                                    "typed_config": {
                                        "@type": f"type.googleapis.com/{manager}",
                                        "stat_prefix": "http",
                                        "route_config": {
                                            "virtual_hosts": [
                                                {
                                                    "name": "all",
                                                    "domains": ["*"],
                                                    "routes": [
                                                        {
                                                            "match": {"prefix": prefix},
                                                            "route": {"cluster": cluster},
                                                        }
                                                        for prefix, (cluster, _host, _port) in routes.items()
                                                    ],
                                                }
                                            ]
                                        },
                                        "http_filters": [
                                            {
                                                "name": "router",
                                                "typed_config": {"@type": f"type.googleapis.com/{router}"},
                                            }
                                        ],
                                    },
                                }
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": cluster,
                    "type": "STRICT_DNS",
                    "load_assignment": {
                        "cluster_name": cluster,
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}],
                    },
                }
                for cluster, host, port in routes.values()
            ],
        },
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n")  # JSON is valid YAML
