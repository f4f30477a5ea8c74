# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: the readings of endpoints at one time, with a JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.regular_expressions.re2 import (
    Pattern,
    compile_pattern,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram, from_data

VERSION = 1
_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Selection:
    """Which readings of a source to read. A selected name that is missing in the samples did not exist."""

    names: frozenset[str] = frozenset()
    """Whole names."""
    patterns: tuple[Pattern, ...] = ()
    """Patterns that match whole names."""
    everything: bool = False
    """Whether all names are selected."""
    usedonly: bool = False
    """Whether stats that Envoy never used are left out, except those in `names`."""
    histograms: bool = True
    """Whether histograms are read."""

    def covers(self, name: str) -> bool:
        """Return whether a name is selected."""
        return (
            self.everything or name in self.names or any(pattern.matches(name) for pattern in self.patterns)
        )

    def union(self, other: Selection) -> Selection:
        """Return the selection of what either selection selects."""
        patterns = tuple(dict.fromkeys(self.patterns + other.patterns))
        everything, usedonly = self.everything or other.everything, self.usedonly and other.usedonly
        histograms = self.histograms or other.histograms
        return Selection(self.names | other.names, patterns, everything, usedonly, histograms)

    def as_data(self) -> dict[str, Any]:
        """Return the data for JSON."""
        data: dict[str, Any] = (
            {"everything": True}
            if self.everything
            else {"names": sorted(self.names), "patterns": [pattern.source for pattern in self.patterns]}
        )
        if self.usedonly:
            data["usedonly"] = True
        if not self.histograms:
            data["histograms"] = False
        return data


@dataclass
class Samples:
    """The readings of one source of one endpoint."""

    selection: Selection
    values: dict[str, Scalar] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    intervals: dict[str, Histogram] = field(default_factory=dict)
    """The samples of Envoy's last flush interval, by name of the histogram."""
    kinds: dict[str, str] = field(default_factory=dict)
    """`counter` or `gauge` by name, if it is known."""

    def as_data(self, common: Selection | None = None) -> dict[str, Any]:
        """Return the data for JSON, without a selection that equals `common`."""
        data: dict[str, Any] = {} if self.selection == common else {"selection": self.selection.as_data()}
        data["values"] = self.values
        if self.histograms:
            data["histograms"] = {name: histogram.as_data() for name, histogram in self.histograms.items()}
        if self.intervals:
            data["intervals"] = {
                name: histogram.as_data() for name, histogram in self.intervals.items() if histogram.count
            }
        if self.kinds:
            data["kinds"] = self.kinds
        return data


@dataclass(frozen=True)
class Identity:
    """Which process answered. With another start time or epoch, its counters started at 0 again."""

    version: str = ""
    state: str = ""
    uptime: float | None = None
    """Seconds since the start of this epoch."""
    started: float | None = None
    """When the process started, in seconds since 1970."""
    epoch: int | None = None
    """Envoy's hot restart epoch."""
    slack: float = 1.0
    """Seconds by which the process can have started before `started`."""
    loaded: str = ""
    """When Envoy loaded its bootstrap, by its own clock. It is read only if the start time does not distinguish two processes."""

    def as_data(self) -> dict[str, Any]:
        """Return the data for JSON."""
        keys = (
            "version",
            "state",
            "uptime",
            "started",
            "epoch",
            "slack",
            *(["loaded"] if self.loaded else []),
        )
        return {key: getattr(self, key) for key in keys}


@dataclass
class Page:
    """The readings of one endpoint, or why there are none."""

    name: str
    format: str
    time: float
    """Seconds since 1970."""
    sources: dict[str, Samples] = field(default_factory=dict)
    """Samples by the name of their source."""
    identity: Identity | None = None
    failure: Failure | None = None
    bytes: int = 0
    """Bytes of all response bodies, before decompression."""
    milliseconds: float = 0.0
    group: str = ""
    """For a pod, the name of the entry that selects it."""

    def as_data(self, common: Mapping[str, Selection] = _NONE) -> dict[str, Any]:
        """Return the data for JSON, without the selection of a source that equals the one in `common`."""
        data: dict[str, Any] = {"format": self.format, "time": self.time}
        if self.group:
            data["group"] = self.group
        data["sources"] = {
            source: samples.as_data(common.get(source)) for source, samples in self.sources.items()
        }
        if self.identity:
            data["identity"] = self.identity.as_data()
        if self.failure:
            data["failure"] = {"kind": self.failure.kind, "message": self.failure.message}
        return data


