# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of a watched file, separated line by line: the managed host may have no YAML library.

Supported are JSON, and YAML whose `resources:` is a block sequence. Any other layout raises UnsupportedLayout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

# The kind of a file, by the type of its resources.
KINDS = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster": "clusters",
    "type.googleapis.com/envoy.config.listener.v3.Listener": "listeners",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration": "routes",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment": "endpoints",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret": "secrets",
}
# The kind of a file whose resources have no type, by its name.
NAMED = {
    "clusters": r"cluster|cds",
    "listeners": r"listener|lds",
    "routes": r"route|rds",
    "endpoints": r"endpoint|eds",
    "secrets": r"secret|sds",
}
START = re.compile(r"^resources:\s*(#.*)?$")
EMPTY = re.compile(r"^resources:\s*(\[\s*\]|null|~)?\s*(#.*)?$")
NAME = re.compile(r"""^name:\s+(?:"([^"\\]*)"|'([^']*)'|([^\s"'#&*!|>{\[%@`][^#]*?))\s*(?:\s#.*)?$""")
TYPE = re.compile(r"""["']?@type["']?\s*:\s*["']?([\w./-]+)["']?\s*(?:[,}#]|$)""", re.M)
# Characters of a version_info that YAML, the admin interface and a replacement represent unchanged. Without quotes, YAML can
# parse a version as a number or a date.
PLAIN = r"[\w.:+/@ -]*"
VERSION = re.compile(
    rf"""^version_info:[ ]+(?:"({PLAIN})"|'({PLAIN})'|(sha256:[0-9a-f]+))[ ]*(?:#.*)?$""", re.M | re.A
)


@dataclass(frozen=True)
class ResourceBlocks:
    """The parts of a text. Joined in order, they are the text.

    Attributes:
        head: The text up to `resources:`.
        blocks: The text of each resource, by its name.
        tail: The text after the last resource.
    """

    head: str
    blocks: Mapping[str, str]
    tail: str

    @property
    def text(self) -> str:
        """Return the whole text."""
        return self.head + "".join(self.blocks.values()) + self.tail


class UnsupportedLayout(ValueError):
    """A text whose resources cannot be separated."""


def names(text: str) -> list[str]:
    """Return the names of the resources in order; a duplicate name occurs twice. Raises UnsupportedLayout."""
    if _is_json(text):
        return [_json_name(resource) for resource in _json_resources(text)]
    return [_name(block) for block in _split(text)[1]]


def split(text: str) -> ResourceBlocks:
    """Return the parts of a YAML `text`. Raises UnsupportedLayout."""
    head, blocks, tail = _split(text)
    named = {_name(block): block for block in blocks}
    if len(named) < len(blocks):
        raise UnsupportedLayout("two resources have the same name")
    return ResourceBlocks(head, named, tail)


def version_info(text: str) -> str:
    """Return the `version_info` that the admin interface shows for this text. Empty when the text has none, or not a plain one."""
    if _is_json(text):
        try:
            found = json.loads(text).get("version_info")
        except ValueError:
            return ""
        return found if isinstance(found, str) and re.fullmatch(PLAIN, found, re.A) else ""
    match = VERSION.search(text)
    return next((value for value in match.groups() if value is not None), "") if match else ""


def with_other_version(text: str) -> str:
    """Return a text with the same resources that Envoy reads as a new one: with another plain `version_info`, or a new line."""
    other = _versioned(text, f"{version_info(text)} again")
    return other if other != text else f"{text}\n"


def union(old: str, new: str) -> str:
    """Return `new` with the resources that only `old` has. Its version is `<new>+<old>`. Raises UnsupportedLayout."""
    new_version = version_info(new)
    both_versions = f"{new_version}+{version_info(old)}" if new_version else ""
    if _is_json(old) and _is_json(new):
        resources = _json_resources(new)
        new_names = {_json_name(resource) for resource in resources}
        missing_resources = [
            resource for resource in _json_resources(old) if _json_name(resource) not in new_names
        ]
        version = {"version_info": both_versions} if both_versions else {}
        merged = {**json.loads(new), **version, "resources": resources + missing_resources}
        return json.dumps(merged, indent=2) + "\n" if missing_resources else new
    if _is_json(old) or _is_json(new):
        raise UnsupportedLayout("one text is JSON and the other is YAML")
    before, after = split(old), split(new)
    missing = [block for name, block in before.blocks.items() if name not in after.blocks]
    if not missing:
        return new
    if any(re.search(r"(^|[\s\[{,:-])[&*][A-Za-z]", block) for block in missing):
        raise UnsupportedLayout("a resource uses YAML anchors")
    indent = _indent(next(iter(after.blocks.values()), missing[0]))
    moved = [_ended(_moved(block, indent)) for block in missing]
    head = after.head if after.blocks else re.sub(r"(?m)^resources:.*$", "resources:", after.head)
    text = head + "".join(map(_ended, after.blocks.values())) + "".join(moved) + after.tail
    return _versioned(text, both_versions)


