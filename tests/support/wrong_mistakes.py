# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mistakes of wrong configurations. Each changes the data of a demo, and returns what it changed; empty where it is impossible."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

from wrong_places import Data, holders, key_of, paths, place, proxies, value_at
from wrong_values import (
    APP_VARIABLES,
    BOOTSTRAPS,
    CLUSTERS,
    COMMANDS,
    DURATIONS,
    ENVOY_VARIABLES,
    FILTERS,
    LISTENERS,
    MANAGERS,
    NUMBERS,
    PROGRAMS,
    TEXTS,
    TYPE,
)

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import (
    ANY,
    Field,
    enum_values,
    fields_of,
    is_message,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.overlay import (
    BOOTSTRAP,
    CLUSTER,
    HTTP_CONNECTION_MANAGER,
    LISTENER,
)

REFERENCES = (
    "cluster",
    "to",
    "cluster_name",
    "collector_cluster",
    "at",
    "shares_network_with",
    "tcp_cluster_name",
)


def _drop(data: Data, chosen: random.Random) -> str:
    path = place(data, chosen)
    del value_at(data, path[:-1])[path[-1]]
    return f"drop {key_of(path)}"


def _rename(data: Data, chosen: random.Random) -> str:
    path = place(data, chosen)
    parent, key = value_at(data, path[:-1]), path[-1]
    if not isinstance(parent, dict) or not isinstance(key, str) or len(key) < 2:
        return ""
    position = chosen.randrange(len(key))
    name = chosen.choice(
        (key[:position] + key[position + 1 :], key.upper(), f"{key} ", key.replace("_", "-"), "admin", "app")
    )
    parent[name] = parent.pop(key)
    return f"rename {key_of(path)} to {name!r}"


def _duplicate(data: Data, chosen: random.Random) -> str:
    path = place(data, chosen)
    parent, key = value_at(data, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[f"{key}2"] = copy.deepcopy(parent[key])
    return f"duplicate {key_of(path)}"


def _wrong_value(data: Data, chosen: random.Random) -> str:
    path = place(data, chosen)
    value = chosen.choice(
        (None, [], {}, True, False, "text", 5, ["x"], {"x": 1}, [[]], *TEXTS, *NUMBERS, *DURATIONS)
    )
    value_at(data, path[:-1])[path[-1]] = copy.deepcopy(value)
    return f"{key_of(path)} = {value!r:.40}"


def _extreme(data: Data, chosen: random.Random) -> str:
    found = [
        path
        for path in paths(data)
        if isinstance(value_at(data, path), (int, float)) and not isinstance(value_at(data, path), bool)
    ]
    if not found:
        return ""
    path, value = chosen.choice(found), chosen.choice(NUMBERS)
    value_at(data, path[:-1])[path[-1]] = value
    return f"{key_of(path)} = {value}"


def _wrong_reference(data: Data, chosen: random.Random) -> str:
    found = [path for path in paths(data) if path[-1] in REFERENCES and isinstance(value_at(data, path), str)]
    if not found:
        return ""
    path = chosen.choice(found)
    groups = [*(data.get("services") or {}), *(data.get("proxies") or {})]
    value = chosen.choice(
        [
            *groups,
            *groups,
            "missing",
            "admin",
            "statsd",
            f"{groups[0]}/app",
            f"{groups[-1]}/http",
            "127.0.0.1",
        ]
    )
    value_at(data, path[:-1])[path[-1]] = value
    return f"{key_of(path)} = {value!r}"


def _own_address(data: Data, chosen: random.Random) -> str:
    found = [
        (proxy, listener)
        for _name, proxy in proxies(data)
        for listener in (proxy.get("listeners") or {}).values()
        if proxy.get("clusters")
    ]
    if not found:
        return ""
    proxy, listener = chosen.choice(found)
    name = chosen.choice(sorted(proxy["clusters"]))
    port = chosen.choice([listener.get("publish"), listener.get("port")]) or 1
    address = chosen.choice(("127.0.0.1", "localhost", "::1", "host.docker.internal", "192.0.2.1"))
    proxy["clusters"][name] = {"address": address, "port": port}
    return f"cluster {name} = {proxy['clusters'][name]}"


def _protocol(data: Data, chosen: random.Random) -> str:
    name = chosen.choice(sorted(data["services"]))
    service = data["services"][name] = data["services"][name] or {}
    service["protocol"] = chosen.choice(("http", "tcp", "udp", "grpc"))
    return f"services.{name}.protocol = {service['protocol']}"


def _fixed(key: str, values: tuple[Data, ...]) -> Callable[[Data, random.Random], str]:
    """Return a mistake: one of the values in the overlay `key` of a proxy, a listener or a cluster."""

    def mistake(data: Data, chosen: random.Random) -> str:
        found = list(holders(data, key))
        if not found:
            return ""
        where, holder = chosen.choice(found)
        value = copy.deepcopy(chosen.choice(values))
        holder[key] = {**(holder.get(key) or {}), **value}
        return f"{where}.{key} = {value!r:.80}"

    return mistake


def _generated(key: str, kind: str) -> Callable[[Data, random.Random], str]:
    """Return a mistake: one field of the overlay `key`, generated from the definition of the message."""

    def mistake(data: Data, chosen: random.Random) -> str:
        found = list(holders(data, key))
        if not found:
            return ""
        where, holder = chosen.choice(found)
        field = chosen.choice(list(fields_of(kind).values()))
        value = _value_of(field, chosen, 0)
        holder[key] = {**(holder.get(key) or {}), field.name: value}
        return f"{where}.{key}.{field.name} = {value!r:.80}"

    return mistake


def _filter(data: Data, chosen: random.Random) -> str:
    found = [one for one in holders(data, "http_connection_manager") if "filters" not in one[1]]
    if not found:
        return ""
    where, holder = chosen.choice(found)
    kind, fields = chosen.choice(FILTERS)
    config = {"@type": f"{TYPE}.filters.http.{kind}", **copy.deepcopy(fields)}
    holder["http_filters"] = [
        *(holder.get("http_filters") or []),
        {"name": kind.partition(".")[0], "typed_config": config},
    ]
    return f"{where}.http_filters: {kind}"


def _message_field(data: Data, chosen: random.Random) -> str:
    """Change a field of an author's message to another value of its type."""
    found = [
        path
        for path in paths(data)
        if isinstance(path[-1], str) and len(path) > 5 and not isinstance(value_at(data, path), (dict, list))
    ]
    if not found:
        return ""
    path = chosen.choice(found)
    value = chosen.choice((*TEXTS, *NUMBERS, *DURATIONS, True, False))
    value_at(data, path[:-1])[path[-1]] = value
    return f"{key_of(path)} = {value!r:.40}"


def _environment(data: Data, chosen: random.Random) -> str:
    name = chosen.choice(sorted(data["services"]))
    service = data["services"][name] = data["services"][name] or {}
    if service.get("server"):
        if chosen.random() < 0.6:
            service["server"]["command"] = list(chosen.choice(COMMANDS))
            return f"services.{name}.server.command = {service['server']['command']}"
        holder = service["server"]
    else:
        holder = service["app"] = service.get("app") or {}
    variable, value = chosen.choice(APP_VARIABLES)
    holder["environment"] = {**(holder.get("environment") or {}), variable: value}
    return f"services.{name} {variable!r}={value!r}"


def _proxy_key(data: Data, chosen: random.Random) -> str:
    found = list(proxies(data))
    if not found:
        return ""
    where, proxy = chosen.choice(found)
    address, transport = (
        chosen.choice(("127.0.0.1", "localhost", "192.0.2.1", "x y")),
        chosen.choice(("tcp", "udp")),
    )
    key, value = chosen.choice((
        ("environment", dict([chosen.choice(ENVOY_VARIABLES)])),
        ("concurrency", chosen.choice((0, 128, 1000, "two"))),
        ("log_level", chosen.choice(("off", "loud", "trace"))),
        ("drain_seconds", chosen.choice((0, 3600, -1))),
        ("admin", {"publish": chosen.choice((1, 80, 9, 65_535, 65_536))}),
        ("statsd", {"address": address, "transport": transport}),
        ("envoy", {"version": chosen.choice(("1.2.3", "1.99.0", "1.36.4")), "executable": chosen.choice(PROGRAMS)}),
        ("mounts", {"/etc": {}}),
        ("files", {chosen.choice(("x", "../x", "/x", "bootstrap.yaml")): "x"}),
        ("access_log", False),
        ("stats_config", {"stats_matcher": {"inclusion_list": {"patterns": [{"prefix": "http."}]}}}),
    ))  # fmt: skip
    proxy[key] = value
    return f"{where}.{key} = {value!r}"


def _port(data: Data, chosen: random.Random) -> str:
    """Give a listener or a service the port of another one, or of a privileged program."""
    found = [path for path in paths(data) if path[-1] in ("port", "publish", "ports", "statsd_port")]
    if not found:
        return ""
    path = chosen.choice(found)
    numbers = [value_at(data, one) for one in found if isinstance(value_at(data, one), int)]
    value = chosen.choice([*numbers, 22, 80, 1, 65_535])
    value_at(data, path[:-1])[path[-1]] = value
    return f"{key_of(path)} = {value}"


MISTAKES: tuple[Callable[[Data, random.Random], str], ...] = (
    _drop,
    _rename,
    _duplicate,
    _wrong_value,
    _wrong_value,
    _extreme,
    _wrong_reference,
    _wrong_reference,
    _own_address,
    _protocol,
    _fixed("bootstrap", BOOTSTRAPS),
    _fixed("bootstrap", BOOTSTRAPS),
    _fixed("listener", LISTENERS),
    _fixed("listener", LISTENERS),
    _fixed("cluster", CLUSTERS),
    _fixed("cluster", CLUSTERS),
    _fixed("http_connection_manager", MANAGERS),
    _generated("bootstrap", BOOTSTRAP),
    _generated("listener", LISTENER),
    _generated("cluster", CLUSTER),
    _generated("http_connection_manager", HTTP_CONNECTION_MANAGER),
    _filter,
    _filter,
    _message_field,
    _message_field,
    _environment,
    _environment,
    _proxy_key,
    _port,
)


def _value_of(field: Field, chosen: random.Random, depth: int) -> Any:
    """Return a value of a field by its type, often an extreme one."""
    if field.shape == "[":
        one = _value_of(Field(field.name, field.type), chosen, depth)
        return chosen.choice(([], [one], [one, one]))
    if field.shape == "{":
        return chosen.choice(({}, {"x": _value_of(Field(field.name, field.type), chosen, depth)}))
    if field.type in ("s", "y"):
        return chosen.choice(TEXTS)
    if field.type in ("n", "f") or field.type.startswith("google.protobuf.UInt"):
        return chosen.choice(NUMBERS)
    if field.type == "b" or field.type == "google.protobuf.BoolValue":
        return chosen.choice((True, False))
    if field.type == "google.protobuf.Duration":
        return chosen.choice(DURATIONS)
    if values := enum_values(field.type):
        return chosen.choice(values)
    if field.type == ANY:
        return {"@type": f"{TYPE}.filters.http.router.v3.Router"}
    inner = list(fields_of(field.type).values()) if is_message(field.type) else []
    if not inner or depth > 3:
        return {}
    picked = [one for one in inner if one.required] or [chosen.choice(inner)]
    return {one.name: _value_of(one, chosen, depth + 1) for one in picked}
