# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The loader of a demo: it checks the data of a YAML file and adds all defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.plain_copies import copied
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_proxy import (
    add_author_topology,
    check_author_proxy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.changes.demo_changes import (
    changed_data,
    complete_changes,
    find_variant,
    variants,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_texts import refuse_placeholders
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.http.stated_protocols import (
    complete_protocols,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.cluster_names import (
    check_cluster_names,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.envoy_messages import (
    check_envoy_messages,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.misplaced_keys import (
    check_key,
    missing_remedy,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.replaced_fields import (
    check_replaced_fields,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.mistakes.unusable_texts import (
    check_characters,
    check_texts,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.names import (
    envoy_name_problem,
    name_problem,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import (
    DEMO,
    LISTENER,
    SERVICE,
    Option,
    Schema,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema_types import NO_SOURCE, convert
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.traffic_texts import traffic_with_texts
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import (
    LISTENER_KINDS,
    check_consistency,
    proxies,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.filters import tcp_proxy, udp_proxy

# The port of Envoy's stock configuration, which users expect of a sidecar.
SIDECAR_PORT = 10000
Demo = dict[str, Any]


def read_demo(
    name: str,
    data: Any,
    change: str = "",
    replicas: Mapping[str, Any] | None = None,
    file: str = "",
    source: DemoSource = NO_SOURCE,
) -> Demo:
    """Return a demo with all defaults.

    Args:
        name: Name of the demo.
        data: Content of the demo file.
        change: Name of the change to merge over the topology, such as `half`, or `half/2` up to its second step. Empty: none.
        replicas: Number of replicas by service, in place of the numbers of the file.
        file: Name of the demo file in errors. The name of the demo by default.
        source: The origin of the data: the texts of its values, and the files relative to the demo file.

    Returns:
        Every key of `schema.DEMO`, with all defaults, and the keys `name` and `file`.

    Raises:
        DemoError: The demo, or any of its changes, is wrong.
    """
    file = file or name
    if problem := name_problem(name):
        raise DemoError(file, f"invalid name '{name}' of a demo. {problem}")
    if not isinstance(data, Mapping):
        raise DemoError(file, "expected a mapping. A demo starts with 'summary:', 'ports:' and 'services:'.")
    check_characters(data, file)
    # Before the merge, so that an error names a key as the file spells it.
    demo = _complete(data, file, source)
    chosen = find_variant(demo, change, file)
    changed = {
        one: _complete(
            changed_data(data, demo, one, file), one.file(file), source.of_change(one.change, one.step)
        )
        for one in variants(demo)
    }
    if change:
        demo, file = changed[chosen], chosen.file(file)
    for service, count in (replicas or {}).items():
        check_known(service, demo["services"], file, "replicas", "service")
        option = SERVICE.options["replicas"]
        demo["services"][service]["replicas"] = convert(count, option, file, f"replicas.{service}")
    check_consistency(demo, file)
    return {**refuse_placeholders(demo, file), "name": name, "file": file}


def _complete(data: Mapping[str, Any], file: str, source: DemoSource) -> Demo:
    """Return `data`, checked and with all defaults."""
    demo = _check(data, DEMO, file, "", source)
    for where, proxy in proxies(demo):
        check_author_proxy(proxy, file, where)
        if proxy["config"] is not None:
            add_author_topology(cast("dict[str, Any]", proxy), file, where)
    for name, service in demo["services"].items():
        if service["sidecar"] is not None and service["sidecar"]["config"] is None:
            _add_sidecar_listener(name, service, file)
    for _where, proxy in proxies(demo):
        complete_protocols(proxy)
    demo["traffic"] = traffic_with_texts(demo["traffic"], file, "traffic", source)
    complete_changes(demo, file, source)
    check_consistency(demo, file)
    check_texts(demo, file)
    check_envoy_messages(demo, file)
    check_replaced_fields(demo, file)
    check_cluster_names(demo, file)
    return demo


def _check(data: Any, schema: Schema, file: str, path: str, source: DemoSource) -> dict[str, Any]:
    """Return one mapping, checked against `schema` and with all defaults."""
    if not isinstance(data, Mapping):
        keys = ", ".join(f"'{key}'" for key in list(schema.options)[:3])
        raise DemoError(file, f"{path}: expected a mapping with keys such as {keys}, got '{data}'.")
    for key in data:
        check_key(str(key), schema, file, path)
    return {
        key: _check_key(key, option, data.get(key), key in data, schema, file, _join(path, key), source)
        for key, option in schema.options.items()
    }


def _check_key(
    key: str,
    option: Option,
    value: Any,
    is_present: bool,
    schema: Schema,
    file: str,
    path: str,
    source: DemoSource,
) -> Any:
    """Return the checked value of one key, or its default."""
    if value == "" and option["type"] in ("dict", "list"):
        value = None  # ansible-core 2.18 renders a template whose value is null to this
    if value is None and is_present and key in schema.nested and not schema.nested[key].required:
        value = {}  # `sidecar:` without a value is a sidecar with all defaults
    if value is None:
        if option.get("required"):
            raise DemoError(file, f"{path}: missing. {missing_remedy(key)}")
        return copied(option.get("default"))
    value = convert(value, option, file, path, source)
    if key in schema.nested:
        return _check(value, schema.nested[key], file, path, source)
    if key in schema.items:
        return [
            _check(one, schema.items[key], file, f"{path}[{position}]", source)
            for position, one in enumerate(value)
        ]
    if key in schema.entries:
        return {
            _check_name(str(name), key in schema.envoy_names, file, path): _check(
                {} if one is None else one, schema.entries[key], file, f"{path}.{name}", source
            )
            for name, one in value.items()
        }
    return value


def _check_name(name: str, is_envoy_name: bool, file: str, path: str) -> str:
    if problem := envoy_name_problem(name) if is_envoy_name else name_problem(name):
        raise DemoError(file, f"{path}.{name}: invalid name '{name}'. {problem}")
    return name


def _add_sidecar_listener(name: str, service: Mapping[str, Any], file: str) -> None:
    """Add a listener to a sidecar without one. A listener without routes or filters forwards everything to the service."""
    listeners = service["sidecar"]["listeners"]
    if not listeners:
        listeners["ingress"] = _check({"port": SIDECAR_PORT}, LISTENER, file, "", NO_SOURCE)
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
