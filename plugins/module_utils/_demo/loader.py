# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a demo: data from YAML in, the same data checked and with its defaults filled in out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import (
    DEMO,
    LISTENER,
    SERVICE,
    Option,
    Shape,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema_types import typed
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import (
    LISTENER_KINDS,
    check_sense,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy, udp_proxy

# The names become host names, container names and stat prefixes: a DNS label with room for what a plan appends to it.
# `_` is let through because Envoy's own examples and stat names use it; Docker's DNS and Envoy resolve such names.
NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,40}[a-z0-9])?")
NAME_RULE = "lower case letters, digits, '-' and '_', at most 42 of them, a letter or digit first and last"
# The port on which Envoy's stock configuration answers, and so what people expect of an Envoy beside a service.
SIDECAR_PORT = 10000
# The keys of a demo that one of its changes may set.
CHANGEABLE = ("services", "proxies", "statsd_exporter")
Demo = dict[str, Any]


def read(
    name: str,
    data: Any,
    change: str = "",
    replicas: Mapping[str, Any] | None = None,
    file: str = "",
) -> Demo:
    """Return the demo `name` with all defaults, `change` merged over its topology and `replicas` over its services.

    The answer has every key of `shape.DEMO`, down to the last default, and besides them `name` and `file`, which is
    what errors call it. All of the demo's changes are checked, whichever is asked for. Raises DemoError.
    """
    file = file or name
    if not NAME.fullmatch(name):
        raise DemoError(file, f"the demo's name '{name}' has to be {NAME_RULE}")
    if not isinstance(data, Mapping):
        raise DemoError(file, "is not a mapping; a demo starts with 'summary:', 'ports:' and 'services:'")
    # Before anything is merged, so that an error names a key as it stands in the file.
    demo = _complete(data, file)
    if change:
        check_known(change, demo["changes"], file, "changes", "change")
    changed = {
        one: _complete(_changed(data, one, spec, file), f"{file} with change '{one}'")
        for one, spec in demo["changes"].items()
    }
    if change:
        demo, file = changed[change], f"{file} with change '{change}'"
    for service, count in (replicas or {}).items():
        check_known(service, demo["services"], file, "replicas", "service")
        option = SERVICE.options["replicas"]
        demo["services"][service]["replicas"] = typed(count, option, file, f"replicas.{service}")
    check_sense(demo, file)
    return {**demo, "name": name, "file": file}


def merge(base: Any, over: Any) -> Any:
    """Return `over` merged into `base`: mappings key by key, anything else replaced; a null removes the key."""
    if not isinstance(over, Mapping):
        return deepcopy(over)
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return deepcopy(merged)


def _complete(data: Mapping[str, Any], file: str) -> Demo:
    """Return `data` checked and with all defaults."""
    demo = _check(data, DEMO, file, "")
    for name, service in demo["services"].items():
        if service["sidecar"] is not None:
            _fill_sidecar(name, service, file)
    check_sense(demo, file)
    return demo


def _changed(data: Mapping[str, Any], change: str, spec: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return `data` as it is after the change of that name."""
    for key in spec["set"]:
        if key not in CHANGEABLE:
            raise DemoError(file, f"changes.{change}.set.{key}: only {', '.join(CHANGEABLE)} can be changed")
    changed: dict[str, Any] = merge(data, spec["set"])
    for key in ("traffic", "expectations"):
        if spec[key] is not None:
            changed[key] = spec[key]
    return changed


def _check(data: Any, shape: Shape, file: str, path: str) -> dict[str, Any]:
    """Check one mapping and what it holds; return it with defaults."""
    if not isinstance(data, Mapping):
        keys = ", ".join(f"'{key}'" for key in list(shape.options)[:3])
        raise DemoError(file, f"{path}: has to be a mapping with keys such as {keys}, not '{data}'")
    for key in data:
        check_known(str(key), shape.options, file, path, "key")
    return {
        key: _check_key(key, option, data.get(key), key in data, shape, file, _join(path, key))
        for key, option in shape.options.items()
    }


def _check_key(
    key: str, option: Option, value: Any, is_there: bool, shape: Shape, file: str, path: str
) -> Any:
    """Return the checked value of one key, its default where it has none."""
    if value == "" and option["type"] in ("dict", "list"):
        value = None  # what ansible-core 2.18 makes of a template whose value is null
    if value is None and is_there and key in shape.nested and not shape.nested[key].required:
        value = {}  # `sidecar:` with nothing after it is one with all defaults
    if value is None:
        if option.get("required"):
            raise DemoError(file, f"{path}: is missing")
        return deepcopy(option.get("default"))
    value = typed(value, option, file, path)
    if key in shape.nested:
        return _check(value, shape.nested[key], file, path)
    if key in shape.entries:
        return {
            _check_name(str(name), file, path): _check(
                {} if one is None else one, shape.entries[key], file, f"{path}.{name}"
            )
            for name, one in value.items()
        }
    return value


def _check_name(name: str, file: str, path: str) -> str:
    if not NAME.fullmatch(name):
        raise DemoError(file, f"{path}.{name}: a name has to be {NAME_RULE}")
    return name


def _fill_sidecar(name: str, service: Mapping[str, Any], file: str) -> None:
    """Give a sidecar a listener where it has none; one that says nothing else forwards everything to its service."""
    listeners = service["sidecar"]["listeners"]
    if not listeners:
        listeners["ingress"] = _check({"port": SIDECAR_PORT}, LISTENER, file, "")
    for listener in listeners.values():
        if all(listener[kind] is None for kind in LISTENER_KINDS):
            if service["protocol"] == "http":
                listener["routes"] = [{"match": {"prefix": "/"}, "route": {"cluster": name}}]
            elif service["protocol"] == "udp":
                listener["udp_filters"] = [udp_proxy(name, name)]
            else:
                listener["filters"] = [tcp_proxy(name, name)]


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
