# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The update of a running proxy: its watched files are replaced in an order in which no resource refers to a missing one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminUnreachable
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import FileDifference

# The order in which files are restored: listeners first, while the routes and the clusters of both versions exist.
RESTORE_ORDER = ("listeners", "routes", "endpoints", "secrets", "other", "clusters")
# The order of changed files between added clusters and removed clusters. Listeners are last: they refer to all of these.
UPDATE_ORDER = ("secrets", "endpoints", "other", "routes", "listeners")


@dataclass(frozen=True)
class LiveFile:
    """A watched file that changes.

    Attributes:
        path: Path relative to the folder.
        old: Previous content. None when the file is new.
        new: Desired content.
        mode: Permission bits.
        kind: The content, as in `xds_file.KINDS`, or `other`.
    """

    path: str
    old: bytes | None
    new: bytes
    mode: int
    kind: str

    @property
    def is_unwatched(self) -> bool:
        """Whether no Envoy watches the file yet: the resource that refers to it comes in another file, which is confirmed."""
        return self.old is None and self.kind not in ("clusters", "listeners")


@dataclass(frozen=True)
class Swap:
    """One replacement of one file.

    Attributes:
        file: The file.
        content: The content that replaces it.
        removed_clusters: Clusters that this step removes. It runs after no previous connection needs them.
    """

    file: LiveFile
    content: bytes
    removed_clusters: tuple[str, ...] = ()


@dataclass
class LiveUpdate:
    """The result of the update of one proxy.

    Attributes:
        proxy: Name of the proxy.
        swaps: Number of confirmed replacements.
        error: Why the update failed. Empty when it did not.
        file: The file at which it failed.
        restored: Whether the proxy confirmed the previous files after a failure.
        kept_clusters: Clusters that were not removed, because previous connections may need them.
        warnings: What else the user should know.
        seconds: Duration.
        ended: Time of its end, in seconds since 1970.
    """

    proxy: str
    swaps: int = 0
    error: str = ""
    file: str | None = None
    restored: bool = True
    kept_clusters: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    ended: float = 0.0


def plan_swaps(files: Sequence[LiveFile], draining: bool = False) -> tuple[list[Swap], list[str]]:
    """Return the fewest steps that are safe, and warnings.

    The order is: new files to which other files will refer, added clusters, secrets, endpoints, routes, listeners, removed clusters.

    Args:
        files: The files that change.
        draining: Whether connections of an earlier change can still use clusters that this change removes.
    """
    clusters = [file for file in files if file.kind == "clusters"]
    # A resource that refers to a missing file is rejected.
    new = [file for file in files if file.is_unwatched]
    others = sorted(
        (file for file in files if file not in (*clusters, *new)),
        key=lambda file: UPDATE_ORDER.index(file.kind),
    )
    first = [Swap(file, file.new) for file in new]
    last: list[Swap] = []
    warnings: list[str] = []
    for file in clusters:
        if file.old is None or not (others or new or draining):
            first.append(Swap(file, file.new))
            continue
        try:
            old_and_new = xds_file.union(file.old.decode(), file.new.decode()).encode()
            removed = tuple(xds_file.removed_names(file.old.decode(), file.new.decode()))
        except (xds_file.UnsupportedLayout, UnicodeDecodeError) as error:
            first.append(Swap(file, file.new))
            warnings.append(
                f"{file.path}: the clusters cannot be separated ({error}). All clusters were replaced before the listeners."
            )
            continue
        if not removed:
            first.append(Swap(file, file.new))
            continue
        if _differs(file.old.decode(), old_and_new.decode()):
            first.append(Swap(file, old_and_new))
        last.append(Swap(file, file.new, removed_clusters=removed))
    return [*first, *(Swap(file, file.new) for file in others), *last], warnings


