# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a transaction after `prepare`: write, confirm what started, go live, finish.

Longer than 300 lines because one class has all phases, after a description of each attribute.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from types import TracebackType

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import (
    map_to_dict,
    map_to_pairs,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.renewal import (
    replaced_certificates,
    unconfirmed_renewals,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import (
    ConfigTarget,
    FolderTarget,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    Admin,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import live_update
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import ConfigAdmin
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.start_confirmation import (
    start_findings,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.xds_confirmation import XdsMonitor
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree, state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import (
    DiffEntry,
    Differences,
    ansible_diff,
    restore,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.staged_files import staged_files
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import FolderState
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import rejection


class Transaction:
    """A change of a folder that `prepare` found to be needed. `prepare` documents the order of the phases.

    Attributes:
        folder: The folder on this host.
        desired: Its desired content.
        check_mode: Whether nothing may change.
        targets: For each proxy whose watched files are not read from `folder`, where they are deployed.
        location: The platform on which the files are used. Empty keeps the recorded one.
        read_log: Returns the last lines of the log of a proxy's Envoy, by the name of the proxy. None: the logs are not known.
        before: The state after the previous run.
        after: The state after this transaction.
        differences: The files and directories that differ.
        warnings: What the user should know, in sentences.
        updates: The results of `go_live`, one for each running proxy whose watched files changed.
        running: The running proxies whose watched files changed, known after `write`. `go_live` updates them.
        replacing: The proxies of which a new process takes over from the running one, with the watched files of `running`.
        starting: The other proxies whose watched files changed. They read the files when they start.
        renewing: The running proxies when certificates changed, which load them without a restart.
        replaced: The path of each changed certificate, by the serial number of the previous one.
        lock: The lock of the folder, until `close`.

    Example:
        >>> import tempfile
        >>> from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import File
        >>> from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with prepare(folder, DesiredFiles((File("a", b"x"),))) as transaction:
        ...         transaction.write()
        ...         transaction.confirm_started()
        ...         updates = transaction.go_live(timeout=60, drain_timeout=10)
        ...         transaction.finish()
        ...     print(updates, [path.name for path in Path(folder).glob("[a-z]*")])
        [] ['a']
    """

    def __init__(
        self,
        folder: Path,
        desired: DesiredFiles,
        check_mode: bool = False,
        targets: Mapping[str, ConfigTarget] | None = None,
        location: str = "",
        read_log: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        self.folder = folder
        self.desired = desired
        self.check_mode = check_mode
        self.targets = targets or {}
        self.location = location
        self.read_log = read_log
        self.before = FolderState()
        self.after = FolderState()
        self.differences = Differences()
        self.warnings: list[str] = []
        self.updates: list[live_update.LiveUpdate] = []
        self.running: set[str] = set()
        self.starting: set[str] = set()
        self.renewing: set[str] = set()
        self.replaced: dict[int, str] = {}
        self.replacing: set[str] = set()
        self._written_first: set[str] = set()
        self.lock = contextlib.ExitStack()

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock of the folder."""
        self.lock.close()

    @property
    def changed(self) -> bool:
        """Return whether a file or directory differs."""
        return bool(self.differences)

    @property
    def diff(self) -> list[DiffEntry]:
        """Return Ansible's diff."""
        return ansible_diff(self.differences)

    def changed_files(self, below: str = "") -> list[str]:
        """Return the paths of the files that differ, removed files and certificates included.

        Args:
            below: A file or directory. Only it and the paths below it are returned. Empty returns all.
        """
        paths = [difference.path for difference in (*self.differences.files, *self.differences.removed)]
        return [path for path in paths if not below or path == below or path.startswith(f"{below}/")]

    def write(self, restarting: Collection[str] = (), replacing: Collection[str] = ()) -> None:
        """Write all files except those that running proxies watch.

        Args:
            restarting: Proxies that restart in this run. They count as not running, so their watched files are written too.
            replacing: Running proxies that a new process replaces in this run. The new process starts with the previous watched
                files, so that it serves what the running one serves. Of its watched files only those that are new are written.

        Raises:
            ConfigRefused: This user cannot write to the folder, or it is not known whether a proxy runs.
        """
        watching = {
            difference.desired.live
            for difference in self.differences.files
            if difference.desired and difference.desired.live
        }
        self.replaced = replaced_certificates(self.differences.files)
        admins = [admin for admin in self.desired.admins if admin.proxy in watching or self.replaced]
        may_run = [admin for admin in admins if admin.proxy not in restarting]
        states = map_to_pairs(lambda admin: self._target(admin).is_running(), may_run)
        self.renewing = {admin.proxy for admin, is_running in states if is_running and self.replaced}
        self.running = {admin.proxy for admin, is_running in states if is_running and admin.proxy in watching}
        self.starting = {admin.proxy for admin in admins if admin.proxy in watching} - self.running
        self.replacing = {*replacing} & {admin.proxy for admin in self.desired.admins}
        self._written_first = {
            difference.path
            for difference in self.differences.files
            if difference.old is None and difference.desired and difference.desired.live in self.replacing
        }
        with file_tree.refusing_os_errors(self.folder), staged_files(self.folder) as staged:
            for difference in self.differences.files:
                if difference.desired and (
                    difference.desired.live not in self.running or difference.path in self._written_first
                ):
                    staged.add(difference.path, difference.desired.content, difference.desired.mode)
            live_paths = [
                difference.path
                for difference in self.differences.files
                if difference.desired and difference.desired.live in self.running
            ]
            state_file.save(self.folder, self.before.during_change_to(self.after, live_paths))
            for directory in self.desired.directories:
                file_tree.make_directory(self.folder, directory.path, directory.mode, exact=True)
            staged.replace()

    def confirm_started(self) -> None:
        """Check that the proxies that started accepted their watched files, of which validation does not find all faults.

        Raises:
            ConfigRefused: At least one proxy rejected a file or does not respond. It runs without that file, and the next run
                deploys the file again.
        """
        targets = self.all_targets()
        live_files = {proxy: self.live_files(proxy) for proxy in sorted(self.starting)}
        live_files |= {proxy: self._files_at_start(proxy) for proxy in sorted(self.replacing - self.starting)}
        findings = start_findings(targets, live_files, self.desired.checks)
        if findings:
            watching = self.starting | self.running
            unconfirmed = [
                difference.path
                for difference in self.differences.files
                if difference.desired and difference.desired.live in watching
            ]
            state_file.save(self.folder, self.before.during_change_to(self.after, unconfirmed))
            raise ConfigRefused(self.desired.located(findings), outcome="It runs without the rejected files.")

    def go_live(self, timeout: float = 60, drain_timeout: float = 10) -> list[live_update.LiveUpdate]:
        """Replace the watched files of all running proxies, in parallel, each step confirmed by the proxy.

        A removed cluster is kept until no previous connection needs it. When that takes longer than `drain_timeout`, it stays,
        with a warning, and the next run removes it.

        Args:
            timeout: Seconds that a proxy has to confirm each step.
            drain_timeout: Seconds to wait for previous connections before clusters are removed.

        Returns:
            The result of each proxy, also in `updates`.

        Raises:
            ConfigRefused: At least one proxy rejected a file or did not confirm it in time. Its previous files were restored.
        """
        targets = self.all_targets()
        self._confirm_renewals({proxy: targets[proxy] for proxy in self.renewing}, timeout)
        live_files = {proxy: self.live_files(proxy) for proxy in sorted(self.running)}

        def update(proxy: str) -> live_update.LiveUpdate:
            return live_update.update_proxy(proxy, targets[proxy], live_files[proxy], timeout, drain_timeout)

        self.updates = list(map_to_dict(update, live_files).values())
        for result in self.updates:
            self.warnings += [f"{result.proxy}: {warning}" for warning in result.warnings]
            if result.kept_clusters:
                self.warnings.append(
                    f"{result.proxy}: previous connections are still open after {drain_timeout:g} s."
                    f" The next run removes the clusters that they may need: {', '.join(result.kept_clusters)}."
                )
        failed = [result for result in self.updates if result.error]
        if failed:
            unconfirmed = [
                file.path for result in failed if not result.restored for file in live_files[result.proxy]
            ]
            state_file.save(self.folder, self.before.during_change_to(self.after, unconfirmed))
            findings = [
                rejection(
                    self.desired.checks,
                    result.proxy,
                    "the running Envoy did not accept",
                    str(result.error),
                    result.file,
                )
                for result in failed
            ]
            raise ConfigRefused(self.desired.located(findings), outcome=_outcome(failed))
        return self.updates

    def _confirm_renewals(self, targets: Mapping[str, ConfigTarget], timeout: float) -> None:
        """Wait until the running proxies use the changed certificates, and restore these when one does not. Raises ConfigRefused."""
        if findings := unconfirmed_renewals(targets, self.replaced, timeout):
            folders = {str(PurePosixPath(path).parent) for path in self.replaced.values()} | {AUTHORITY}
            for difference in self.differences.files:
                if str(PurePosixPath(difference.path).parent) in folders:
                    restore(self.folder, difference)
            state = self.before.during_change_to(self.after)
            state_file.save(self.folder, replace(state, certificates=self.before.certificates))
            raise ConfigRefused(findings, outcome="The previous certificates were restored.")

    def finish(self, complete: bool = True) -> None:
        """Remove the files and directories of earlier runs that are no longer desired, and save the new state.

        Args:
            complete: Whether a later transaction that fails can return to this state.

        Raises:
            ConfigRefused: This user cannot write to the folder.
        """
        with file_tree.refusing_os_errors(self.folder):
            for difference in self.differences.removed:
                file_tree.remove(self.folder, difference.path)
            for path in self.before.files.keys() - self.after.files.keys():
                if not file_tree.exists(self.folder, path):
                    # An interrupted run may have created the directory but not the file.
                    file_tree.remove(self.folder, path)
            for path in sorted(self.differences.removed_directories, reverse=True):
                # A stopped Envoy leaves the socket of its admin interface.
                file_tree.remove_sockets(self.folder, path)
                file_tree.remove_empty_directory(self.folder, path)
            self.after.complete = complete
            state_file.save(self.folder, self.after)

    def all_targets(self) -> dict[str, ConfigTarget]:
        """Return where the watched files of each proxy are deployed."""
        return {admin.proxy: self._target(admin) for admin in self.desired.admins}

    def _target(self, admin: Admin) -> ConfigTarget:
        read_log = partial(self.read_log, admin.proxy) if self.read_log else None
        return self.targets.get(admin.proxy) or FolderTarget(
            self.folder, XdsMonitor(ConfigAdmin(admin.url, admin.container), read_log)
        )

    def live_files(self, proxy: str) -> list[live_update.LiveFile]:
        """Return the files of a proxy that `go_live` replaces."""
        changing = [one for one in self.differences.files if one.path not in self._written_first]
        return live_update.live_files(changing, proxy)

    def _files_at_start(self, proxy: str) -> list[live_update.LiveFile]:
        """Return the desired files of a proxy that its new process read when it started."""
        later = {file.path for file in self.live_files(proxy)}
        return [
            live_update.LiveFile(
                file.path, None, file.content, file.mode, live_update.file_kind(file.path, None, file.content)
            )
            for file in self.desired.files
            if file.live == proxy and file.path not in later
        ]


def _outcome(failed: Sequence[live_update.LiveUpdate]) -> str:
    names = ", ".join(update.proxy for update in failed)
    if all(update.restored for update in failed):
        return f"The previous files of {names} were restored and confirmed."
    return f"The previous files of {names} were restored, but not confirmed. See the log of the Envoy."
