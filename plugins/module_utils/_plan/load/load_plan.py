# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The load on a running demo: one traffic at a rate, in place of the traffic and the expectations of the demo."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.listeners import only_codec
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import (
    LIBRARY_PROTOCOLS,
    MAX_REQUESTS,
    TLS_KEYS,
)

KEYS = ("to", "rate", "for", "path", "expect")
# The variable of the playbook, and the setting of `make load`, of each key.
_SHOWN = {"to": "load_to (TO)", "rate": "load_rate (RATE)", "for": "load_for (FOR)"}
# What the load takes from the first traffic of the demo to the same listener: the content of a request, and how to connect.
_REQUEST_KEYS = (
    "scheme",
    "protocol",
    "path",
    "method",
    "headers",
    "host",
    "body",
    "body_encoding",
    "messages",
    "descriptor_set",
    "payload",
    "payload_encoding",
    "reply",
    "host_from",
    "timeout",
    *TLS_KEYS,
)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh]?)")
RATE_OF_PROCESS = 8_000  # requests per second, half of what one processor can send
MOST_PROCESSES = 8
STREAMS, CONNECTIONS = 10, 10  # of HTTP/2, HTTP/3 and gRPC
THREADS = 50  # for protocols, and for pods, that threads serve


def context_under_load(context: Context, file: str) -> Context:
    """Return a context with the change that is deployed. Raises DemoError if nothing is deployed."""
    if not context.load:
        return context
    for key in context.load:
        if key not in KEYS:
            raise DemoError("load", f"{key}: unknown key. Use one of: {', '.join(KEYS)}.")
    if not context.deployed.workloads:
        raise DemoError(
            file,
            f"the demo is not deployed on {context.platform} in {context.folder}. Deploy it with make demo, or playbook site,"
            " before the load.",
        )
    return replace(context, change=context.change or context.deployed.change or "")


def under_load(platform: Platform) -> Platform:
    """Return a platform whose demo has the load as its only traffic, and no other expectations. Without a load, return the platform.

    Raises:
        DemoError: A key of the load is missing or wrong. The message lists the valid values.
    """
    load, demo = platform.context.load, platform.demo
    if not load:
        return platform
    group, port = _target(load, platform)
    rate, seconds = _rate(load), _seconds(load)
    if rate * seconds > MAX_REQUESTS:
        raise DemoError(
            "load",
            f"{_SHOWN['rate']} and {_SHOWN['for']}: {rate * seconds:.0f} requests are more than {MAX_REQUESTS}. Reduce one of them.",
        )
    entry: dict[str, Any] = {
        **_request(platform, group, port),
        "name": "load",
        "to": f"{group}/{port}",
        "expect": load.get("expect") or [{"status": "any", "op": "ge", "value": 1}],
    }
    if load.get("path"):
        entry["path"] = str(load["path"])
    changed = {**demo, "traffic": [{**entry, **_pace(platform, entry, rate, seconds)}], "expectations": []}
    return type(platform)(changed, platform.context)


def load_summary(context: Context) -> str:
    """Return what is sent, for the report. Empty without a load."""
    load = context.load
    if not load:
        return ""
    return f"Load of {_rate(load):g} requests per second to {load['to']} for {_seconds(load):g} s"


def _target(load: Mapping[str, Any], platform: Platform) -> tuple[str, str]:
    demo = platform.demo
    known = [
        f"{group}/{port}"
        for (group, port), listening in platform.ports.items()
        if (listening.publish or listening.for_users)
        and group in (*demo["services"], *demo["proxies"])
        and port in (*topology.listeners(demo, group), topology.APP, *_server_ports(demo, group))
    ]
    stated = str(load.get("to") or "")
    found = [one for one in known if stated in (one, one.partition("/")[0])]
    if not found:
        raise DemoError(
            "load",
            f"{_SHOWN['to']}: expected one of {', '.join(known) or 'none, because the demo publishes no port'},"
            f" got '{stated}'. Correct the name.",
        )
    group, _slash, port = found[0].partition("/")
    return group, port


def _server_ports(demo: Demo, group: str) -> list[str]:
    return list(topology.server_ports(demo, group)) if group in demo["services"] else []


def _rate(load: Mapping[str, Any]) -> float:
    try:
        rate = float(str(load.get("rate") or ""))
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_REQUESTS:
        raise DemoError(
            "load",
            f"{_SHOWN['rate']}: expected requests per second, above 0 and up to {MAX_REQUESTS}, got '{load.get('rate') or ''}'."
            " Write, for example, 500.",
        )
    return rate


def _seconds(load: Mapping[str, Any]) -> float:
    found = _DURATION.fullmatch(str(load.get("for") or ""))
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise DemoError(
            "load",
            f"{_SHOWN['for']}: expected a duration in seconds (30 or 30s), minutes (5m) or hours (1h), got"
            f" '{load.get('for') or ''}'. Write, for example, 30s.",
        )
    return seconds


def _request(platform: Platform, group: str, port: str) -> dict[str, Any]:
    """Return the request of the first traffic of the demo to a listener."""
    for position, entry in enumerate(platform.demo["traffic"]):
        to, where = entry.get("to"), f"traffic[{position}].to"
        if not isinstance(to, str) or to.endswith(f"/{topology.ADMIN}"):
            continue
        if topology.resolve_target(platform.demo, to, where) == (group, port):
            return {key: entry[key] for key in _REQUEST_KEYS if key in entry}
    return {}


def _pace(platform: Platform, entry: Mapping[str, Any], rate: float, seconds: float) -> dict[str, Any]:
    """Return the keys of the rate: phases of an open loop where processes send the requests, otherwise `rate` and `duration`."""
    group, _slash, port = entry["to"].partition("/")
    scheme = str(entry.get("scheme") or topology.scheme_of(platform.demo, group, port))
    listener = topology.listeners(platform.demo, group).get(port)
    is_multiplexed = entry.get("protocol") in LIBRARY_PROTOCOLS or (
        listener is not None and bool(only_codec(listener))
    )
    by_threads = scheme not in ("http", "https") or "pod" in platform.traffic_target(group, port)
    if by_threads and not is_multiplexed:
        return {"rate": rate, "duration": seconds, "concurrency": THREADS}
    pace: dict[str, Any] = {"phases": [{"duration": seconds, "rate": rate}]}
    if is_multiplexed:
        return {**pace, "concurrency": STREAMS * CONNECTIONS, "streams": STREAMS}
    return {**pace, "processes": min(MOST_PROCESSES, math.ceil(rate / RATE_OF_PROCESS))}
