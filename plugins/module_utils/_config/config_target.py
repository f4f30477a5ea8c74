# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the watched files of a proxy are deployed, and which Envoys confirm them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    UpdateCounts,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree


class ConfigTarget(Protocol):
    """The deployed files of one proxy during one transaction, and all Envoys that run with them.

    In all methods, `path` is relative to the folder, `kind` is the content of a file (as in `xds_file.KINDS`, or `other`), and
    `deadline` is a time of `time.monotonic()`. `is_running` raises ConfigRefused; `read` raises nothing; the other methods raise
    AdminUnreachable or OSError.
    """

    def is_running(self) -> bool:
        """Return whether an Envoy runs that watches these files."""

    def read(self, path: str) -> bytes | None:
        """Return the content that the Envoys read, or None when they read the folder of this host."""

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Deploy a file to the Envoys, and write it below the folder of this host, which records what was deployed."""

    def remove(self, path: str) -> None:
        """Remove a file that was deployed."""

    def update_counts(self, kind: str) -> Any:
        """Return how often the Envoys read files of this kind, for `confirm` and `rejected_since`."""

    def confirm(self, kind: str, before: Any, names: Collection[str], version: str, deadline: float) -> str:
        """Wait until every Envoy has accepted the file that was written after `before` and its resources are warm.

        Args:
            kind: The content of the file.
            before: The counts before the file was written.
            names: The names of the resources that changed.
            version: The `version_info` of the file. Empty when it is not known.
            deadline: The end of the wait.

        Returns:
            An empty string, or why the file is not confirmed.
        """

    def rejected_since(self, kind: str, before: Any) -> str:
        """Return why a file was rejected after `before`, or an empty string. An Envoy can read a file a second time."""

    def rejected_since_start(self, kind: str) -> str:
        """Return why a file was rejected since the Envoys started, or an empty string."""

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        """Wait until no connection uses a previous listener and no request is in one of `clusters`; return whether that is so."""

    def wait_until_replaced(self, serials: Mapping[int, str], deadline: float) -> str:
        """Wait until no Envoy uses a certificate with one of these serial numbers; return which one it uses, or an empty string."""


class FolderTarget:
    """A folder of this host that one Envoy watches; see `ConfigTarget`."""

    def __init__(self, folder: Path, monitor: XdsMonitor) -> None:
        self.folder = folder
        self.monitor = monitor

    def is_running(self) -> bool:
        """Return whether the Envoy responds."""
        return self.monitor.admin.is_running()

    def read(self, path: str) -> bytes | None:  # noqa: ARG002
        """Return None: the Envoy reads the folder."""
        return None

    def write(self, path: str, content: bytes, mode: int) -> None:
        """Write the file below the folder."""
        file_tree.write(self.folder, path, content, mode)

    def remove(self, path: str) -> None:
        """Remove the file, and the directories that are then empty."""
        file_tree.remove(self.folder, path)

    def update_counts(self, kind: str) -> UpdateCounts:
        """Return the counts of the Envoy."""
        return self.monitor.update_counts(kind)

    def confirm(
        self, kind: str, before: UpdateCounts, names: Collection[str], version: str, deadline: float
    ) -> str:
        """Wait for the Envoy; see `ConfigTarget.confirm`."""
        return self.monitor.confirm(kind, before, names, version, deadline)

    def rejected_since(self, kind: str, before: UpdateCounts) -> str:
        """Return why the Envoy rejected a file after `before`."""
        return self.monitor.rejected_since(kind, before)

    def rejected_since_start(self, kind: str) -> str:
        """Return why the Envoy rejected a file since its start."""
        return self.monitor.rejected_since_start(kind)

    def wait_until_drained(self, deadline: float, clusters: Collection[str] = ()) -> bool:
        """Wait for the Envoy's previous listeners and for the requests in `clusters`."""
        return self.monitor.wait_until_drained(deadline, clusters)

    def wait_until_replaced(self, serials: Mapping[int, str], deadline: float) -> str:
        """Wait for the Envoy; see `ConfigTarget.wait_until_replaced`."""
        return self.monitor.wait_until_replaced(serials, deadline)
