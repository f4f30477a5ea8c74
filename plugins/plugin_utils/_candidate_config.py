# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a proxy's files on the controller, where YAML is at hand: its candidate out, and what is wrong in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
WATCHED = {"listeners": ("lds_config", LISTENER), "clusters": ("cds_config", CLUSTER)}
# Envoy wants a node where it watches files; validation looks at it too.
MINIMAL = "node: {id: validation, cluster: validation}\n"


class Wrong(ValueError):
    """A file that cannot be what its author meant."""

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        super().__init__(f"{path} line {line}: {problem}" if line else f"{path}: {problem}")


def as_text(path: str, content: Any) -> str:
    """Return `content` as it is when it is text; data becomes JSON for a path that says so, else YAML."""
    if isinstance(content, str):
        return str(content)
    if path.endswith(".json"):
        return json.dumps(content, indent=2) + "\n"
    return to_yaml(content)


def candidate(proxy: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return the bootstrap of `proxy` with its listeners and clusters written in: validation reads no watched files.

    Nodes are moved as they were written, so that what Envoy takes for a number or a boolean stays just that.
    Raises Wrong.
    """
    bootstrap = proxy.get("bootstrap")
    root = _mapping(bootstrap, _text(proxy, "bootstrap", texts)) if bootstrap else _mapping("", MINIMAL)
    for kind, (source, type_url) in WATCHED.items():
        path = proxy.get(kind)
        if not path:
            continue
        dynamic = _get(root, "dynamic_resources")
        if isinstance(dynamic, yaml.MappingNode):
            _drop(dynamic, source)
            if not dynamic.value:
                _drop(root, "dynamic_resources")
        static = _child(root, "static_resources", yaml.MappingNode("tag:yaml.org,2002:map", []))
        held = _child(static, kind, yaml.SequenceNode("tag:yaml.org,2002:seq", []))
        held.value = [*held.value, *_resources(path, _text(proxy, kind, texts), type_url)]
        for node in (root, static, held, *held.value):
            # Block style: a line in it then says which resource it belongs to.
            node.flow_style = False
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, width=130, allow_unicode=True))


def check_syntax(path: str, text: str) -> None:
    """Raise Wrong, with the line, for a text that is no YAML (or JSON); it may be a stream of documents."""
    _parsed(path, lambda: list(yaml.compose_all(text, Loader=yaml.SafeLoader)))


def _resources(path: str, text: str, type_url: str) -> list[yaml.Node]:
    found = _get(_mapping(path, text), "resources")
    if found is None:
        raise Wrong(path, "a file that Envoy watches starts with 'resources:'")
    if isinstance(found, yaml.ScalarNode) and found.value in ("", "null", "~"):
        return []
    if not isinstance(found, yaml.SequenceNode):
        raise Wrong(path, "'resources' is not a list", found.start_mark.line + 1)
    for one in found.value:
        line = one.start_mark.line + 1
        if not isinstance(one, yaml.MappingNode):
            raise Wrong(path, "a resource is not a mapping", line)
        kind = _get(one, "@type")
        if kind is None:
            raise Wrong(path, f"a resource has no '@type': {type_url} is what belongs here", line)
        if kind.value != type_url:
            raise Wrong(
                path, f"'@type' is {kind.value}, and here it must be {type_url}", kind.start_mark.line + 1
            )
        _drop(one, "@type")
    return list(found.value)


def _text(proxy: Mapping[str, Any], kind: str, texts: Mapping[str, str]) -> str:
    path = proxy.get(kind)
    if not path:
        return ""
    if path not in texts:
        raise Wrong(f"proxies: {proxy['name']}", f"its {kind} {path!r} is none of the 'files'")
    return texts[path]


def _parsed(path: str, parse: Callable[[], Any]) -> Any:
    try:
        return parse()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.problem, error.context and f"({error.context})") if part)
        raise Wrong(path, f"is no YAML: {problem}", mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise Wrong(path, f"is no YAML: {error}") from None


def _mapping(path: str, text: str) -> yaml.MappingNode:
    node = _parsed(path, lambda: yaml.compose(text, Loader=yaml.SafeLoader))
    if not isinstance(node, yaml.MappingNode):
        raise Wrong(path, "is not a mapping")
    return node


def _get(node: yaml.MappingNode, key: str) -> Any:
    return next((value for name, value in node.value if name.value == key), None)


def _drop(node: yaml.MappingNode, key: str) -> None:
    node.value = [pair for pair in node.value if pair[0].value != key]


def _child(node: yaml.MappingNode, key: str, empty: Any) -> Any:
    found = _get(node, key)
    if isinstance(found, type(empty)):
        return found
    if found is not None:
        _drop(node, key)
    node.value = [*node.value, (yaml.ScalarNode("tag:yaml.org,2002:str", key), empty)]
    return empty
