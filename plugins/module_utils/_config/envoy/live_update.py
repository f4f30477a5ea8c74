# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One running proxy from old to new listeners and clusters, so that at no moment one refers to what is not there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    AdminUnreachable,
)


@dataclass(frozen=True)
class LiveFile:
    """A watched file that changes; `old` is None where there was none."""

    path: str
    old: bytes | None
    new: bytes
    mode: int
    kind: str


@dataclass(frozen=True)
class Swap:
    """One step: this content in this file; `after_drain` are clusters that connections of before may still need."""

    file: LiveFile
    content: bytes
    after_drain: tuple[str, ...] = ()


@dataclass
class Outcome:
    """How it went for one proxy: `words` are Envoy's when it refused; `kept` are clusters left for old connections."""

    proxy: str
    swaps: int = 0
    words: str = ""
    file: str | None = None
    rolled_back: bool = True
    kept: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


def order(files: Sequence[LiveFile], draining: bool = False) -> tuple[list[Swap], list[str]]:
    """Return the steps, as few as there can be, and warnings: added clusters, others, listeners, removed clusters.

    `draining` says that connections of a change before this one may still use clusters that go now.
    """
    clusters = [file for file in files if file.kind == "clusters"]
    listeners = [file for file in files if file.kind == "listeners"]
    others = [file for file in files if file.kind == "other"]
    first: list[Swap] = []
    last: list[Swap] = []
    warnings: list[str] = []
    for file in clusters:
        if file.old is None or not (listeners or others or draining):
            first.append(Swap(file, file.new))
            continue
        try:
            both = xds_file.union(file.old.decode(), file.new.decode()).encode()
            gone = tuple(xds_file.lacking(file.old.decode(), file.new.decode()))
        except (xds_file.Unclear, UnicodeDecodeError) as error:
            first.append(Swap(file, file.new))
            warnings.append(
                f"{file.path} could not be told apart ({error}): all clusters were swapped before the listeners."
            )
            continue
        if not gone:
            first.append(Swap(file, file.new))
            continue
        if _differs(file.old.decode(), both.decode()):
            first.append(Swap(file, both))
        last.append(Swap(file, file.new, after_drain=gone))
    return [*first, *(Swap(file, file.new) for file in [*others, *listeners]), *last], warnings


def go_live(
    proxy: str, target: ConfigTarget, files: Sequence[LiveFile], timeout: float, drain_timeout: float
) -> Outcome:
    """Take the steps, each confirmed by the proxy; at the first that is not, go back to where it was."""
    started = time.monotonic()
    outcome = Outcome(proxy)
    done: list[Swap] = []
    current: dict[str, bytes | None] = {file.path: file.old for file in files}
    try:
        steps, outcome.warnings = order(files, not target.wait_until_drained(started))
        before = {kind: target.update_counts(kind) for kind in {step.file.kind for step in steps}}
        for step in steps:
            if step.after_drain and not target.wait_until_drained(time.monotonic() + drain_timeout):
                outcome.kept += step.after_drain
                continue
            done.append(step)
            outcome.words = _swap(step, target, current, time.monotonic() + timeout)
            if outcome.words:
                break
            outcome.swaps += 1
        if not outcome.words:
            # An Envoy that reads a file twice may have refused it the second time.
            late = (target.rejected_since(kind, count) for kind, count in before.items())
            outcome.words = next(filter(None, late), "")
    except AdminUnreachable as error:
        outcome.words = f"its admin stopped answering ({error})"
    except OSError as error:
        outcome.words = f"nothing, because a file could not be written ({error})"
    if outcome.words:
        outcome.file = done[-1].file.path if done else files[0].path
        outcome.rolled_back = _back(done, target, current, timeout)
    outcome.seconds = round(time.monotonic() - started, 3)
    return outcome


def _swap(step: Swap, target: ConfigTarget, current: dict[str, bytes | None], deadline: float) -> str:
    """Put a step's content in target; return '' when the proxy took it, else what it says."""
    file, old = step.file, current[step.file.path]
    before = target.update_counts(file.kind)
    target.write(file.path, step.content, file.mode)
    current[file.path] = step.content
    if old is None and file.kind == "other":
        # Nobody watches a file that was not there; what refers to it comes next and is confirmed itself.
        return ""
    version = xds_file.version(step.content.decode(errors="replace"))
    return target.confirm(file.kind, before, _names(old, step.content), version, deadline)


def _back(
    done: Sequence[Swap], target: ConfigTarget, current: dict[str, bytes | None], timeout: float
) -> bool:
    """Undo: listeners first, while the clusters of both are there. Say whether all was confirmed."""
    confirmed = True
    files = {step.file.path: step.file for step in done}
    for path, file in sorted(
        files.items(), key=lambda one: ("listeners", "other", "clusters").index(one[1].kind)
    ):
        if current[path] == file.old:
            continue
        try:
            if file.old is None:
                target.remove(path)
            else:
                back = Swap(file, file.old)
                confirmed = not _swap(back, target, current, time.monotonic() + timeout) and confirmed
        except (AdminUnreachable, OSError):
            confirmed = False
            if file.old is not None:
                with contextlib.suppress(AdminUnreachable, OSError):
                    target.write(path, file.old, file.mode)
    return confirmed


def _names(old: bytes | None, new: bytes) -> Sequence[str]:
    """Return the names of the resources that `new` brings or changes."""
    try:
        text = new.decode()
        return xds_file.changed(old.decode(), text) if old is not None else xds_file.names(text)
    except (xds_file.Unclear, UnicodeDecodeError):
        return ()


def _differs(old: str, new: str) -> bool:
    try:
        return bool(xds_file.changed(old, new))
    except xds_file.Unclear:
        return True


def kinds(files: Mapping[str, tuple[bytes | None, bytes]]) -> dict[str, str]:
    """Return for each path what its contents hold: clusters, listeners or other."""
    texts = {path: [one.decode(errors="replace") for one in pair if one] for path, pair in files.items()}
    return {path: xds_file.kind(path, *reversed(all_texts)) for path, all_texts in texts.items()}
