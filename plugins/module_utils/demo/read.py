# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a demo: data from YAML in, the same data checked and with its defaults filled in out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.meshlab.envoy.plugins.module_utils.demo.shape import DEMO, LISTENER, Shape
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.filters import tcp_proxy
from ansible_collections.meshlab.envoy.plugins.module_utils.envoy.clusters import is_ip

# A DNS label: the names become host names, container names and stat prefixes. `_` is let through because Envoy's own
# examples and stat names use it.
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,40}[a-z0-9])?")
LISTENER_KINDS = ("routes", "virtual_hosts", "filters")
# The port on which Envoy's stock configuration answers, and so what people expect of an Envoy beside a service.
SIDECAR_PORT = 10000
Demo = dict[str, Any]


class DemoError(ValueError):
    """A demo that cannot be what its author meant: where (file and key), what, and what to do."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")


def read(name: str, data: Any, change: str = "", replicas: Mapping[str, int] | None = None, file: str = "") -> Demo:
    """Return the demo `name` with all defaults, `change` merged over its topology and `replicas` over its services.

    `file` is what errors call it. Raises DemoError.
    """
    file = file or name
    if not NAME.fullmatch(name):
        raise DemoError(file, f"the name '{name}' must be lower case letters, digits, '-' and '_', at most 42 of them")
    if not isinstance(data, Mapping):
        raise DemoError(file, "is not a mapping; a demo starts with 'summary:', 'ports:' and 'services:'")
    data = deepcopy(dict(data))
    # Types are checked before anything is merged, so that an error names the key as it stands in the file.
    checked = _check(data, DEMO, file, "")
    if change:
        data = _changed(data, checked, change, file)
    for service, count in (replicas or {}).items():
        _known(service, checked["services"], file, "replicas", "service")
        data["services"][service] = {**(data["services"][service] or {}), "replicas": count}
    demo = _check(data, DEMO, file, "")
    for service, spec in demo["services"].items():
        if spec["sidecar"] is not None:
            _fill_sidecar(service, spec)
    _check_sense(demo, file)
    return {**demo, "name": name, "file": file}


def merge(base: Any, over: Any) -> Any:
    """Return `over` merged into `base`: mappings key by key, anything else replaced; a null removes the key."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return deepcopy(over)
    merged = {key: value for key, value in base.items() if over.get(key, ...) is not None}
    for key, value in over.items():
        if value is not None:
            merged[key] = merge(merged.get(key), value)
    return merged


def _changed(data: dict[str, Any], checked: Demo, change: str, file: str) -> dict[str, Any]:
    _known(change, checked["changes"], file, "changes", "change")
    wanted = checked["changes"][change]
    for key in wanted["set"]:
        if key not in ("services", "proxies", "statsd_exporter"):
            raise DemoError(file, f"changes.{change}.set.{key}: only services, proxies and statsd_exporter can be changed")
    data = merge(data, wanted["set"])
    for key in ("traffic", "expectations"):
        if wanted[key] is not None:
            data[key] = wanted[key]
    return data


def _check(data: Any, shape: Shape, file: str, path: str) -> dict[str, Any]:
    """Check one mapping and what it holds; return it with defaults."""
    data = {} if data is None else data
    if not isinstance(data, Mapping):
        raise DemoError(file, f"{path}: must be a mapping of {', '.join(shape.options)}, not {type(data).__name__} '{data}'")
    for key in data:
        _known(str(key), shape.options, file, path, "key")
    result = ArgumentSpecValidator(shape.options).validate(dict(data))
    if result.error_messages:
        raise DemoError(file, f"{path or 'at the top'}: {result.error_messages[0]}")
    checked: dict[str, Any] = dict(result.validated_parameters)
    for key, nested in shape.nested.items():
        if key in data and (checked[key] is not None or data[key] is None):
            checked[key] = _check(checked[key], nested, file, _join(path, key))
    for key, entry in shape.entries.items():
        for name in checked[key]:
            if not NAME.fullmatch(str(name)):
                raise DemoError(file, f"{_join(path, key)}.{name}: a name is lower case letters, digits, '-' and '_'")
        checked[key] = {
            str(name): _check(value, entry, file, f"{_join(path, key)}.{name}") for name, value in checked[key].items()
        }
    return checked


