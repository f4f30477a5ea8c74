# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a runtime can do, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

LAST_LINES = 8


class RuntimeRefused(Exception):
    """Something that stands in the way, found before anything was changed: one sentence that says what to do."""


class RuntimeUnavailable(RuntimeRefused):
    """What the host lacks (docker, a program) and may have by the time of the real run: in check mode a remark."""


class RuntimeFailed(Exception):
    """Workloads that did not start, or did not serve in time: which, and their last words."""


@dataclass(frozen=True)
class Applied:
    """What was done to which workloads, by name."""

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.started or self.restarted or self.removed)


class Runtime(Protocol):
    """Runs the document that lies in the state folder.

    The order of a change is preflight, (the files are written), apply, ready, (what is live goes live), retire.
    """

    def preflight(self) -> None:
        """Raise RuntimeRefused where something stands in the way; change nothing."""

    def lacking(self) -> tuple[str, ...]:
        """Return what has to be fetched first: images that are not on this host."""

    def fetch(self, lacking: Iterable[str]) -> None:
        """Fetch it. Raises RuntimeRefused for what cannot be had."""

    def predict(self, document: str) -> Applied:
        """Return what a run with `document` would do; change nothing."""

    def apply(self) -> Applied:
        """Start what is missing, restart what differs, leave everything else alone. Raises RuntimeFailed."""

    def ready(self, timeout: float) -> None:
        """Return when every workload serves. Raises RuntimeFailed for those that end, or do not serve in time."""

    def retire(self) -> tuple[str, ...]:
        """Stop and remove what the document no longer names; return its names."""

    def running(self) -> tuple[str, ...]:
        """Return the names of what runs, wanted or not."""

    def leftovers(self) -> bool:
        """Whether `absent` has anything to do."""

    def absent(self) -> tuple[str, ...]:
        """Stop everything, and remove whatever the runtime itself left in the folder; return the names of what ran."""


def names(items: Iterable[str]) -> tuple[str, ...]:
    """Return `items` once each, in order."""
    return tuple(sorted(set(items)))


def failure(sentences: Sequence[str]) -> RuntimeFailed:
    """Return one error for all workloads that failed."""
    return RuntimeFailed("\n".join(sentences))


def last_words(what: str, lines: Sequence[str], where: str) -> str:
    """Return a sentence on a workload and what it said last."""
    said = [line.rstrip()[:300] for line in lines if line.strip()][-LAST_LINES:]
    if not said:
        return f"{what}; it said nothing ({where})"
    return "\n  ".join([f"{what}; its last lines ({where}):", *said])
