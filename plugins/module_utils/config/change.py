# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder made equal to a wanted set of files, in phases: prepare, write, go live, finish.

with prepare(folder, wanted) as change:   # nothing live is touched; Refused says what is wrong
    if change.changed:
        change.write()                     # all but what running proxies watch
        …                                  # start what is new, wait until it is ready
        change.go_live(timeout=10)         # what running proxies watch, confirmed by them
        …                                  # stop what is gone
        change.finish()                    # remove what nobody wants any more
"""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.config import (
    blocks,
    certificates,
    checks,
    live,
    manifest,
    stage,
    tree,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.config.admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils.config.compare import Differences, compare, shown
from ansible_collections.meshlab.envoy.plugins.module_utils.config.manifest import Manifest, sha256
from ansible_collections.meshlab.envoy.plugins.module_utils.config.model import (
    AUTHORITY,
    STAGING,
    Check,
    File,
    Finding,
    Refused,
    Runner,
    Unavailable,
    Wanted,
)
from ansible_collections.meshlab.envoy.plugins.module_utils.config.run import run
from ansible_collections.meshlab.envoy.plugins.module_utils.config.watch import Watch

AT_ONCE = 16


class Change:
    """What `prepare` found to do. Its phases are called in order; what is not called is done by the next run."""

    def __init__(self, folder: Path, wanted: Wanted, check_mode: bool = False) -> None:
        self.folder = folder
        self.wanted = wanted
        self.check_mode = check_mode
        self.before = Manifest()
        self.after = Manifest()
        self.differences = Differences((), (), (), (), ())
        self.remarks: list[str] = []
        self.outcomes: list[live.Outcome] = []
        self._running: set[str] = set()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Change:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go, so that another run may change it."""
        self._held.close()

    @property
    def changed(self) -> bool:
        return bool(self.differences)

    @property
    def diff(self) -> list[dict[str, Any]]:
        return shown(self.differences)

    def files_changed(self, below: str = "") -> list[str]:
        """Return the paths that differ, of `below` (a path or a folder) when it is given; certificates and removals too."""
        paths = [one.path for one in (*self.differences.files, *self.differences.gone)]
        return [path for path in paths if not below or path == below or path.startswith(f"{below}/")]

    def write(self, restarting: Collection[str] = ()) -> None:
        """Write everything except what running proxies watch; those in `restarting` count as not running."""
        watched = {one.wanted.live for one in self.differences.files if one.wanted and one.wanted.live}
        asked = [
            admin for admin in self.wanted.admins if admin.proxy in watched and admin.proxy not in restarting
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            alive = list(pool.map(lambda admin: AdminClient(admin.url).running(), asked))
        self._running = {admin.proxy for admin, runs in zip(asked, alive, strict=True) if runs}
        with _permitted(self.folder):
            manifest.save(self.folder, self.before.with_pending(self.after))
            for folder in self.wanted.directories:
                tree.make_folder(self.folder / folder.path, folder.mode, exact=True)
            for one in self.differences.files:
                if one.wanted and one.wanted.live not in self._running:
                    tree.make_folder((self.folder / one.path).parent)
                    tree.write(self.folder / one.path, one.wanted.content, one.wanted.mode)

    def go_live(self, timeout: float = 10, drain_timeout: float = 10) -> list[live.Outcome]:
        """Bring running proxies to their new files, side by side. Raises Refused, when all are done, for those that refused.

        A cluster that goes is kept until no connection of before needs it; when that takes longer than `drain_timeout`
        it stays (`Outcome.kept`, and a remark), and the next run removes it.
        """
        urls = {admin.proxy: admin.url for admin in self.wanted.admins}
        work = {proxy: self._live_files(proxy) for proxy in sorted(self._running)}

        def one(proxy: str) -> live.Outcome:
            return live.go_live(
                proxy, Watch(AdminClient(urls[proxy])), self.folder, work[proxy], timeout, drain_timeout
            )

        with ThreadPoolExecutor(AT_ONCE) as pool:
            self.outcomes = list(pool.map(one, work))
        for outcome in self.outcomes:
            self.remarks += [f"{outcome.proxy}: {remark}" for remark in outcome.remarks]
            if outcome.kept:
                self.remarks.append(
                    f"{outcome.proxy}: connections of before the change are still open after {drain_timeout:g} s;"
                    f" {', '.join(outcome.kept)} stays for them, and the next run removes it."
                )
        refused = [one for one in self.outcomes if one.words]
        if refused:
            raise Refused(
                [Finding(f"the running Envoy says: {one.words}.", one.proxy, one.file) for one in refused],
                stays=_stays(refused),
            )
        return self.outcomes

    def undo(self, proxies: Iterable[str]) -> None:
        """Put back what `write` wrote for these proxies and they do not watch: for an Envoy that refused its live files."""
        blamed = {path for check in self.wanted.checks if check.name in set(proxies) for path in check.blames}
        for one in self.differences.files:
            if one.path in blamed and one.wanted and not one.wanted.live:
                if one.old is None or one.old_mode is None:
                    tree.remove(self.folder, one.path)
                else:
                    tree.write(self.folder / one.path, one.old, one.old_mode)

    def finish(self) -> None:
        """Remove what an earlier run wrote and nobody wants any more, and remember what is there now."""
        with _permitted(self.folder):
            for gone in self.differences.gone:
                tree.remove(self.folder, gone.path)
            for path in sorted(self.differences.gone_directories, reverse=True):
                for left in (self.folder / path).glob("*"):
                    # An Envoy that is gone leaves its admin's socket.
                    if stat.S_ISSOCK(left.lstat().st_mode):
                        left.unlink()
                tree.remove_folder(self.folder / path)
            manifest.save(self.folder, self.after)

    def _live_files(self, proxy: str) -> list[live.LiveFile]:
        mine = [one for one in self.differences.files if one.wanted and one.wanted.live == proxy]
        kinds = live.kinds({one.path: (one.old, one.wanted.content) for one in mine if one.wanted})
        return [
            live.LiveFile(one.path, one.old, one.wanted.content, one.wanted.mode, kinds[one.path])
            for one in mine
            if one.wanted
        ]


def prepare(
    folder: str | Path,
    wanted: Wanted,
    runner: Runner = run,
    check_mode: bool = False,
    now: float | None = None,
) -> Change:
    """Return what is to be done to make `folder` equal to `wanted`, checked. Nothing live is touched.

    Raises Refused, with all that is wrong. In check mode nothing is written below `folder`, and what the host lacks
    (openssl, docker, the Envoy) is a remark.
    """
    change = Change(Path(folder).expanduser().absolute(), wanted, check_mode)
    moment = time.time() if now is None else now
    if not _look(change, moment)[0]:
        return change
    try:
        if not check_mode:
            with _permitted(change.folder):
                if not change.folder.is_dir():
                    tree.make_folder(change.folder, 0o700)
                change._held.enter_context(tree.locked(change.folder))
                tree.sweep(change.folder, {str(Path(one.path).parent) for one in wanted.files})
        _prepare_held(change, runner, moment)
    except BaseException:
        change.close()
        raise
    return change


def _look(change: Change, moment: float) -> tuple[bool, certificates.Certified, dict[str, str], list[Check]]:
    """Compare, and say whether there is anything to do: what is kept of certificates, what is due, which checks to run."""
    wanted, folder = change.wanted, change.folder
    change.before = manifest.load(folder)
    kept, due = certificates.keep(folder, wanted.certificates, change.before.certificates, moment)
    files = [*wanted.files, *kept.files]
    to_run, change.after = _after(wanted, files, kept, change.before)
    made_now = _paths_due(wanted, due)
    before = Manifest(
        {path: one for path, one in change.before.files.items() if path not in made_now},
        change.before.directories,
    )
    change.differences = compare(folder, files, wanted.directories, before)
    stale = (
        bool(change.differences.gone_directories)
        or (folder / STAGING).is_symlink()
        or (folder / STAGING).exists()
    )
    return bool(change.differences or due or to_run or stale), kept, due, to_run


def _prepare_held(change: Change, runner: Runner, moment: float) -> None:
    wanted = change.wanted
    _anything, kept, due, to_run = _look(change, moment)
    change.remarks += [
        f"{path} is not wanted any more, and was edited since; it stays."
        for path in change.differences.edited
    ]
    findings = checks.doubled_names(wanted.checks, _names(wanted.files))
    if findings:
        raise Refused(findings, stays=checks.UNCHANGED)
    if not (due or to_run):
        return
    with stage.staging(None if change.check_mode else change.folder) as place, _remarked(change):
        certified = certificates.make(change.folder, kept, wanted.certificates, due, place.private, runner)
        files = [*wanted.files, *certified.files]
        to_run, change.after = _after(wanted, files, certified, change.before)
        change.differences = compare(change.folder, files, wanted.directories, change.before)
        if to_run:
            extra = [file for check in to_run for file in check.files]
            stage.fill(place.tree, [*files, *extra], wanted.directories)
            texts = {file.path: file.content.decode(errors="replace") for file in wanted.files}
            writable = [one.path for one in wanted.directories]
            checks.run_checks(to_run, place.tree, texts, writable, not change.check_mode, runner)
    if not change.differences and not change.check_mode:
        # Only what was found out is new: the same files were found right by another Envoy.
        manifest.save(change.folder, change.after)


def _after(
    wanted: Wanted, files: Sequence[File], certified: certificates.Certified, before: Manifest
) -> tuple[list[Check], Manifest]:
    """Return the checks that did not pass yet with these contents, and what to remember when all is done."""
    contents = {file.path: file.content for file in files}
    digests = {
        f"{check.name} {number}": checks.digest(check, contents) for number, check in enumerate(wanted.checks)
    }
    to_run = [
        check
        for check, (name, one) in zip(wanted.checks, digests.items(), strict=True)
        if before.checks.get(name) != one
    ]
    own = {path: [sha256(content)] for path, content in contents.items()}
    folders = [one.path for one in wanted.directories]
    return to_run, Manifest(own, folders, dict(certified.records or {}), digests)


def _paths_due(wanted: Wanted, due: Collection[str]) -> set[str]:
    leaves = {
        f"{one.path}/{name}"
        for one in wanted.certificates
        if one.path in due
        for name in ("tls.crt", "tls.key", "ca.crt")
    }
    return leaves | ({f"{AUTHORITY}/{name}" for name in ("ca.crt", "ca.key")} if due else set())


def _names(files: Sequence[File]) -> dict[str, list[str]]:
    """Return the resources' names of the watched files that can be understood."""
    found: dict[str, list[str]] = {}
    for file in files:
        if file.live:
            with contextlib.suppress(blocks.Unclear, UnicodeDecodeError):
                found[file.path] = blocks.names(file.content.decode())
    return found


def _stays(refused: Sequence[live.Outcome]) -> str:
    names = ", ".join(one.proxy for one in refused)
    if all(one.rolled_back for one in refused):
        return f"The files of {names} were put back, and it confirmed them: it goes on as before."
    return f"The files of {names} were put back, which it did not confirm: look at its log."


@contextlib.contextmanager
def _remarked(change: Change) -> Any:
    """In check mode what the host lacks is a remark: on a fresh host it may be installed by a task before this one."""
    try:
        yield
    except Unavailable as error:
        if not change.check_mode:
            raise
        change.remarks.append(f"Not validated: {error.words}")


@contextlib.contextmanager
def _permitted(folder: Path) -> Any:
    try:
        yield
    except PermissionError as error:
        raise Refused(
            f"{error.filename or folder} may not be written by the user of this task: use become, or make it theirs."
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise Refused(f"{error.filename or folder} is in the way: {error.strerror}.") from None
