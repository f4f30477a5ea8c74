# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a platform can do, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget

LAST_LINES = 8


class PlatformRefused(Exception):
    """Something that stands in the way, found before anything was changed: one sentence that says what to do."""


class PlatformUnavailable(PlatformRefused):
    """What the host lacks (docker, a program) and may have by the time of the real run: in check mode a remark."""


class PlatformFailed(Exception):
    """Workloads that did not start, or did not serve in time: which, and their last words."""


@dataclass(frozen=True)
class Applied:
    """What was done to which workloads, by name."""

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    # Of a cluster: objects that were made, changed or removed (`Deployment/front-proxy-edge`), and Ansible's diff of them.
    objects: tuple[str, ...] = ()
    diff: tuple[dict[str, Any], ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.started or self.restarted or self.removed or self.objects)


class Deployer(Protocol):
    """Runs the document that lies in the state folder.

    The order of a change is preflight, (the files are written), apply, ready, (what is live goes live), settle, retire.
    """

    def where(self) -> str:
        """Return where the workloads run, in words that are the same each time. Raises PlatformRefused where that is not known."""

    def preflight(self) -> None:
        """Raise PlatformRefused where something stands in the way; change nothing."""

    def places(self) -> Mapping[str, ConfigTarget]:
        """Return where each proxy's watched files are when that is not the state folder, by proxy; known after the preflight."""

    def lacking(self) -> tuple[str, ...]:
        """Return what has to be fetched first: images that are not on this host."""

    def fetch(self, lacking: Iterable[str]) -> None:
        """Fetch it. Raises PlatformRefused for what cannot be had."""

    def predict(self, document: str) -> Applied:
        """Return what a run with `document` would do; change nothing."""

    def apply(self) -> Applied:
        """Start what is missing, restart what differs, leave everything else alone. Raises PlatformFailed."""

    def ready(self, timeout: float) -> None:
        """Return when every workload serves. Raises PlatformFailed for those that end, or do not serve in time."""

    def settle(self, timeout: float) -> None:
        """Return when what serves is known to those who ask for it. Raises PlatformFailed."""

    def retire(self) -> Applied:
        """Stop and remove what the document no longer names."""

    def running(self) -> tuple[str, ...]:
        """Return the names of what runs, wanted or not."""

    def leftovers(self) -> bool:
        """Whether `absent` has anything to do."""

    def absent(self) -> tuple[str, ...]:
        """Stop everything, and remove whatever the platform itself left in the folder; return the names of what ran."""

    def close(self) -> None:
        """Let go of what was opened to ask."""


class OnHost:
    """What there is not to do for a platform whose workloads read the state folder itself."""

    def places(self) -> Mapping[str, ConfigTarget]:
        return {}

    def settle(self, timeout: float) -> None:
        """A name is known to all as soon as its workload runs."""

    def close(self) -> None:
        """Nothing is left open."""


def names(items: Iterable[str]) -> tuple[str, ...]:
    """Return `items` once each, in order."""
    return tuple(sorted(set(items)))


def ended(words: object) -> str:
    """Return words with the end of a sentence, where they have none."""
    text = str(words)
    return text if text.endswith((".", "?")) else f"{text}."


def failure(sentences: Sequence[str]) -> PlatformFailed:
    """Return one error for all workloads that failed."""
    return PlatformFailed("\n".join(sentences))


def last_words(what: str, lines: Sequence[str], where: str) -> str:
    """Return a sentence on a workload and what it said last."""
    said = [line.rstrip()[:300] for line in lines if line.strip()][-LAST_LINES:]
    if not said:
        return f"{what}; it said nothing ({where})"
    return "\n  ".join([f"{what}; its last lines ({where}):", *said])
