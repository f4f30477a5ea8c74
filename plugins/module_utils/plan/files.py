# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from data: one way to write YAML, one way to name what a plan writes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

WRITTEN_BY = "# Written by meshlab.envoy: change the demo or the role's variables, not this file."


@dataclass(frozen=True)
class File:
    """A file below the folder; `live` names the proxy that watches it."""

    path: str
    content: str
    mode: str = "0644"
    live: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as a module takes it."""
        return asdict(self)


# libyaml's emitter, where PyYAML was built with it, is ten times as fast and writes the same text.
_Fastest: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_Fastest):  # type: ignore[misc]
    """Block style, no aliases: as people write it."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


# Envoy's parser (yaml-cpp) takes these for true and false; PyYAML does not, and so would not quote them.
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))


def to_yaml(data: Any, title: str = "") -> str:
    """Return `data` as YAML, keys in their order, below a comment that says what it is and who wrote it."""
    text = yaml.dump(plain(data), Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True)
    return f"# {title}\n{WRITTEN_BY}\n{text}" if title else text


def digest(files: Iterable[File]) -> str:
    """Return what changes when one of `files`, which are read only at start, changes."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.path}\0{file.content}\0".encode())
    return total.hexdigest()[:12]


def plain(value: Any) -> Any:
    """Return a copy of `value` in the types of JSON, and of no others.

    Ansible hands over subclasses of str, dict and list that YAML's representers do not know, YAML dates.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