def _fill_sidecar(name: str, service: dict[str, Any]) -> None:
    """A sidecar's listener that says nothing else forwards everything to its service."""
    listeners = service["sidecar"]["listeners"]
    if not listeners:
        listeners["ingress"] = _check({"port": SIDECAR_PORT}, LISTENER, name, "")
    for listener in listeners.values():
        if all(listener[kind] is None for kind in LISTENER_KINDS):
            if service["protocol"] == "http":
                listener["routes"] = [{"match": {"prefix": "/"}, "route": {"cluster": name}}]
            else:
                listener["filters"] = [tcp_proxy(name, name)]


def _check_sense(demo: Demo, file: str) -> None:
    """What types cannot say."""
    for name, service in demo["services"].items():
        where = f"services.{name}"
        if service["app"] and service["server"]:
            raise DemoError(file, f"{where}: has both 'app' (the demo app) and 'server' (another program); choose one")
        if not 0 <= service["replicas"] <= 10:
            raise DemoError(file, f"{where}.replicas: {service['replicas']} is not between 0 and 10")
    for name in set(demo["services"]) & set(demo["proxies"]):
        raise DemoError(file, f"proxies.{name}: a service has that name already; names are unique in a demo")
    for where, proxy in proxies(demo):
        for listener, spec in proxy["listeners"].items():
            _check_listener(spec, file, f"{where}.listeners.{listener}")
        for cluster, spec in proxy["clusters"].items():
            if bool(spec["to"]) == bool(spec["address"]):
                raise DemoError(file, f"{where}.clusters.{cluster}: needs either 'to' (a service or proxy of this demo) or 'address' and 'port'")
            if spec["address"] and not spec["port"]:
                raise DemoError(file, f"{where}.clusters.{cluster}: has an 'address' and no 'port'")
        _check_statsd(proxy["statsd"], file, where)
    beside = (demo["statsd_exporter"] or {}).get("beside")
    if beside:
        _known(beside, {**demo["services"], **demo["proxies"]}, file, "statsd_exporter.beside", "service or proxy")


def _check_statsd(statsd: Mapping[str, Any] | None, file: str, where: str) -> None:
    if statsd is None:
        return
    if statsd["transport"] == "udp" and not is_ip(statsd["address"]):
        raise DemoError(
            file,
            f"{where}.statsd.address: Envoy's UDP sink takes an IP address, not the name '{statsd['address']}';"
            " give its address, or use 'transport: tcp', which resolves names",
        )
    if statsd["transport"] == "tcp" and statsd["style"] == "dog_statsd":
        raise DemoError(file, f"{where}.statsd: dog_statsd speaks UDP only; use 'style: statsd' or 'transport: udp'")


def _check_listener(listener: Mapping[str, Any], file: str, where: str) -> None:
    kinds = [key for key in LISTENER_KINDS if listener[key] is not None]
    if len(kinds) != 1:
        raise DemoError(file, f"{where}: needs exactly one of 'routes', 'virtual_hosts' (HTTP) and 'filters' (anything else)")
    for key in ("port", "publish"):
        if listener[key] is not None and not 1024 <= listener[key] <= 65535:
            raise DemoError(file, f"{where}.{key}: {listener[key]} is not between 1024 and 65535 (below that it needs root)")


def proxies(demo: Demo) -> list[tuple[str, dict[str, Any]]]:
    """Return (where in the file, proxy) for each proxy, sidecars included."""
    found = [(f"services.{name}.sidecar", service["sidecar"]) for name, service in demo["services"].items() if service["sidecar"]]
    return found + [(f"proxies.{name}", proxy) for name, proxy in demo["proxies"].items()]


def _known(name: str, known: Any, file: str, where: str, what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, [str(one) for one in known], n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"there is: {', '.join(sorted(map(str, known))) or 'none'}"
    raise DemoError(file, f"{where + ': ' if where else ''}there is no {what} '{name}'; {hint}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
