# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a change after it was prepared: write, go live, finish."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import (
    map_to_dict,
    map_to_pairs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import (
    ConfigTarget,
    FolderTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Admin, DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import live_update
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import (
    AdminUnreachable,
    XdsMonitor,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused, Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree, state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import Differences, shown
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import FolderState


class Transaction:
    """What `prepare` found to do. Its phases are called in order; what is not called is done by the next run."""

    def __init__(
        self,
        folder: Path,
        wanted: DesiredFiles,
        check_mode: bool = False,
        targets: Mapping[str, ConfigTarget] | None = None,
        location: str = "",
    ) -> None:
        self.folder = folder
        self.wanted = wanted
        self.check_mode = check_mode
        # Where each proxy's watched files are when they are not in `folder`, by proxy.
        self.targets = targets or {}
        # Where what is written runs; '' leaves what is remembered of that.
        self.location = location
        self.before = FolderState()
        self.after = FolderState()
        self.differences = Differences((), (), (), (), ())
        self.warnings: list[str] = []
        self.outcomes: list[live_update.Outcome] = []
        # Whose watched files differ: those that run bring them live, the others read them when they start.
        self.running: set[str] = set()
        self.starting: set[str] = set()
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go, so that another run may change it."""
        self.held.close()

    @property
    def changed(self) -> bool:
        return bool(self.differences)

    @property
    def diff(self) -> list[dict[str, Any]]:
        return shown(self.differences)

    def changed_files(self, below: str = "") -> list[str]:
        """Return the paths that differ, of `below` (a path or a folder) when it is given; certificates and removals too."""
        paths = [one.path for one in (*self.differences.files, *self.differences.gone)]
        return [path for path in paths if not below or path == below or path.startswith(f"{below}/")]

    def write(self, restarting: Collection[str] = ()) -> None:
        """Write everything except what running proxies watch; those in `restarting` count as not running."""
        watched = {one.wanted.live for one in self.differences.files if one.wanted and one.wanted.live}
        admins = [admin for admin in self.wanted.admins if admin.proxy in watched]
        asked = [admin for admin in admins if admin.proxy not in restarting]
        alive = map_to_pairs(lambda admin: self._target(admin).is_running(), asked)
        self.running = {admin.proxy for admin, runs in alive if runs}
        self.starting = {admin.proxy for admin in admins} - self.running
        with permitted(self.folder):
            swapped = [
                one.path for one in self.differences.files if one.wanted and one.wanted.live in self.running
            ]
            state_file.save(self.folder, self.before.with_pending(self.after, swapped))
            for folder in self.wanted.directories:
                file_tree.make_folder(self.folder / folder.path, folder.mode, exact=True)
            for one in self.differences.files:
                if one.wanted and one.wanted.live not in self.running:
                    file_tree.make_folder((self.folder / one.path).parent)
                    file_tree.write(self.folder / one.path, one.wanted.content, one.wanted.mode)

    def confirm_started(self) -> None:
        """Check that started proxies accepted their watched files. Raises ConfigRefused for proxies that did not."""
        targets = {admin.proxy: self._target(admin) for admin in self.wanted.admins}
        work = {proxy: self._live_files(proxy) for proxy in sorted(self.starting)}

        def one(proxy: str) -> list[Finding]:
            try:
                said = {file.path: targets[proxy].rejected_since_start(file.kind) for file in work[proxy]}
            except AdminUnreachable as error:
                return [Finding(f"the Envoy that was started does not answer: {error}.", proxy)]
            return [
                Finding(f"the Envoy that was started says: {words}.", proxy, path)
                for path, words in said.items()
                if words
            ]

        findings = [finding for found in map_to_dict(one, work).values() for finding in found]
        if findings:
            watching = self.starting | self.running
            unsure = [
                one.path for one in self.differences.files if one.wanted and one.wanted.live in watching
            ]
            state_file.save(self.folder, self.before.with_pending(self.after, unsure))
            raise ConfigRefused(findings, outcome="It runs without what it refused.")

    def go_live(self, timeout: float = 60, drain_timeout: float = 10) -> list[live_update.Outcome]:
        """Bring running proxies to their new files, side by side. Raises ConfigRefused, when all are done, for those that refused.

        A cluster that goes is kept until no connection of before needs it; when that takes longer than `drain_timeout`
        it stays (`Outcome.kept`, and a warning), and the next run removes it.
        """
        targets = {admin.proxy: self._target(admin) for admin in self.wanted.admins}
        work = {proxy: self._live_files(proxy) for proxy in sorted(self.running)}

        def one(proxy: str) -> live_update.Outcome:
            return live_update.go_live(proxy, targets[proxy], work[proxy], timeout, drain_timeout)

        self.outcomes = list(map_to_dict(one, work).values())
        for outcome in self.outcomes:
            self.warnings += [f"{outcome.proxy}: {warning}" for warning in outcome.warnings]
            if outcome.kept:
                self.warnings.append(
                    f"{outcome.proxy}: connections of before the change are still open after {drain_timeout:g} s;"
                    f" {', '.join(outcome.kept)} stays for them, and the next run removes it."
                )
        refused = [one for one in self.outcomes if one.words]
        if refused:
            unsure = [file.path for one in refused if not one.rolled_back for file in work[one.proxy]]
            state_file.save(self.folder, self.before.with_pending(self.after, unsure))
            raise ConfigRefused(
                [Finding(f"the running Envoy says: {one.words}.", one.proxy, one.file) for one in refused],
                outcome=_stays(refused),
            )
        return self.outcomes

    def undo(self, proxies: Iterable[str]) -> None:
        """Put back what `write` wrote for these proxies and they do not watch: for an Envoy that refused its live files."""
        blamed = {
            path
            for check in self.wanted.checks
            if check.name in set(proxies)
            for path in check.validated_files
        }
        for one in self.differences.files:
            if one.path in blamed and one.wanted and not one.wanted.live:
                if one.old is None or one.old_mode is None:
                    file_tree.remove(self.folder, one.path)
                else:
                    file_tree.write(self.folder / one.path, one.old, one.old_mode)

    def finish(self) -> None:
        """Remove what an earlier run wrote and nobody wants any more, and remember what is there now."""
        with permitted(self.folder):
            for gone in self.differences.gone:
                file_tree.remove(self.folder, gone.path)
            for path in self.before.files.keys() - self.after.files.keys():
                if not (self.folder / path).exists():
                    # A run that was interrupted may have made its folder, and not yet the file.
                    file_tree.remove(self.folder, path)
            for path in sorted(self.differences.gone_directories, reverse=True):
                for left in (self.folder / path).glob("*"):
                    # An Envoy that is gone leaves its admin's socket.
                    if stat.S_ISSOCK(left.lstat().st_mode):
                        left.unlink()
                file_tree.remove_folder(self.folder / path)
            state_file.save(self.folder, self.after)

    def _target(self, admin: Admin) -> ConfigTarget:
        return self.targets.get(admin.proxy) or FolderTarget(self.folder, XdsMonitor(AdminClient(admin.url)))

    def _live_files(self, proxy: str) -> list[live_update.LiveFile]:
        mine = [one for one in self.differences.files if one.wanted and one.wanted.live == proxy]
        kinds = live_update.kinds({one.path: (one.old, one.wanted.content) for one in mine if one.wanted})
        return [
            live_update.LiveFile(one.path, one.old, one.wanted.content, one.wanted.mode, kinds[one.path])
            for one in mine
            if one.wanted
        ]


def _stays(refused: Sequence[live_update.Outcome]) -> str:
    names = ", ".join(one.proxy for one in refused)
    if all(one.rolled_back for one in refused):
        return f"The files of {names} were put back, and it confirmed them: it goes on as before."
    return f"The files of {names} were put back, which it did not confirm: look at its log."


@contextlib.contextmanager
def permitted(folder: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise ConfigRefused(
            f"{error.filename or folder} may not be written by the user of this task: use become, or make it theirs."
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ConfigRefused(f"{error.filename or folder} is in the way: {error.strerror}.") from None
