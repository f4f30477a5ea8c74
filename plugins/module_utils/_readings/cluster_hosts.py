# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a cluster, as /clusters?format=json tells them. Envoy leaves out what is zero, false or empty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# By which Envoy counts a host for membership_healthy, membership_degraded or neither. Its other flags, such as pending_active_hc, say why.
_FAILED = frozenset(["failed_active_health_check", "failed_outlier_check"])
_DEGRADED = frozenset(["failed_active_degraded_check", "failed_degraded_outlier_detection"])
_OUT = ("UNHEALTHY", "TIMEOUT", "DRAINING")


@dataclass(frozen=True)
class Host:
    """One host of a cluster."""

    address: str
    hostname: str = ""
    eds_health: str = "UNKNOWN"
    flags: tuple[str, ...] = ()  # those of its health status that are set
    weight: int = 0
    priority: int = 0
    locality: Mapping[str, str] = field(default_factory=dict)
    success_rate: float | None = None  # percent, where outlier detection works it out
    stats: Mapping[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.eds_health in _OUT or not _FAILED.isdisjoint(self.flags)

    @property
    def healthy(self) -> bool:
        return not self.failed and not self.degraded

    @property
    def ejected(self) -> bool:
        return "failed_outlier_check" in self.flags

    @property
    def degraded(self) -> bool:
        return not self.failed and (self.eds_health == "DEGRADED" or not _DEGRADED.isdisjoint(self.flags))


def read_host(data: Mapping[str, Any]) -> Host:
    """One entry of `host_statuses`."""
    status, locality = data.get("health_status", {}), data.get("locality", {})
    rate = data.get("success_rate", {}).get("value")
    return Host(
        address=address_of(data.get("address", {})),
        hostname=str(data.get("hostname", "")),
        eds_health=str(status.get("eds_health_status", "UNKNOWN")),
        flags=tuple(sorted(key for key, value in status.items() if value is True)),
        weight=whole(data.get("weight", 0)),
        priority=whole(data.get("priority", 0)),
        locality={key: str(locality.get(key, "")) for key in ("region", "zone", "sub_zone")},
        success_rate=None if rate is None else _finite(rate),
        stats={stat["name"]: whole(stat.get("value", 0)) for stat in data.get("stats", ())},
    )


def whole(value: Any) -> int:
    """A whole number, which JSON has as a number or as text. Raises ValueError or TypeError."""
    try:
        return int(value)
    except OverflowError:
        raise ValueError(f"{value!r} is no whole number") from None


def _finite(value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("a rate is no number")
    return number


def totals(hosts: Sequence[Host]) -> dict[str, int]:
    """What a cluster's hosts are together."""
    return {
        "hosts": len(hosts),
        "healthy": sum(host.healthy for host in hosts),
        "degraded": sum(host.degraded for host in hosts),
        "ejected": sum(host.ejected for host in hosts),
        "draining": sum(host.eds_health == "DRAINING" for host in hosts),
        "weight": sum(host.weight for host in hosts),
    }


def address_of(address: Mapping[str, Any]) -> str:
    """An address as people write it."""
    if "pipe" in address:
        return f"unix://{address['pipe'].get('path', '')}"
    if "envoy_internal_address" in address:
        return f"internal:{address['envoy_internal_address'].get('server_listener_name', '')}"
    socket = address.get("socket_address", {})
    host, port = str(socket.get("address", "")), socket.get("port_value", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
