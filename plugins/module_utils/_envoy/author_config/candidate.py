# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The candidate of a proxy: its bootstrap with the resources of its watched files, made on the controller, which has PyYAML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, which makes no candidate
    yaml = None  # type: ignore[assignment]

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import (
    FileError,
    check_keys,
    mapping_node,
    parsed,
)

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
# For each kind of watched file, its source in the bootstrap and the type of its resources.
WATCHED = {"listeners": ("lds_config", LISTENER), "clusters": ("cds_config", CLUSTER)}
# Envoy requires a node when it watches files, also for validation.
MINIMAL_BOOTSTRAP = "node: {id: validation, cluster: validation}\n"


def to_text(path: str, content: Any) -> str:
    """Return text unchanged, and other data as JSON when `path` ends in `.json`, otherwise as YAML."""
    if isinstance(content, str):
        return str(content)
    if path.endswith(".json"):
        return json.dumps(content, indent=2) + "\n"
    return to_yaml(content)


def candidate(proxy: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return the bootstrap of a proxy with its listeners and clusters in `static_resources`, as YAML.

    Envoy does not read watched files when it validates. Nodes are moved without being parsed into values, so a scalar stays a number,
    a boolean or a text exactly as Envoy parses it.

    Args:
        proxy: An item of the option `proxies`: `name`, and the paths `bootstrap`, `listeners` and `clusters`.
        texts: The text of each file, by path.

    Raises:
        FileError: A file is missing, is not YAML, or has resources of another type.
    """
    path = proxy.get("bootstrap")
    root = (
        mapping_node(path, _text(proxy, "bootstrap", texts)) if path else mapping_node("", MINIMAL_BOOTSTRAP)
    )
    for kind, (source, type_url) in WATCHED.items():
        path = proxy.get(kind)
        if not path:
            continue
        dynamic = _get(root, "dynamic_resources")
        if isinstance(dynamic, yaml.MappingNode):
            _remove(dynamic, source)
            if not dynamic.value:
                _remove(root, "dynamic_resources")
        static = _child(root, "static_resources", yaml.MappingNode("tag:yaml.org,2002:map", []))
        resources = _child(static, kind, yaml.SequenceNode("tag:yaml.org,2002:seq", []))
        resources.value = [*resources.value, *_resources(path, _text(proxy, kind, texts), type_url)]
        for node in (root, static, resources, *resources.value):
            # Block style: a line then belongs to one resource, which errors are located by.
            node.flow_style = False
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, width=130, allow_unicode=True))


def check_syntax(path: str, text: str) -> None:
    """Raise FileError with the line when `text` is not YAML (of which JSON is a part) or has a key twice. It can have several documents."""
    for document in parsed(path, text, lambda: list(yaml.compose_all(text, Loader=yaml.SafeLoader))):
        check_keys(path, document)


def _resources(path: str, text: str, type_url: str) -> list[yaml.Node]:
    resources = _get(mapping_node(path, text), "resources")
    if resources is None:
        raise FileError(path, "a watched file needs the key 'resources'. Add it")
    if isinstance(resources, yaml.ScalarNode) and resources.value in ("", "null", "~"):
        return []
    if not isinstance(resources, yaml.SequenceNode):
        raise FileError(
            path, "'resources' is not a list. Write a list of resources", resources.start_mark.line + 1
        )
    for resource in resources.value:
        line = resource.start_mark.line + 1
        if not isinstance(resource, yaml.MappingNode):
            raise FileError(path, "a resource is not a mapping. Write its fields as keys", line)
        kind = _get(resource, "@type")
        if kind is None:
            raise FileError(path, f"a resource has no '@type'. Add '@type': {type_url}", line)
        if kind.value != type_url:
            raise FileError(path, f"'@type' is {kind.value}. Use {type_url}", kind.start_mark.line + 1)
        _remove(resource, "@type")
    return list(resources.value)


def _text(proxy: Mapping[str, Any], option: str, texts: Mapping[str, str]) -> str:
    path = proxy.get(option)
    if not path:
        return ""
    if path not in texts:
        raise FileError(
            f"proxies.{proxy['name']}.{option}",
            f"{path!r} is not a path of 'files'. Add the file, or correct the path",
        )
    return texts[path]


def _get(node: yaml.MappingNode, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


def _remove(node: yaml.MappingNode, key: str) -> None:
    node.value = [pair for pair in node.value if pair[0].value != key]


def _child(node: yaml.MappingNode, key: str, empty: Any) -> Any:
    """Return the value of `key`, replaced by `empty` when it is not of that type."""
    child = _get(node, key)
    if isinstance(child, type(empty)):
        return child
    if child is not None:
        _remove(node, key)
    node.value = [*node.value, (yaml.ScalarNode("tag:yaml.org,2002:str", key), empty)]
    return empty
