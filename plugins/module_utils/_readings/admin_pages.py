# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin's other pages as readings: a name and a number or text each, so that they are asserted in the same form as stats."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.cluster_hosts import (
    address_of,
    read_host,
    totals,
    whole,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import Redactor
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Identity

Readings = dict[str, Scalar]

# Which page each source is read from.
PATHS = {
    "server_info": "/server_info",
    "ready": "/ready",
    "clusters": "/clusters?format=json",
    "listeners": "/listeners?format=json",
    "certs": "/certs",
    "config": "/config_dump?include_eds",
    "runtime": "/runtime",
}
_DUMPS = {
    "ListenersConfigDump": ("lds", ("dynamic_listeners",), "listener"),
    "ClustersConfigDump": ("cds", ("dynamic_active_clusters", "dynamic_warming_clusters"), "cluster"),
    "RoutesConfigDump": ("rds", ("dynamic_route_configs",), "route_config"),
    "SecretsConfigDump": ("sds", ("dynamic_active_secrets", "dynamic_warming_secrets"), "secret"),
    "EndpointsConfigDump": ("eds", ("dynamic_endpoint_configs",), "endpoint_config"),
}
# How the names of the stats about updates begin.
_SUBSCRIPTION = re.compile(
    r"(?P<lds>listener_manager\.lds\.)|(?P<cds>cluster_manager\.cds\.)|(?P<rds>http\..*\.rds\.)|(?P<sds>sds\.)|(?P<eds>cluster\.)"
)
# Of these, Envoy says the version of all of them together.
_VERSIONED = ("lds", "cds")


def read_facts(source: str, data: Any) -> Readings:
    """Reads the JSON of one source."""
    if not isinstance(data, Mapping):
        raise ScrapeError("unparsable", f"the answer is JSON, but not Envoy's: {source} is no object")
    try:
        return {name: _scalar(name, value) for name, value in _READERS[source](data).items()}
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ScrapeError(
            "unparsable", f"{source} cannot be read ({type(error).__name__}: {error})"
        ) from None


