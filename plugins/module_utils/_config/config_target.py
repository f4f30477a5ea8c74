# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a proxy's watched files are put, and who confirms them: this host's folder and one Envoy, or what a platform has."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    UpdateCounts,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree


class ConfigTarget(Protocol):
    """One proxy during one change: all of the Envoys that run it. `running` raises ConfigRefused, other methods but `read` raise
    AdminUnreachable or OSError.

    `kind` is what a file holds (clusters, listeners or other), `path` a file's below the folder, and a `deadline` one of
    time.monotonic().
    """

    def is_running(self) -> bool:
        """Say whether an Envoy runs that watches these files."""

    def read(self, path: str) -> bytes | None:
        """Return what the Envoys are given as `path`, None where the folder of this host tells."""

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Put `content` where the Envoys read it, and into the folder of this host, which tells what was deployed."""

    def remove(self, path: str) -> None:
        """Remove a file that was put."""

    def update_counts(self, kind: str) -> Any:
        """Return how often files of this kind were read until now, for `taken` and `late`."""

    def confirm(self, kind: str, before: Any, names: Collection[str], version: str, deadline: float) -> str:
        """Wait until every Envoy has taken what was put after `before`, and `names` in it are warm; return '' or what is wrong.

        `version` is the version_info of what was put, '' where it has none that is plain to see.
        """

    def rejected_since(self, kind: str, before: Any) -> str:
        """Return why a file was refused since `before`, '' where none was: it may be read a second time."""

    def rejected_since_start(self, kind: str) -> str:
        """Return why a file was refused since the Envoys started, '' where none was."""

    def wait_until_drained(self, deadline: float) -> bool:
        """Wait until no connection can use listeners of before any more; say whether that is so."""


class FolderTarget:
    """A folder of this host that one Envoy watches; see `ConfigTarget`."""

    def __init__(self, folder: Path, watch: XdsMonitor) -> None:
        self.folder = folder
        self.watch = watch

    def is_running(self) -> bool:
        return self.watch.client.is_running()

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        return None

    def write(self, path: str, content: bytes, mode: int) -> None:
        file_tree.make_folder((self.folder / path).parent)
        file_tree.write(self.folder / path, content, mode)

    def remove(self, path: str) -> None:
        file_tree.remove(self.folder, path)

    def update_counts(self, kind: str) -> UpdateCounts:
        return self.watch.update_counts(kind)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        return self.watch.confirm(kind, before, names, version, deadline)

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        return self.watch.rejected_since(kind, before)

    def rejected_since_start(self, kind: str) -> str:
        return self.watch.rejected_since_start(kind)

    def wait_until_drained(self, deadline: float) -> bool:
        return self.watch.wait_until_drained(deadline)
