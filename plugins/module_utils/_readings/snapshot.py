# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What endpoints showed at one moment: typed, and JSON-able both ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.arguments import Scalar
from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import SpecError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.re2 import Pattern, compile_pattern
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.histogram import Histogram, from_data

VERSION = 1


@dataclass(frozen=True)
class Selection:
    """What was looked for in a source: a name that is in it and not in the answer was not there."""

    names: frozenset[str] = frozenset()
    patterns: tuple[Pattern, ...] = ()
    everything: bool = False
    usedonly: bool = False  # of what it covers, all that Envoy has used, and of `names` the others too
    histograms: bool = True  # whether histograms were among it

    def covers(self, name: str) -> bool:
        return (
            self.everything or name in self.names or any(pattern.matches(name) for pattern in self.patterns)
        )

    def union(self, other: Selection) -> Selection:
        patterns = tuple(dict.fromkeys(self.patterns + other.patterns))
        everything, usedonly = self.everything or other.everything, self.usedonly and other.usedonly
        histograms = self.histograms or other.histograms
        return Selection(self.names | other.names, patterns, everything, usedonly, histograms)

    def as_data(self) -> dict[str, Any]:
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
    """What one source of one endpoint showed."""

    selection: Selection
    values: dict[str, Scalar] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=dict)
    intervals: dict[str, Histogram] = field(default_factory=dict)  # Envoy's own last flush interval
    kinds: dict[str, str] = field(default_factory=dict)  # counter or gauge, where it is known

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"selection": self.selection.as_data(), "values": self.values}
        if self.histograms:
            data["histograms"] = {name: one.as_data() for name, one in self.histograms.items()}
        if self.intervals:
            data["intervals"] = {name: one.as_data() for name, one in self.intervals.items() if one.count}
        if self.kinds:
            data["kinds"] = self.kinds
        return data


@dataclass(frozen=True)
class Identity:
    """Which process answered: another start time or epoch means that its counters began anew."""

    version: str = ""
    state: str = ""
    uptime: float | None = None  # seconds, of this epoch
    started: float | None = None  # seconds since 1970, to a second or two
    epoch: int | None = None
    slack: float = 1.0  # how many seconds earlier it may have started
    loaded: str = ""  # when it loaded its bootstrap, by its own clock; asked where the start time cannot tell two processes apart

    def as_data(self) -> dict[str, Any]:
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
    """What one endpoint showed, or why it showed nothing."""

    name: str
    format: str
    time: float  # seconds since 1970
    sources: dict[str, Samples] = field(default_factory=dict)
    identity: Identity | None = None
    failure: Failure | None = None
    bytes: int = 0
    milliseconds: float = 0.0
    group: str = ""  # of a pod: the entry that it came from

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"format": self.format, "time": self.time}
        if self.group:
            data["group"] = self.group
        data["sources"] = {source: samples.as_data() for source, samples in self.sources.items()}
        if self.identity:
            data["identity"] = self.identity.as_data()
        if self.failure:
            data["failure"] = {"kind": self.failure.kind, "message": self.failure.message}
        return data


@dataclass(repr=False)  # as Outcome's
class Snapshot:
    """All endpoints at one moment."""

    time: float
    pages: dict[str, Page] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)  # pods that were not asked; not part of the data

    def as_data(self) -> dict[str, Any]:
        """JSON-able, and accepted back by `read_snapshot`."""
        return {
            "version": VERSION,
            "time": self.time,
            "endpoints": {name: page.as_data() for name, page in self.pages.items()},
        }


def read_snapshot(data: Any, where: str = "since") -> Snapshot:
    """Reads a snapshot that an earlier task returned, or the whole result of that task."""
    if isinstance(data, Mapping) and isinstance(data.get("snapshot"), Mapping):
        data = data["snapshot"]
    if isinstance(data, Mapping) and isinstance(data.get("file"), str):
        raise SpecError(
            f"{where} is in the file {data['file']} of its host; only envoy_stats there reads it, as since"
        )
    if not isinstance(data, Mapping) or not isinstance(data.get("endpoints"), Mapping):
        raise SpecError(f"{where} is no snapshot; give it the `snapshot` that an earlier task registered")
    if data.get("version") != VERSION:
        raise SpecError(
            f"{where} is a snapshot of version {data.get('version')!r}, and {VERSION} is read here; take a new one"
        )
    try:
        return Snapshot(
            float(data["time"]),
            {str(name): _page(str(name), page) for name, page in data["endpoints"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(
            f"{where} is a damaged snapshot ({type(error).__name__}: {error}); take a new one"
        ) from None


def _page(name: str, data: Mapping[str, Any]) -> Page:
    failure, identity = data.get("failure"), data.get("identity")
    return Page(
        name=name,
        format=data["format"],
        time=float(data["time"]),
        sources={source: _samples(samples) for source, samples in data["sources"].items()},
        identity=Identity(**identity) if identity else None,
        failure=Failure(failure["kind"], failure["message"]) if failure else None,
        group=str(data.get("group", "")),
    )


def _samples(data: Mapping[str, Any]) -> Samples:
    selection = data["selection"]
    return Samples(
        Selection(
            frozenset(selection.get("names", ())),
            tuple(compile_pattern(pattern, "since") for pattern in selection.get("patterns", ())),
            bool(selection.get("everything")),
            bool(selection.get("usedonly")),
            bool(selection.get("histograms", True)),
        ),
        dict(data["values"]),
        {name: from_data(one) for name, one in data.get("histograms", {}).items()},
        {name: from_data(one) for name, one in data.get("intervals", {}).items()},
        dict(data.get("kinds", {})),
    )