def _scalar(name: str, value: Any) -> Scalar:
    """What a reading may be; raises ValueError for all else that JSON may hold in its place."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{name[:100]} is no number and no text")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name[:100]} is no number")
    return value


def read_ready(status: int, body: bytes) -> Readings:
    """/ready says in words what its status says."""
    return {"state": body.decode("ascii", "replace").strip()[:40], "status": status}


_STATE = re.compile(
    rb'"(version|state|uptime_current_epoch|uptime_all_epochs|restart_epoch)":\s*("(?:[^"\\]|\\.)*"|\d+)'
)


def read_identity(head: bytes, received: float, took: float) -> Identity:
    """Who answers, from the beginning of /server_info: the rest, 120 kB of extensions, need not be waited for."""
    found = {
        key.decode(): value.decode("utf-8", "replace").strip('"')
        for key, value in reversed(_STATE.findall(head))
    }
    if "state" not in found or "version" not in found:
        raise ScrapeError("unparsable", "the answer of /server_info is not Envoy's")
    try:
        uptime, epoch = _seconds(found.get("uptime_current_epoch", "0s")), int(found.get("restart_epoch", 0))
    except ValueError:
        raise ScrapeError("unparsable", "the answer of /server_info is not Envoy's") from None
    # Uptime is in whole seconds, cut off.
    return Identity(
        _version(found["version"]),
        found["state"],
        uptime,
        received - uptime,
        epoch,
        1 + took,
    )


def read_loaded(dump: Any) -> str:
    """When the bootstrap was loaded, as /config_dump says it; '' where it does not."""
    configs = dump.get("configs") if isinstance(dump, dict) else None
    dumps = [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []
    return next(
        (
            str(one.get("last_updated", ""))
            for one in dumps
            if str(one.get("@type")).endswith(".BootstrapConfigDump")
        ),
        "",
    )


# Envoy works out server.uptime when it flushes its stats, every 5 s unless it is configured otherwise.
_FLUSH = 5.0


def identity_by_stats(values: Mapping[str, Scalar], received: float, took: float) -> Identity | None:
    """Who answers, where /server_info may not be asked: by server.uptime and server.hot_restart_epoch, under either of their names."""
    uptime, epoch = (
        values.get(f"server.{name}", values.get(f"envoy_server_{name}"))
        for name in ("uptime", "hot_restart_epoch")
    )
    if not isinstance(uptime, (int, float)):
        return None
    return Identity(
        uptime=float(uptime),
        started=received - uptime,
        epoch=int(epoch) if isinstance(epoch, (int, float)) else None,
        slack=1 + _FLUSH + took,
    )


def _server_info(data: Mapping[str, Any]) -> Readings:
    options, node = data.get("command_line_options", {}), data.get("node", {})
    return {
        "state": data["state"],
        "version": _version(data["version"]),
        "build": data["version"],
        "uptime": _seconds(data.get("uptime_current_epoch", "0s")),
        "uptime_all_epochs": _seconds(data.get("uptime_all_epochs", "0s")),
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
            place = f"{name}.{host.address}"
            readings[f"{place}.healthy"] = int(host.healthy)
            readings[f"{place}.ejected"] = int(host.ejected)
            readings[f"{place}.weight"] = host.weight
            readings[f"{place}.priority"] = host.priority
            readings[f"{place}.eds_health"] = host.eds_health
            readings.update((f"{place}.{stat}", value) for stat, value in host.stats.items())
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
    # By name, and by serial number where several have that name.
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for certificate in data.get("certificates", ()):
        for role, key in (("ca", "ca_cert"), ("chain", "cert_chain")):
            for entry in certificate.get(key, ()):
                one, serial = _certificate(entry), str(entry.get("serial_number", ""))
                known = found.setdefault(f"{role}.{_certificate_name(entry)}", {})
                # Where two have even the same number, the one that expires first is not to be hidden.
                if serial not in known or one["days_left"] < known[serial]["days_left"]:
                    known[serial] = one
    readings: Readings = {}
    for name, certificates in found.items():
        for serial, one in certificates.items():
            prefix = f"{name}.{serial}" if len(certificates) > 1 else name
            readings.update((f"{prefix}.{key}", value) for key, value in one.items())
    return readings


def _certificate(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = [str(next(iter(one.values()))) for one in entry.get("subject_alt_names", ()) if one]
    return {
        "days_left": whole(entry.get("days_until_expiration", 0)),
        "valid_from": entry.get("valid_from", ""),
        "expires": entry.get("expiration_time", ""),
        "serial": entry.get("serial_number", ""),
        "names": ",".join(names),
    }


def _config(data: Mapping[str, Any]) -> Readings:
    """Versions and refusals only: the configuration itself, which may hold secrets, is left behind."""
    readings: Readings = {}
    for dump in data.get("configs", ()):
        kind, lists, inner = _DUMPS.get(str(dump.get("@type", "")).rpartition(".")[2], ("", (), ""))
        if not kind:
            continue
        entries = [entry for key in lists for entry in dump.get(key, ())]
        if kind in _VERSIONED:
            readings[f"{kind}.version_info"] = dump.get("version_info", "")
        names = {_resource_name(entry, inner) for entry in entries if _state(entry).get(inner)}
        readings[f"{kind}.resources"] = len(names)
        for entry in entries:
            name = f"{kind}.{_resource_name(entry, inner)}"
            readings.update((f"{name}.{key}", value) for key, value in _resource(entry, kind))
    return readings


def _state(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = entry.get("active_state") or entry.get("warming_state") or entry
    return state


def _resource_name(entry: Mapping[str, Any], inner: str) -> str:
    """A listener that was refused may be there a second time, without a name of its own."""
    body = _state(entry).get(inner) or entry.get("error_state", {}).get("failed_configuration", {})
    return str(entry.get("name") or body.get("name") or body.get("cluster_name") or "unnamed")


def _resource(entry: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Scalar]]:
    """Only what Envoy says of its kind: an error for listeners alone, and for endpoints not even a version."""
    for key in ("version_info", "last_updated"):
        if key in _state(entry):
            yield key, _state(entry)[key]
    error = entry.get("error_state") or {}
    if kind == "lds":
        yield "rejected", int(bool(error))
    if error:
        yield "error", Redactor().text(str(error.get("details", "")))[:2_000]


def rejected_updates(values: Mapping[str, Scalar]) -> Readings:
    """How many updates of each kind Envoy has refused, out of its stats named update_rejected."""
    counts = {kind: 0 for kind, _lists, _inner in _DUMPS.values()}
    for name, value in values.items():
        found = _SUBSCRIPTION.match(name)
        if found and found.lastgroup and isinstance(value, int):
            counts[found.lastgroup] += value
    return {f"{kind}.rejected": count for kind, count in counts.items()}


def _runtime(data: Mapping[str, Any]) -> Readings:
    readings: Readings = {}
    for name, entry in data.get("entries", {}).items():
        readings[name] = _number_or_text(str(entry.get("final_value", "")))
    return readings


def _number_or_text(value: str) -> Scalar:
    """/runtime has each value as text."""
    if re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return float(value) if re.fullmatch(r"-?[0-9]{1,18}\.[0-9]{1,18}", value) else value


_READERS = {
    "server_info": _server_info,
    "clusters": _clusters,
    "listeners": _listeners,
    "certs": _certs,
    "config": _config,
    "runtime": _runtime,
}


def _certificate_name(entry: Mapping[str, Any]) -> str:
    path = str(entry.get("path", ""))
    if path and path != "<inline>":
        return path
    names = [str(next(iter(one.values()))) for one in entry.get("subject_alt_names", ()) if one]
    return names[0] if names else str(entry.get("serial_number", "unnamed"))


def _version(build: str) -> str:
    """`1.40.0` out of `sha/1.40.0/Clean/RELEASE/BoringSSL`."""
    parts = build.split("/")
    return parts[1] if len(parts) > 1 else build


def _seconds(duration: str) -> float:
    seconds = float(duration.removesuffix("s"))
    if not math.isfinite(seconds):
        raise ValueError(f"{duration!r} is no duration")
    return seconds
