# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of fleets, in a file: written and read one endpoint at a time, so that neither needs memory for all.

The file is the same JSON as a snapshot in a result, with each endpoint on a line of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.query import Query
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import (
    VERSION,
    Page,
    Samples,
    Snapshot,
    read_snapshot,
)


class SnapshotFile:
    """One that is being written; it is there when it is whole, and not before."""

    def __init__(self, path: str, time: float) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        try:
            descriptor, self._unfinished = tempfile.mkstemp(
                dir=os.path.dirname(self.path), prefix=f".{os.path.basename(self.path)}."
            )
        except OSError as error:
            raise SpecError(f"snapshot_file: {path} cannot be written: {error.strerror}") from None
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8")
        self._mark = ""
        self._write(f'{{"version": {VERSION}, "time": {json.dumps(time)}, "endpoints": {{\n')

    def add(self, page: Page) -> None:
        self._write(f"{self._mark}{json.dumps(page.name)}: {json.dumps(page.as_data())}")
        self._mark = ",\n"

    def finish(self) -> None:
        """Readable for its owner only: it may say more than who runs the task wants everybody to know."""
        self._write("\n}}\n")
        try:
            self._file.close()
            os.replace(self._unfinished, self.path)
        except OSError as error:
            raise self._cannot(error) from None

    def give_up(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()  # what is left to be written may find no space either
        with contextlib.suppress(OSError):
            os.unlink(self._unfinished)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError as error:
            raise self._cannot(error) from None

    def _cannot(self, error: OSError) -> SpecError:
        return SpecError(f"snapshot_file: {self.path} cannot be written: {error.strerror}")


def write(path: str, snapshot: Snapshot) -> dict[str, Any]:
    """Writes a snapshot; what is returned stands for it in a result, and is taken as `since`."""
    file = SnapshotFile(path, snapshot.time)
    try:
        for page in snapshot.pages.values():
            file.add(page)
        file.finish()
    except BaseException:
        file.give_up()
        raise
    return stands_for(file.path)


def stands_for(path: str) -> dict[str, Any]:
    return {"version": VERSION, "file": path}


def load_snapshot(data: Any, wanted: Mapping[str, Query] | None, where: str = "since") -> Snapshot:
    """A snapshot as a task is given it: data, or the path of a file, of which only what is wanted is kept; all where that is None."""
    path = _path(data)
    if path is None:
        return read_snapshot(data, where)
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return _read(file, wanted, where)
    except OSError as error:
        raise SpecError(
            f"{where}: the snapshot {path} cannot be read: {error.strerror}; it is on the host that wrote it"
        ) from None
    except ValueError as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{where}: {path} is no snapshot ({error}); write it with snapshot_file") from None


def _path(data: Any) -> str | None:
    if isinstance(data, str):
        return data
    if isinstance(data, Mapping):
        inner = data.get("snapshot", data)
        if isinstance(inner, Mapping) and isinstance(inner.get("file"), str):
            return str(inner["file"])
    return None


def _read(file: IO[str], wanted: Mapping[str, Query] | None, where: str) -> Snapshot:
    head = file.readline()
    if not head.rstrip().endswith('"endpoints": {'):  # written by something else: it has no lines to go by
        return read_snapshot(json.loads(head + file.read()), where)
    data = json.loads(head + "}}")
    snapshot = read_snapshot(data, where)
    whole = False
    shared: dict[str, str] = {}
    for line in file:
        if line.startswith("}}"):
            whole = True
            break
        entry = json.loads("{" + line.rstrip().removesuffix(",") + "}")
        for name, page in read_snapshot({**data, "endpoints": entry}, where).pages.items():
            if wanted is not None:
                _keep(page, wanted.get(name) or wanted.get(page.group), shared)
            snapshot.pages[name] = page
    if not whole:
        raise SpecError(f"{where}: the snapshot's file is cut off; take a new one")
    return snapshot


def _keep(page: Page, wanted: Query | None, shared: dict[str, str]) -> None:
    """Forgets what nobody looks at; of an endpoint that is not asked, all."""
    for source, samples in page.sources.items():
        selection = wanted.sources.get(source) if wanted else None
        covers: Callable[[str], bool] = selection.covers if selection else lambda _name: False
        page.sources[source] = Samples(
            samples.selection,
            {
                shared.setdefault(name, name): value
                for name, value in samples.values.items()
                if covers(_selected(name, source))
            },
            {name: one for name, one in samples.histograms.items() if covers(_selected(name, source))},
            {},
            {name: kind for name, kind in samples.kinds.items() if covers(_selected(name, source))},
        )


def _selected(name: str, source: str) -> str:
    """What a selection is of: of Prometheus' format the metric's name, without labels."""
    return name.partition("{")[0] if source == "prometheus" else name
