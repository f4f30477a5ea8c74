# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of a watched file, told apart without a YAML library: the managed host may have none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

# What a file holds, by the type that its resources name.
KINDS = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster": "clusters",
    "type.googleapis.com/envoy.config.listener.v3.Listener": "listeners",
}
START = re.compile(r"^resources:\s*(#.*)?$")
EMPTY = re.compile(r"^resources:\s*(\[\s*\]|null|~)?\s*(#.*)?$")
NAME = re.compile(r"""^name:\s+(?:"([^"\\]*)"|'([^']*)'|([^\s"'#&*!|>{\[%@`][^#]*?))\s*(?:\s#.*)?$""")
# A version that YAML, the admin's page and a replacement have as it is; bare, YAML may take it for something else than text.
PLAIN = r"[\w.:+/@ -]*"
VERSION = re.compile(
    rf"""^version_info:[ ]+(?:"({PLAIN})"|'({PLAIN})'|(sha256:[0-9a-f]+))[ ]*(?:#.*)?$""", re.M | re.A
)


@dataclass(frozen=True)
class Blocks:
    """Text in pieces: `head`, one block for each resource in order, `tail`. Joined they are the text again."""

    head: str
    blocks: Mapping[str, str]
    tail: str

    @property
    def text(self) -> str:
        return self.head + "".join(self.blocks.values()) + self.tail


class Unclear(ValueError):
    """A text whose resources cannot be told apart."""


def names(text: str) -> list[str]:
    """Return the resources' names, in order, a doubled one twice. Raises Unclear."""
    if _is_json(text):
        return [_json_name(one) for one in _json_resources(text)]
    return [_name(block) for block in _split(text)[1]]


def split(text: str) -> Blocks:
    """Return the parts of a YAML `text`. Raises Unclear."""
    head, blocks, tail = _split(text)
    named = {_name(block): block for block in blocks}
    if len(named) < len(blocks):
        raise Unclear("a name is there twice")
    return Blocks(head, named, tail)


def version(text: str) -> str:
    """Return the version_info that the admin will show of this text, '' where it has none that is plain to see."""
    if _is_json(text):
        try:
            found = json.loads(text).get("version_info")
        except ValueError:
            return ""
        return found if isinstance(found, str) and re.fullmatch(PLAIN, found, re.A) else ""
    match = VERSION.search(text)
    return next((value for value in match.groups() if value is not None), "") if match else ""


def again(text: str) -> str:
    """Return the same resources as another text: of another version, where it has one that is plain to see."""
    other = _versioned(text, f"{version(text)} again")
    return other if other != text else f"{text}\n"


def union(old: str, new: str) -> str:
    """Return `new` with those resources of `old` that it lacks; its version is both. Raises Unclear."""
    own = version(new)
    both = f"{own}+{version(old)}" if own else ""
    if _is_json(old) and _is_json(new):
        mine = _json_resources(new)
        have = {_json_name(one) for one in mine}
        lacking = [one for one in _json_resources(old) if _json_name(one) not in have]
        versioned = {"version_info": both} if both else {}
        merged = {**json.loads(new), **versioned, "resources": mine + lacking}
        return json.dumps(merged, indent=2) + "\n" if lacking else new
    if _is_json(old) or _is_json(new):
        raise Unclear("one is JSON and the other is YAML")
    before, after = split(old), split(new)
    missing = [block for name, block in before.blocks.items() if name not in after.blocks]
    if not missing:
        return new
    if any(re.search(r"(^|[\s\[{,:-])[&*][A-Za-z]", block) for block in missing):
        raise Unclear("it uses anchors")
    indent = _indent(next(iter(after.blocks.values()), missing[0]))
    moved = [_ended(_moved(block, indent)) for block in missing]
    head = after.head if after.blocks else re.sub(r"(?m)^resources:.*$", "resources:", after.head)
    text = head + "".join(map(_ended, after.blocks.values())) + "".join(moved) + after.tail
    return _versioned(text, both)


def _versioned(text: str, other: str) -> str:
    """Return a YAML `text` with another version, where it has one that is plain to see."""
    return VERSION.sub(f"version_info: '{other}'", text) if version(text) else text


def lacking(old: str, new: str) -> list[str]:
    """Return the names of `old` that `new` has no more. Raises Unclear."""
    have = set(names(new))
    return [name for name in names(old) if name not in have]


def changed(old: str, new: str) -> list[str]:
    """Return the names of `new` that `old` has not, or not so. Raises Unclear."""
    if _is_json(old) and _is_json(new):
        before = {_json_name(one): one for one in _json_resources(old)}
        return [_json_name(one) for one in _json_resources(new) if before.get(_json_name(one)) != one]
    have = split(old).blocks
    return [name for name, block in split(new).blocks.items() if have.get(name) != block]


def kind(path: str, *texts: str) -> str:
    """Return 'clusters', 'listeners' or 'other': by the types in the texts, by the file's name where there are none."""
    for text in texts:
        for type_url, name in KINDS.items():
            if re.search(
                r"""["']?@type["']?\s*:\s*["']?""" + re.escape(type_url) + r"""["']?\s*([,}#]|$)""",
                text,
                re.M,
            ):
                return name
        if "@type" in text:
            return "other"
    file = path.rpartition("/")[2]
    if re.search(r"cluster|cds", file):
        return "clusters"
    return "listeners" if re.search(r"listener|lds", file) else "other"


def _split(text: str) -> tuple[str, list[str], str]:
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.startswith("resources:")), None)
    if start is None or "\t" in "".join(re.findall(r"^\s*", text, re.M)):
        raise Unclear("there is no plain 'resources:'")
    head = "".join(lines[: start + 1])
    rest = lines[start + 1 :]
    first = next((line for line in rest if _content(line)), "")
    if not START.match(lines[start].rstrip()) or not first.lstrip().startswith("- "):
        if EMPTY.match(lines[start].rstrip()) and (not first or not first.startswith((" ", "-"))):
            return head, [], "".join(rest)
        raise Unclear("'resources:' is not a block sequence")
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
                raise Unclear("something stands before the first resource")
            blocks[-1] += [*comments, line]
            comments = []
        else:
            return head, ["".join(block) for block in blocks], "".join([*comments, *rest[number:]])
    return head, ["".join(block) for block in blocks], "".join(comments)


def _name(block: str) -> str:
    """Return the value of the block's own `name:`."""
    lines = [line for line in block.splitlines() if _content(line)]
    indent = _indent(lines[0])
    inner = indent + len(lines[0][indent:]) - len(lines[0][indent + 1 :].lstrip())
    found = [
        NAME.match(line[inner:].rstrip()) for line in lines if _indent(line) == inner or line is lines[0]
    ]
    matches = [match for match in found if match]
    if len(matches) != 1:
        raise Unclear("a resource has no plain 'name:'")
    return next(value for value in matches[0].groups() if value is not None)


def _moved(block: str, indent: int) -> str:
    """Return the block with its dash at column `indent`."""
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
        raise Unclear("it is not JSON") from None
    if not isinstance(resources, list) or not all(isinstance(one, dict) for one in resources):
        raise Unclear("'resources' is not a list of objects")
    return resources


def _json_name(resource: dict[str, object]) -> str:
    name = resource.get("name")
    if not isinstance(name, str):
        raise Unclear("a resource has no name")
    return name
