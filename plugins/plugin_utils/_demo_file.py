# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads a demo file on the controller: its data, the line and the text of each value, and the files beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.suggestions import unknown_name
from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_mistakes import yaml_mistake
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.plugin_utils._demo_values import TAGS, ValueResolver

# Limits of a demo file. Envoy's deepest messages have about 40 levels; 10,000 clusters with their routes have 300,000 values.
MAX_DEPTH = 100
MAX_VALUES = 1_000_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


def read_demo_file(
    path: Path,
    read_bytes: Callable[[Path], bytes] = Path.read_bytes,
    resolve: ValueResolver | None = None,
) -> tuple[Any, DemoSource]:
    """Return the data of a demo file and its source.

    Args:
        path: Path to the file. `~` is expanded.
        read_bytes: Reads a file, and decrypts it if needed.
        resolve: Resolves values with a tag, such as `!vault`. None refuses them.

    Raises:
        DemoError: The file is missing, cannot be read or is not YAML, a key occurs twice, or the data is too deep or too large.
    """
    file = path.expanduser()
    text = ""
    try:
        text = read_bytes(file).decode()
        node = yaml.compose(text, Loader=_Loader)
    except FileNotFoundError:
        known = sorted(one.stem for one in file.parent.glob("*.yml"))
        raise DemoError(str(path), unknown_name("demo", path.stem, known)) from None
    except OSError as error:
        raise DemoError(
            str(path), f"cannot be read: {error_text(error)}. Correct the path or its permissions."
        ) from error
    except RecursionError:
        raise DemoError(path.name, _too_deep()) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mistake = yaml_mistake(text, error, secret=file.read_bytes().startswith(b"$ANSIBLE_VAULT"))
        where = f"{path.name}, line {mistake.line}" if mistake.line else path.name
        raise DemoError(where, mistake.problem) from error
    if node is None:
        return None, DemoSource()
    _check_size(node, path.name)
    if resolve is not None:
        _resolve_values(node, resolve, path.name)
    lines: dict[str, int] = {}
    written: dict[str, str] = {}
    for where, value, line in _values(node, ""):
        lines[where] = line
        if isinstance(value, yaml.ScalarNode) and value.tag != _TEXT:
            written[where] = value.value
    source = DemoSource(
        lines,
        written,
        lambda one: read_bytes(file.parent / Path(one).expanduser()),
        secrets=frozenset(resolve.secrets) if resolve else frozenset(),
    )
    loader = _Loader("")
    try:
        return loader.construct_document(node), source
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DemoError(f"{path.name}, line {line}", f"invalid YAML: {error.problem}") from error
    finally:
        loader.dispose()


def _check_size(root: yaml.Node, file: str) -> None:
    """Check the depth, the number of values, with each alias counted in full, and the keys. Keys become text as written."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if sizes.get(id(node)) == 0:
            raise DemoError(
                f"{file}, line {node.start_mark.line + 1}",
                "this value contains an alias of itself. Write out the value.",
            )
        if depth > MAX_DEPTH:
            raise DemoError(f"{file}, line {node.start_mark.line + 1}", _too_deep())
        if id(node) in sizes:
            return sizes[id(node)]
        sizes[id(node)] = 0
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, file)
        total = 1 + sum(size(child, depth + 1) for child in _children(node))
        if total > MAX_VALUES:
            raise DemoError(
                f"{file}, line {node.start_mark.line + 1}",
                f"the demo has more than {MAX_VALUES:,} values, with aliases written out. Remove aliases (*name) of aliases.",
            )
        sizes[id(node)] = total
        return total

    size(root, 1)


def _resolve_values(root: yaml.Node, resolve: ValueResolver, file: str) -> None:
    """Replace each value with a tag of Ansible by its text."""
    for where, node, line in _values(root, ""):
        if isinstance(node, yaml.ScalarNode) and node.tag in TAGS:
            try:
                node.value = resolve(node.tag, node.value)
            except ValueError as error:
                problem = str(error).rstrip(".")
                raise DemoError(
                    f"{file}, line {line}",
                    f"{where}: {node.tag}: {problem}. Correct the value, or its password.",
                ) from None
            node.tag = _TEXT


def _too_deep() -> str:
    return f"the demo has more than {MAX_DEPTH} levels of lists and mappings. Use fewer levels."


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _key, value in node.value]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.MappingNode, file: str) -> None:
    """Refuse a key that occurs twice, and make each key the text that the file has."""
    seen: dict[str, int] = {}
    for key, _value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise DemoError(f"{file}, line {line}", "a key is a list or a mapping. Write text as the key.")
        if key.tag != _MERGE:
            key.tag = _TEXT
        if key.value in seen:
            raise DemoError(
                f"{file}, line {line}",
                f"the key '{key.value}' is already in line {seen[key.value]}. Keep one of the two.",
            )
        seen[key.value] = line


def _values(node: yaml.Node, path: str) -> Iterator[tuple[str, yaml.Node, int]]:
    """Yield (path, value, line of its key) of each value below `node`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag == _MERGE:
                for merged in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    yield from _values(merged, path)
        for key, value in node.value:
            if key.tag != _MERGE:
                where = f"{path}.{key.value}" if path else key.value
                yield where, value, key.start_mark.line + 1
                yield from _values(value, where)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield f"{path}[{position}]", value, value.start_mark.line + 1
            yield from _values(value, f"{path}[{position}]")
