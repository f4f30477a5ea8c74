# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nodes of a YAML text with their positions, for the files of an author: JSON is a part of YAML."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, which parses no YAML
    yaml = None  # type: ignore[assignment]

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_mistakes import yaml_mistake


class FileError(ValueError):
    """A file that Envoy cannot read, with the path, the line and the fault."""

    def __init__(self, path: str, fault: str, line: int | None = None) -> None:
        super().__init__(f"{path} line {line}: {fault}" if line else f"{path}: {fault}")


@dataclass(frozen=True)
class Span:
    """A part of a text: the positions of its first character and of the character after it, and its line, counted from 1."""

    start: int
    end: int
    line: int


def parsed(path: str, text: str, parse: Callable[[], Any]) -> Any:
    """Return the result of `parse`. Raises FileError with the line of the mistake when the text is not YAML."""
    try:
        return parse()
    except yaml.YAMLError as error:
        # Without the lines around it, which may contain secrets.
        mistake = yaml_mistake(text, error, secret=True)
        raise FileError(path, f"not YAML: {mistake.problem}", mistake.line) from None


def mapping_node(path: str, text: str) -> Any:
    """Return the root of a text, which is a mapping. Raises FileError."""
    node = parsed(path, text, lambda: yaml.compose(text, Loader=yaml.SafeLoader))
    if not is_mapping(node):
        raise FileError(path, "the file is not a mapping. Write the fields of the message as keys")
    check_keys(path, node)
    return node


def is_mapping(node: Any) -> bool:
    """Return whether a node is a mapping."""
    return isinstance(node, yaml.MappingNode)


def is_scalar(node: Any) -> bool:
    """Return whether a node is a scalar."""
    return isinstance(node, yaml.ScalarNode)


def items(node: Any) -> list[Any]:
    """Return the items of a sequence. Envoy accepts one message in place of a list of one message."""
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [node] if is_mapping(node) else []


def at(node: Any, *keys: str) -> Any:
    """Return the node below `node` at a path of field names in snake_case; None if there is none."""
    for key in keys:
        node = fields(node).get(key)
    return node


def text_at(node: Any, *keys: str) -> str:
    """Return the text of a scalar below `node`; empty if there is none, or if it is null."""
    found = at(node, *keys)
    return "" if not is_scalar(found) or found.tag == "tag:yaml.org,2002:null" else str(found.value)


def fields(node: Any) -> dict[str, Any]:
    """Return the values of a mapping by field name in snake_case. Envoy also accepts names in lowerCamelCase."""
    if not is_mapping(node):
        return {}
    return {snake_case(key.value): value for key, value in node.value if is_scalar(key)}


def snake_case(name: str) -> str:
    """Return a field name in snake_case. A key that is not a field name, such as `@type`, is returned as it is."""
    if not re.fullmatch(r"[a-z][A-Za-z0-9_]*", name):
        return name
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0]}", name).lower()


def walk(node: Any, parents: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield each node once, with the nodes that contain it, the nearest first."""
    seen: set[int] = set()
    stack = [(node, parents)]
    while stack:
        current, above = stack.pop()
        if id(current) in seen:
            continue  # an alias
        seen.add(id(current))
        yield current, above
        inner = (current, *above)
        if is_mapping(current):
            stack.extend((value, inner) for _key, value in reversed(current.value))
        elif isinstance(current, yaml.SequenceNode):
            stack.extend((value, inner) for value in reversed(current.value))


def span(node: Any) -> Span:
    """Return the position of a node in its text."""
    return Span(node.start_mark.index, node.end_mark.index, node.start_mark.line + 1)


def is_block(node: Any) -> bool:
    """Return whether a collection is written in block style."""
    return not node.flow_style


def check_keys(path: str, root: Any) -> None:
    """Raise FileError if a mapping has a key twice: parsers disagree on which of the two values applies."""
    seen: set[int] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue  # an alias
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                pending.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in lines:
                    fault = (
                        f"the key '{key.value}' is already in line {lines[key.value]}. Keep one of the two"
                    )
                    raise FileError(path, fault, line)
                lines[key.value] = line
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value


def column(node: Any) -> int:
    """Return the column of the first character of a node, counted from 0."""
    return int(node.start_mark.column)
