# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""A demo for tests, and changes of its data."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

GALLERY = Path(__file__).resolve().parents[2] / "playbooks" / "demos"
ROUTES = [{"match": {"prefix": "/"}, "route": {"cluster": "web"}}]
SHOP: dict[str, Any] = {
    "summary": "A shop",
    "ports": 20000,
    "services": {
        "web": {"app": {}, "sidecar": {"listeners": {"ingress": {"port": 9000}}}},
        "db": {"server": {"image": "db:1", "command": ["db"]}, "protocol": "tcp"},
    },
    "proxies": {
        "edge": {
            "listeners": {"http": {"port": 8080, "tls": {}, "routes": ROUTES}},
            "clusters": {"web": {"to": "web", "tls": {}}},
            "admin": {"publish": 9901},
            "statsd": {"address": "127.0.0.1"},
        }
    },
    "statsd_exporter": {"shares_network_with": "web"},
    "changes": {"bigger": {"summary": "More", "set": {"services": {"web": {"replicas": 3}}}}},
}
EDGE = "proxies.edge"


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a copy of SHOP with `value` at a path such as `services.web.port`."""
    data = copy.deepcopy(SHOP)
    *parents, last = path.split(".")
    mapping: Any = data
    for key in parents:
        mapping = mapping[key]
    mapping[last] = value
    return data


def error_of(data: Any, **options: Any) -> str:
    """Return the error of `read_demo` for `data`."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
    from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

    try:
        read_demo("shop", data, file="shop.yml", **options)
    except DemoError as error:
        return str(error)
    raise AssertionError("read_demo raised no error")


def gallery_demo(name: str) -> dict[str, Any]:
    """Return the data of a demo of the gallery."""
    data: dict[str, Any] = yaml.safe_load((GALLERY / f"{name}.yml").read_text(encoding="utf-8"))
    return data