@dataclass(repr=False)  # as Outcome's
class Snapshot:
    """The pages of endpoints at one time."""

    time: float
    """Seconds since 1970."""
    pages: dict[str, Page] = field(default_factory=dict)
    """Pages by the name of their endpoint."""
    remarks: list[str] = field(default_factory=list)
    """A sentence for each pod that is left out because it is not ready. Remarks are not part of the data."""

    def as_data(self) -> dict[str, Any]:
        """Return the data for JSON, which `read_snapshot` reads.

        The selection of the first endpoint is there once, for all that share it: Ansible copies each value of a result several times.
        """
        common: dict[str, Selection] = {}
        for page in self.pages.values():
            for source, samples in page.sources.items():
                common.setdefault(source, samples.selection)
        return {
            "version": VERSION,
            "time": self.time,
            "selections": {source: selection.as_data() for source, selection in common.items()},
            "endpoints": {name: page.as_data(common) for name, page in self.pages.items()},
        }


def read_snapshot(data: Any, where: str = "since") -> Snapshot:
    """Return the snapshot in the result of an earlier task.

    Args:
        data: The snapshot's data, or the whole result that contains it.
        where: The option or variable, for messages.

    Raises:
        ArgumentError: The data is not a snapshot of this version.
    """
    if isinstance(data, Mapping) and isinstance(data.get("snapshot"), Mapping):
        data = data["snapshot"]
    if isinstance(data, Mapping) and isinstance(data.get("file"), str):
        raise ArgumentError(
            where,
            f"the snapshot is in the file {data['file']} on its host. Use it as since of envoy_stats on that host.",
        )
    if not isinstance(data, Mapping) or not isinstance(data.get("endpoints"), Mapping):
        raise ArgumentError(where, "not a snapshot. Set it to the snapshot in an earlier task's result.")
    if data.get("version") != VERSION:
        raise ArgumentError(
            where,
            f"expected a snapshot of version {VERSION}, got {data.get('version')!r}. Take a new snapshot.",
        )
    try:
        common = {source: _selection(selection) for source, selection in data.get("selections", {}).items()}
        return Snapshot(
            float(data["time"]),
            {str(name): _page(str(name), page, common) for name, page in data["endpoints"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArgumentError(
            where, f"the snapshot is damaged ({type(error).__name__}: {error}). Take a new snapshot."
        ) from None


def _page(name: str, data: Mapping[str, Any], common: Mapping[str, Selection]) -> Page:
    failure, identity = data.get("failure"), data.get("identity")
    return Page(
        name=name,
        format=data["format"],
        time=float(data["time"]),
        sources={
            source: _samples(
                samples, _selection(samples["selection"]) if "selection" in samples else common[source]
            )
            for source, samples in data["sources"].items()
        },
        identity=Identity(**identity) if identity else None,
        failure=Failure(failure["kind"], failure["message"]) if failure else None,
        group=str(data.get("group", "")),
    )


def _selection(data: Mapping[str, Any]) -> Selection:
    return Selection(
        frozenset(data.get("names", ())),
        tuple(compile_pattern(pattern, "since") for pattern in data.get("patterns", ())),
        bool(data.get("everything")),
        bool(data.get("usedonly")),
        bool(data.get("histograms", True)),
    )


def _samples(data: Mapping[str, Any], selection: Selection) -> Samples:
    return Samples(
        selection,
        dict(data["values"]),
        {name: from_data(histogram) for name, histogram in data.get("histograms", {}).items()},
        {name: from_data(histogram) for name, histogram in data.get("intervals", {}).items()},
        dict(data.get("kinds", {})),
    )
