# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of a demo that can have a mistake."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

Data = Any
Steps = tuple[Any, ...]
# The keys of a demo that describe what is deployed.
TOPOLOGY = ("services", "proxies", "statsd_exporter", "envoy", "ports")


def proxies(data: Data) -> Iterator[tuple[str, Data]]:
    """Yield (key, proxy) of each proxy of a demo, sidecars included."""
    for name, service in (data.get("services") or {}).items():
        if isinstance(service, dict) and isinstance(service.get("sidecar"), dict):
            yield f"services.{name}.sidecar", service["sidecar"]
    for name, proxy in (data.get("proxies") or {}).items():
        if isinstance(proxy, dict):
            yield f"proxies.{name}", proxy


def holders(data: Data, key: str) -> Iterator[tuple[str, Data]]:
    """Yield the mappings of a demo that can have an overlay."""
    kinds = {
        "bootstrap": "",
        "cluster": "clusters",
        "listener": "listeners",
        "http_connection_manager": "listeners",
    }
    for where, proxy in proxies(data):
        if not kinds[key]:
            yield where, proxy
            continue
        for name, one in (proxy.get(kinds[key]) or {}).items():
            if isinstance(one, dict):
                yield f"{where}.{kinds[key]}.{name}", one


def place(data: Data, chosen: random.Random) -> Steps:
    return chosen.choice(list(paths(data)))


def paths(data: Data) -> Iterator[Steps]:
    for key in TOPOLOGY:
        if key in data:
            yield from _below(data[key], (key,))


def _below(value: Data, path: Steps) -> Iterator[Steps]:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from _below(value[key], (*path, key))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _below(one, (*path, index))


def value_at(data: Data, path: Steps) -> Any:
    for key in path:
        data = data[key]
    return data


def key_of(path: Steps) -> str:
    return ".".join(map(str, path))
