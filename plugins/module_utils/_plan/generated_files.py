# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from data: one way to write YAML, one way to name what a plan writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import to_yaml

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


def titled(title: str, data: Any) -> str:
    """Return `data` as YAML, below a comment that says what it is and who wrote it."""
    return f"# {title}\n{WRITTEN_BY}\n{to_yaml(data)}"


def titled_all(title: str, documents: Iterable[Any]) -> str:
    """Return `documents` as one YAML stream, below the same comment."""
    return f"# {title}\n{WRITTEN_BY}\n" + "".join(f"---\n{to_yaml(one)}" for one in documents)


def digest(files: Iterable[File]) -> str:
    """Return what changes when one of `files`, which are read only at start, changes."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.path}\0{file.content}\0".encode())
    return total.hexdigest()[:12]
