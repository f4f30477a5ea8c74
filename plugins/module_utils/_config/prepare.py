# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder made equal to a wanted set of files, in phases: prepare, write, go live, finish.

with prepare(folder, wanted) as change:   # nothing live is touched; ConfigRefused says what is wrong
    if change.changed:
        change.write()                     # all but what running proxies watch
        …                                  # start what is new, wait until it is ready
        change.go_live(timeout=60)         # what running proxies watch, confirmed by them
        …                                  # stop what is gone
        change.finish()                    # remove what nobody wants any more
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandRunner, run
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import authority
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    STAGING,
    STATE_FILE,
    Check,
    DesiredFiles,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import (
    file_tree,
    staging,
    state_file,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import compare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import (
    Transaction,
    permitted,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import checks
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import doubled

__all__ = ["Transaction", "prepare"]


def prepare(
    folder: str | Path,
    wanted: DesiredFiles,
    runner: CommandRunner = run,
    check_mode: bool = False,
    now: float | None = None,
    targets: Mapping[str, ConfigTarget] | None = None,
    location: str = "",
) -> Transaction:
    """Return what is to be done to make `folder` equal to `wanted`, checked. Nothing live is touched.

    `targets` say, by proxy, where watched files are put when that is not `folder`, which then gets a copy of them;
    `location` is what the folder is to remember of where it all runs.
    Raises ConfigRefused, with all that is wrong. In check mode nothing is written below `folder`, and what the host lacks
    (openssl, docker, the Envoy) is a remark.
    """
    change = Transaction(Path(folder).expanduser().absolute(), wanted, check_mode, targets, location)
    moment = time.time() if now is None else now
    if not _look(change, moment)[0]:
        return change
    try:
        if not check_mode:
            with permitted(change.folder):
                if not change.folder.is_dir():
                    file_tree.make_folder(change.folder, 0o700)
                change.held.enter_context(file_tree.locked(change.folder))
                known = [
                    *state_file.load(change.folder).files,
                    *(file.path for file in wanted.files),
                    STATE_FILE,
                ]
                file_tree.sweep(change.folder, {str(Path(path).parent) for path in known})
        _prepare_held(change, runner, moment)
        if not change.changed and not check_mode:
            # Nothing to write: only what was found out is new, or what an earlier run left over.
            change.finish()
    except BaseException:
        change.close()
        raise
    return change


def _look(
    change: Transaction, moment: float
) -> tuple[bool, authority.Certified, dict[str, str], list[Check]]:
    """Compare, and say whether there is anything to do: what is kept of certificates, what is due, which checks to run."""
    wanted, folder = change.wanted, change.folder
    change.before = state_file.load(folder)
    kept, due = authority.keep(folder, wanted.certificates, change.before.certificates, moment)
    files = [*wanted.files, *kept.files]
    to_run, change.after = _after(change, files, kept)
    made_now = _paths_due(wanted, due)
    kept_files = {path: one for path, one in change.before.files.items() if path not in made_now}
    before = replace(change.before, files=kept_files)
    change.differences = compare(folder, files, wanted.directories, before, change.targets)
    stale = (
        bool(change.differences.gone_directories or change.before.files.keys() - change.after.files.keys())
        or (folder / STAGING).is_symlink()
        or (folder / STAGING).exists()
        # Where nothing is this collection's own, to remember a place would claim what somebody else wrote.
        or bool(change.before.files and change.before.location != change.after.location)
    )
    return bool(change.differences or due or to_run or stale), kept, due, to_run


def _prepare_held(change: Transaction, runner: CommandRunner, moment: float) -> None:
    wanted = change.wanted
    _anything, kept, due, to_run = _look(change, moment)
    change.warnings += [
        f"{path} is not wanted any more, and was edited since; it stays."
        for path in change.differences.edited
    ]
    texts = {file.path: file.content.decode(errors="replace") for file in wanted.files}
    findings = doubled(wanted.checks, texts, _names(wanted.files))
    if findings:
        raise ConfigRefused(findings, outcome=checks.UNCHANGED)
    if not (due or to_run):
        return
    with staging.staging(None if change.check_mode else change.folder) as place, _remarked(change):
        certified = authority.make(change.folder, kept, wanted.certificates, due, place.private, runner)
        files = [*wanted.files, *certified.files]
        to_run, change.after = _after(change, files, certified)
        change.differences = compare(change.folder, files, wanted.directories, change.before, change.targets)
        if to_run:
            extra = [file for check in to_run for file in check.files]
            staging.fill(place.tree, [*files, *extra], wanted.directories)
            writable = [one.path for one in wanted.directories]
            checks.run_checks(to_run, place.tree, texts, writable, not change.check_mode, runner)


def _after(
    change: Transaction, files: Sequence[File], certified: authority.Certified
) -> tuple[list[Check], FolderState]:
    """Return the checks that did not pass yet with these contents, and what to remember when all is done."""
    wanted, before = change.wanted, change.before
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
    location = change.location or before.location
    return to_run, FolderState(own, folders, dict(certified.records or {}), digests, location=location)


def _paths_due(wanted: DesiredFiles, due: Collection[str]) -> set[str]:
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
            with contextlib.suppress(xds_file.Unclear, UnicodeDecodeError):
                found[file.path] = xds_file.names(file.content.decode())
    return found


@contextlib.contextmanager
def _remarked(change: Transaction) -> Iterator[None]:
    """In check mode what the host lacks is a remark: on a fresh host it may be installed by a task before this one."""
    try:
        yield
    except RequirementMissing as error:
        if not change.check_mode:
            raise
        change.warnings.append(f"Not validated: {error.message}")