def _versioned(text: str, other: str) -> str:
    """Return a YAML `text` with another plain `version_info`; unchanged when it has none."""
    return VERSION.sub(f"version_info: '{other}'", text) if version_info(text) else text


def removed_names(old: str, new: str) -> list[str]:
    """Return the names of `old` that `new` does not have. Raises UnsupportedLayout."""
    new_names = set(names(new))
    return [name for name in names(old) if name not in new_names]


def changed_names(old: str, new: str) -> list[str]:
    """Return the names of the resources of `new` that are new or changed. Raises UnsupportedLayout."""
    if _is_json(old) and _is_json(new):
        old_resources = {_json_name(resource): resource for resource in _json_resources(old)}
        return [
            _json_name(resource)
            for resource in _json_resources(new)
            if old_resources.get(_json_name(resource)) != resource
        ]
    old_blocks = split(old).blocks
    return [name for name, block in split(new).blocks.items() if old_blocks.get(name) != block]


def kind(path: str, *texts: str) -> str:
    """Return a kind of KINDS, or `other`: by the first type in `texts`, or by the name of the file when they have no type."""
    for text in texts:
        types = [found[1] for found in TYPE.finditer(text)]
        if types or "@type" in text:
            return next((KINDS[one] for one in types if one in KINDS), "other")
    file = path.rpartition("/")[2]
    return next((name for name, pattern in NAMED.items() if re.search(pattern, file)), "other")


def _split(text: str) -> tuple[str, list[str], str]:
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.startswith("resources:")), None)
    if start is None or "\t" in "".join(re.findall(r"^\s*", text, re.M)):
        raise UnsupportedLayout("there is no plain 'resources:'")
    head = "".join(lines[: start + 1])
    rest = lines[start + 1 :]
    first = next((line for line in rest if _content(line)), "")
    if not START.match(lines[start].rstrip()) or not first.lstrip().startswith("- "):
        if EMPTY.match(lines[start].rstrip()) and (not first or not first.startswith((" ", "-"))):
            return head, [], "".join(rest)
        raise UnsupportedLayout("'resources:' is not a block sequence")
    indent = _indent(first)
    blocks: list[list[str]] = []
    comments: list[str] = []
    for number, line in enumerate(rest):
        if not _content(line):
            comments.append(line)
        elif line.startswith(" " * indent + "- "):
            blocks.append([*comments, line])
            comments = []
        elif _indent(line) > indent:
            if not blocks:
                raise UnsupportedLayout("a line precedes the first resource")
            blocks[-1] += [*comments, line]
            comments = []
        else:
            return head, ["".join(block) for block in blocks], "".join([*comments, *rest[number:]])
    return head, ["".join(block) for block in blocks], "".join(comments)


def _name(block: str) -> str:
    """Return the value of the `name:` of the block's top level."""
    lines = [line for line in block.splitlines() if _content(line)]
    indent = _indent(lines[0])
    inner = indent + len(lines[0][indent:]) - len(lines[0][indent + 1 :].lstrip())
    found = [
        NAME.match(line[inner:].rstrip()) for line in lines if _indent(line) == inner or line is lines[0]
    ]
    matches = [match for match in found if match]
    if len(matches) != 1:
        raise UnsupportedLayout("a resource has no plain 'name:'")
    return next(value for value in matches[0].groups() if value is not None)


def _moved(block: str, indent: int) -> str:
    """Return the block, moved so that its dash is at column `indent`."""
    own = _indent(next(line for line in block.splitlines() if _content(line)))
    lines = block.splitlines(keepends=True)
    if own < indent:
        return "".join(" " * (indent - own) + line if line.strip() else line for line in lines)
    return "".join(line[min(own - indent, _indent(line)) :] for line in lines)


def _content(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _ended(block: str) -> str:
    return block if block.endswith("\n") else block + "\n"


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _json_resources(text: str) -> list[dict[str, object]]:
    try:
        resources = json.loads(text).get("resources") or []
    except (ValueError, AttributeError):
        raise UnsupportedLayout("the text is not JSON") from None
    if not isinstance(resources, list) or not all(isinstance(resource, dict) for resource in resources):
        raise UnsupportedLayout("'resources' is not a list of objects")
    return resources


def _json_name(resource: dict[str, object]) -> str:
    name = resource.get("name")
    if not isinstance(name, str):
        raise UnsupportedLayout("a resource has no name")
    return name