def update_proxy(
    proxy: str, target: ConfigTarget, files: Sequence[LiveFile], timeout: float, drain_timeout: float
) -> LiveUpdate:
    """Replace the watched files of a running proxy step by step, and restore them at the first step that is not confirmed.

    Args:
        proxy: Name of the proxy.
        target: Where its files are deployed.
        files: The files that change.
        timeout: Seconds for the confirmation of each step.
        drain_timeout: Seconds to wait for previous connections before clusters are removed.
    """
    started = time.monotonic()
    update = LiveUpdate(proxy)
    done: list[Swap] = []
    current: dict[str, bytes | None] = {file.path: file.old for file in files}
    try:
        swaps, update.warnings = plan_swaps(files, not target.wait_until_drained(started))
        before = {kind: target.update_counts(kind) for kind in {swap.file.kind for swap in swaps}}
        for swap in swaps:
            removed = swap.removed_clusters
            if removed and not target.wait_until_drained(time.monotonic() + drain_timeout, removed):
                update.kept_clusters += removed
                continue
            done.append(swap)
            update.error = _swap(swap, target, current, time.monotonic() + timeout)
            if update.error:
                break
            update.swaps += 1
        if not update.error:
            # An Envoy that reads a file twice can reject it the second time.
            rejections = (target.rejected_since(kind, counts) for kind, counts in before.items())
            update.error = next(filter(None, rejections), "")
    except AdminUnreachable as error:
        update.error = f"the admin interface stopped responding ({error})"
    except OSError as error:
        update.error = f"a file could not be written ({error})"
    if update.error:
        update.file = done[-1].file.path if done else files[0].path
        update.restored = _restore(done, target, current, timeout)
    update.seconds = round(time.monotonic() - started, 3)
    update.ended = time.time()
    return update


def live_files(differences: Sequence[FileDifference], proxy: str) -> list[LiveFile]:
    """Return the files among `differences` that `proxy` watches, with the kind of their content."""
    return [
        LiveFile(
            difference.path,
            difference.old,
            difference.desired.content,
            difference.desired.mode,
            file_kind(difference.path, difference.old, difference.desired.content),
        )
        for difference in differences
        if difference.desired and difference.desired.live == proxy
    ]


def file_kind(path: str, old: bytes | None, new: bytes) -> str:
    """Return the kind of a watched file: by the new content, or by the old one when the new one has no resources."""
    contents = [content.decode(errors="replace") for content in (new, old) if content]
    return xds_file.kind(path, *contents)


def _swap(swap: Swap, target: ConfigTarget, current: dict[str, bytes | None], deadline: float) -> str:
    """Write the content of a step; return an empty string when the proxy confirms it, else the reason."""
    file, old = swap.file, current[swap.file.path]
    before = target.update_counts(file.kind)
    target.write(file.path, swap.content, file.mode)
    current[file.path] = swap.content
    if old is None and file.is_unwatched:
        return ""
    version = xds_file.version_info(swap.content.decode(errors="replace"))
    return target.confirm(file.kind, before, _changed_names(old, swap.content), version, deadline)


def _restore(
    done: Sequence[Swap], target: ConfigTarget, current: dict[str, bytes | None], timeout: float
) -> bool:
    """Write the previous contents; return whether the proxy confirmed all of them."""
    confirmed = True
    files = {swap.file.path: swap.file for swap in done}
    for path, file in sorted(files.items(), key=lambda item: RESTORE_ORDER.index(item[1].kind)):
        if current[path] == file.old:
            continue
        try:
            if file.old is None:
                target.remove(path)
            else:
                swap, deadline = Swap(file, file.old), time.monotonic() + timeout
                # An Envoy that reads the rejected file twice can reject it again meanwhile.
                problem = _swap(swap, target, current, deadline) and _swap(swap, target, current, deadline)
                confirmed = not problem and confirmed
        except (AdminUnreachable, OSError):
            confirmed = False
            if file.old is not None:
                with contextlib.suppress(AdminUnreachable, OSError):
                    target.write(path, file.old, file.mode)
    return confirmed


def _changed_names(old: bytes | None, new: bytes) -> Sequence[str]:
    try:
        text = new.decode()
        return xds_file.changed_names(old.decode(), text) if old is not None else xds_file.names(text)
    except (xds_file.UnsupportedLayout, UnicodeDecodeError):
        return ()


def _differs(old: str, new: str) -> bool:
    try:
        return bool(xds_file.changed_names(old, new))
    except xds_file.UnsupportedLayout:
        return True
