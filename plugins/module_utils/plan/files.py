# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from data: one way to write YAML, one way to name what a plan writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class File:
    """A file below the folder; `live` names the proxy that watches it."""

    path: str
    content: str
    mode: str = "0644"
    live: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Dumper(yaml.SafeDumper):
    """Block style, lists indented, no aliases: as people write it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(data: Any, title: str = "") -> str:
    """Return `data` as YAML, keys in their order, below a comment that says what it is and who wrote it."""
    text = yaml.dump(_plain(data), Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True)
    return f"# {title}\n# Written by meshlab.envoy: change the demo or the role's variables, not this file.\n{text}" if title else text


def digest(files: Iterable[File], *more: str) -> str:
    """Return what changes when a file that is read only at start changes."""
    total = hashlib.sha256()
    for text in [*(part for file in files for part in (file.path, file.content)), *more]:
        total.update(text.encode() + b"\0")
    return total.hexdigest()[:12]


def _plain(value: Any) -> Any:
    """Ansible hands over subclasses of str, dict and list that YAML's representers do not know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
