# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots in files, for many endpoints: one endpoint at a time is written and read, so neither needs memory for all.

The file has the JSON of a snapshot, with each endpoint on one line.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    VERSION,
    Page,
    Samples,
    Snapshot,
    read_snapshot,
)


class SnapshotFile:
    """A snapshot that is being written to a temporary file; `finish` renames it to its path."""

    def __init__(self, path: str, time: float) -> None:
        """Create the temporary file, which only its owner can read. Raises ArgumentError."""
        self.path = os.path.abspath(os.path.expanduser(path))
        try:
            descriptor, self._unfinished = tempfile.mkstemp(
                dir=os.path.dirname(self.path), prefix=f".{os.path.basename(self.path)}."
            )
        except OSError as error:
            raise _not_writable(path, error) from None
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8")
        self._mark = ""
        self._write(f'{{"version": {VERSION}, "time": {json.dumps(time)}, "endpoints": {{\n')

    def add(self, page: Page) -> None:
        """Write the page of one endpoint."""
        self._write(f"{self._mark}{json.dumps(page.name)}: {json.dumps(page.as_data())}")
        self._mark = ",\n"

    def finish(self) -> None:
        """Write the end and rename the file, which only its owner can read: it can contain more than other users may see."""
        self._write("\n}}\n")
        try:
            self._file.close()
            os.replace(self._unfinished, self.path)
        except OSError as error:
            raise _not_writable(self.path, error) from None

    def discard(self) -> None:
        """Close and remove the temporary file."""
        with contextlib.suppress(OSError):
            self._file.close()  # writes its buffer, which fails if the disk is full
        with contextlib.suppress(OSError):
            os.unlink(self._unfinished)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise _not_writable(self.path, error) from None


def _not_writable(path: str, error: OSError) -> ArgumentError:
    text = error_text(error)
    return ArgumentError(
        "snapshot_file", f"{path} cannot be written: {text}. Correct this, or give another path."
    )


def write_snapshot(path: str, snapshot: Snapshot) -> dict[str, Any]:
    """Write a snapshot to a file.

    Args:
        path: The file; `~` is the home of the user.
        snapshot: The snapshot.

    Returns:
        The data that takes the place of the snapshot in a result. `load_snapshot` accepts it.

    Raises:
        ArgumentError: The file cannot be written.
    """
    file = SnapshotFile(path, snapshot.time)
    try:
        for page in snapshot.pages.values():
            file.add(page)
        file.finish()
    except BaseException:
        file.discard()
        raise
    return file_reference(file.path)


def file_reference(path: str) -> dict[str, Any]:
    """Return the data that takes the place of a snapshot in a file."""
    return {"version": VERSION, "file": path}


def load_snapshot(data: Any, queries: Mapping[str, Query] | None, where: str = "since") -> Snapshot:
    """Return a snapshot that an option of a task contains.

    Args:
        data: The data of a snapshot, a result that contains it, or the path of a file.
        queries: What to keep of a file, by the name of the endpoint; None keeps everything.
        where: The option, for messages.

    Raises:
        ArgumentError: The data or the file is not a snapshot, or the file cannot be read.
    """
    path = _path(data)
    if path is None:
        return read_snapshot(data, where)
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return _read(file, queries, where)
    except OSError as error:
        raise ArgumentError(
            where,
            f"the snapshot {path} cannot be read: {error_text(error)}. The file is on the host that wrote it.",
        ) from None
    except ValueError as error:
        if isinstance(error, ArgumentError):
            raise
        raise ArgumentError(
            where, f"{path} is not a snapshot ({error}). Write it with snapshot_file."
        ) from None


def _path(data: Any) -> str | None:
    if isinstance(data, str):
        return data
    if isinstance(data, Mapping):
        inner = data.get("snapshot", data)
        if isinstance(inner, Mapping) and isinstance(inner.get("file"), str):
            return str(inner["file"])
    return None


def _read(file: IO[str], queries: Mapping[str, Query] | None, where: str) -> Snapshot:
    head = file.readline()
    if not head.rstrip().endswith(
        '"endpoints": {'
    ):  # written by another program, without a line for each endpoint
        return read_snapshot(json.loads(head + file.read()), where)
    data = json.loads(head + "}}")
    snapshot = read_snapshot(data, where)
    whole = False
    names: dict[str, str] = {}
    for line in file:
        if line.startswith("}}"):
            whole = True
            break
        entry = json.loads("{" + line.rstrip().removesuffix(",") + "}")
        for name, page in read_snapshot({**data, "endpoints": entry}, where).pages.items():
            if queries is not None:
                _keep(page, queries.get(name) or queries.get(page.group), names)
            snapshot.pages[name] = page
    if not whole:
        raise ArgumentError(where, "the file of the snapshot is cut off. Take a new snapshot.")
    return snapshot


def _keep(page: Page, query: Query | None, names: dict[str, str]) -> None:
    """Keep the readings that the query selects; without a query, none."""
    for source, samples in page.sources.items():
        selection = query.sources.get(source) if query else None
        covers: Callable[[str], bool] = selection.covers if selection else lambda _name: False
        page.sources[source] = Samples(
            samples.selection,
            {
                names.setdefault(name, name): value
                for name, value in samples.values.items()
                if covers(_selected(name, source))
            },
            {
                name: histogram
                for name, histogram in samples.histograms.items()
                if covers(_selected(name, source))
            },
            {},
            {name: kind for name, kind in samples.kinds.items() if covers(_selected(name, source))},
        )


def _selected(name: str, source: str) -> str:
    """Return the name that a selection applies to: in Prometheus' format the name of the metric, without labels."""
    return name.partition("{")[0] if source == "prometheus" else name
