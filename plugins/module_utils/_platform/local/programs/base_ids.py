# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base ids of the Envoys that a supervisord has started: their shared memory stays when the Envoys end.

They are in a file below the logs, because a document that replaced another one does not have the base ids of the previous one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.host_ports import (
    HOT_RESTART,
    NeededPort,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.documents import FILE, LOGS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.replacement.hot_restart import (
    BASE_ID,
    option,
    remove_shared_memory,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload

_IN_COMMAND = re.compile(rf"{BASE_ID} (\d{{1,8}})(?=\s)")
_RECORD = f"{LOGS}/base-ids"


def needed(workloads: Iterable[Workload]) -> list[NeededPort]:
    """Return the base ids of Envoys, which no other Envoy of the host can have."""
    return [
        NeededPort(workload.name, number, "", HOT_RESTART)
        for workload in workloads
        if (number := option(workload.command, BASE_ID)) is not None
    ]


def record(folder: Path) -> None:
    """Add the base ids of the document to the file."""
    known, needed = _recorded(folder), _planned(folder)
    if not needed <= known:
        file_tree.make_directory(folder, LOGS, 0o700)
        _write(folder, known | needed)


def release(folder: Path, all_ended: bool = False) -> None:
    """Remove the shared memory of Envoys that are no longer in the document, or of all if `all_ended`."""
    known, needed = _recorded(folder), _planned(folder)
    ended = known | needed if all_ended else known - needed
    remove_shared_memory(ended)
    if ended & known:
        _write(folder, known - ended)


def _planned(folder: Path) -> set[int]:
    return _numbers(_IN_COMMAND.findall(_text(folder, FILE)))


def _recorded(folder: Path) -> set[int]:
    return _numbers(re.findall(r"^\d{1,8}$", _text(folder, _RECORD), re.MULTILINE))


def _numbers(texts: Iterable[str]) -> set[int]:
    return {int(text) for text in texts}


def _write(folder: Path, numbers: Iterable[int]) -> None:
    text = "".join(f"{number}\n" for number in sorted(numbers))
    file_tree.write(folder, _RECORD, text.encode(), 0o600, durable=False)


def _text(folder: Path, path: str) -> str:
    found = file_tree.read(folder, path)
    return found[0].decode(errors="replace") if found else ""
