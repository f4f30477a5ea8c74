# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse the admin's pages other than /stats into readings, which assertions compare as they compare stats."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.cluster_hosts import (
    address_of,
    read_host,
    totals,
    whole,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.config_status import parse_config
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import load
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.process_identity import (
    duration,
    version_number,
)

Readings = dict[str, Scalar]

_MAX_STATE = 40  # characters


def parse_ready(status: int, body: bytes) -> Readings:
    """Return the readings of /ready: the state in its body, and the status."""
    return {"state": body.decode("ascii", "replace").strip()[:_MAX_STATE], "status": status}


def parse_page(source: str, body: bytes) -> Readings:
    """Return the readings of a JSON page.

    Args:
        source: The page: `server_info`, `clusters`, `listeners`, `certs`, `config` or `runtime`.
        body: The response body.

    Raises:
        ScrapeError: The body is not JSON or not such a page of Envoy (kind `unparsable`).
    """
    return parse_data(source, load(body))


def parse_data(source: str, data: Any) -> Readings:
    """Return the readings of a decoded JSON page, as `parse_page` does."""
    if not isinstance(data, Mapping):
        raise ScrapeError("unparsable", f"the response is JSON, but not Envoy's: {source} is not an object")
    try:
        return {name: _scalar(name, value) for name, value in _PARSERS[source](data).items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ScrapeError(
            "unparsable", f"{source} cannot be parsed ({type(error).__name__}: {error})"
        ) from None


def _scalar(name: str, value: Any) -> Scalar:
    """Return the value of a reading. Raises ValueError for every other JSON value."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{name[:100]} is neither a number nor a text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name[:100]} is not a finite number")
    return value


def _server_info(data: Mapping[str, Any]) -> Readings:
    options, node = data.get("command_line_options", {}), data.get("node", {})
    return {
        "state": data["state"],
        "version": version_number(data["version"]),
        "build": data["version"],
        "uptime": duration(data.get("uptime_current_epoch", "0s")),
        "uptime_all_epochs": duration(data.get("uptime_all_epochs", "0s")),
        "epoch": options.get("restart_epoch", 0),
        "concurrency": options.get("concurrency", 0),
        "node.id": node.get("id", ""),
        "node.cluster": node.get("cluster", ""),
    }


def _clusters(data: Mapping[str, Any]) -> Readings:
    readings: Readings = {}
    for cluster in data.get("cluster_statuses", ()):
        name, hosts = cluster["name"], [read_host(host) for host in cluster.get("host_statuses", ())]
        for host in hosts:
            prefix = f"{name}.{host.address}"
            readings[f"{prefix}.healthy"] = int(host.healthy)
            readings[f"{prefix}.ejected"] = int(host.ejected)
            readings[f"{prefix}.weight"] = host.weight
            readings[f"{prefix}.priority"] = host.priority
            readings[f"{prefix}.eds_health"] = host.eds_health
            readings.update((f"{prefix}.{stat}", value) for stat, value in host.stats.items())
        readings.update((f"{name}.{key}", value) for key, value in totals(hosts).items())
        readings[f"{name}.added_via_api"] = int(bool(cluster.get("added_via_api")))
    return readings


def _listeners(data: Mapping[str, Any]) -> Readings:
    readings: Readings = {}
    for listener in data.get("listener_statuses", ()):
        name = listener["name"]
        addresses = [listener["local_address"], *listener.get("additional_local_addresses", ())]
        for position, address in enumerate(addresses):
            prefix = name if position == 0 else f"{name}.{position}"
            readings[f"{prefix}.address"] = address_of(address)
            port = address.get("socket_address", {}).get("port_value")
            if port is not None:
                readings[f"{prefix}.port"] = whole(port)
    return readings


def _certs(data: Mapping[str, Any]) -> Readings:
    # By name, and by serial number if several certificates have that name.
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for certificate in data.get("certificates", ()):
        for role, key in (("ca", "ca_cert"), ("chain", "cert_chain")):
            for entry in certificate.get(key, ()):
                certificate_readings, serial = _certificate(entry), str(entry.get("serial_number", ""))
                known = found.setdefault(f"{role}.{_certificate_name(entry)}", {})
                # If two certificates also have the same number, the one that expires first counts.
                if serial not in known or certificate_readings["days_left"] < known[serial]["days_left"]:
                    known[serial] = certificate_readings
    readings: Readings = {}
    for name, certificates in found.items():
        for serial, certificate_readings in certificates.items():
            prefix = f"{name}.{serial}" if len(certificates) > 1 else name
            readings.update((f"{prefix}.{key}", value) for key, value in certificate_readings.items())
    return readings


def _certificate(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "days_left": whole(entry.get("days_until_expiration", 0)),
        "valid_from": entry.get("valid_from", ""),
        "expires": entry.get("expiration_time", ""),
        "serial": entry.get("serial_number", ""),
        "names": ",".join(_alternative_names(entry)),
    }


def _runtime(data: Mapping[str, Any]) -> Readings:
    readings: Readings = {}
    for name, entry in data.get("entries", {}).items():
        readings[name] = _number_or_text(str(entry.get("final_value", "")))
    return readings


def _number_or_text(value: str) -> Scalar:
    """Return the value of a runtime key, which /runtime contains as text."""
    if re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return float(value) if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", value) else value


def _certificate_name(entry: Mapping[str, Any]) -> str:
    path = str(entry.get("path", ""))
    if path and path != "<inline>":
        return path
    names = _alternative_names(entry)
    return names[0] if names else str(entry.get("serial_number", "unnamed"))


def _alternative_names(entry: Mapping[str, Any]) -> list[str]:
    return [str(next(iter(name.values()))) for name in entry.get("subject_alt_names", ()) if name]


_PARSERS = {
    "server_info": _server_info,
    "clusters": _clusters,
    "listeners": _listeners,
    "certs": _certs,
    "config": parse_config,
    "runtime": _runtime,
}
