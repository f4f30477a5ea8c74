# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first phase of a transaction: compare, check and issue certificates without a change to anything that is live."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandRunner,
    run,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import authority
from ansible_collections.meshlab.envoy.plugins.module_utils._config.config_target import ConfigTarget
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    AUTHORITY_FILES,
    CERTIFICATE_FILES,
    REFUSED,
    SENSITIVE,
    STAGING,
    STATE_FILE,
    Check,
    DesiredFiles,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import xds_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    UNCHANGED,
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import (
    file_tree,
    staging,
    state_file,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import compare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.folder_lock import locked_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation import (
    checks,
    equivalent_checks,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.error_location import (
    duplicate_names,
)


def prepare(
    folder: str | Path,
    desired: DesiredFiles,
    runner: CommandRunner = run,
    check_mode: bool = False,
    now: float | None = None,
    targets: Mapping[str, ConfigTarget] | None = None,
    location: str = "",
    is_locked: bool = False,
    read_log: Callable[[str], Sequence[str]] | None = None,
) -> Transaction:
    """Prepare a transaction that makes a folder equal to its desired content.

    The folder is created and locked, certificates are issued, and all checks run in a staged copy. No deployed file changes.
    When nothing differs, the state file is updated and the transaction is finished.

    Args:
        folder: The folder on this host. `~` is expanded.
        desired: The desired content.
        runner: Runs openssl, docker and the commands of checks. A test replaces it.
        check_mode: Whether to change nothing at all. Certificates and checks use a folder for temporary files, and a missing
            program, image or daemon is a warning.
        now: The time in seconds since the epoch by which certificates are renewed. None is the current time.
        targets: For each proxy whose watched files are not read from `folder`, where they are deployed. `folder` then holds a
            copy of them.
        location: The platform on which the files are used, which the state file records. Empty keeps the recorded one.
        is_locked: Whether the caller has locked the folder (`locked_folder`).
        read_log: Returns the last lines of the log of a proxy's Envoy, by the name of the proxy. None: the logs are not known.

    Returns:
        The transaction. Use it as a context manager: it holds the lock of the folder. Its phases are, in this order: `write`,
        (start new workloads, wait until they are ready), `confirm_started`, `go_live`, (stop removed workloads), `finish`.
        A phase that is left out is done by the next run.

    Raises:
        ConfigRefused: A check failed, a path is unsafe, the folder is locked by another run, or this user has no permission. It has
            one finding for each fault. Nothing was changed.
        RequirementMissing: A program, an image or Docker is missing (not in check mode).

    Example:
        >>> import tempfile
        >>> desired = DesiredFiles(files=(File("edge/clusters.yaml", b"resources: []"),))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with prepare(folder, desired) as transaction:
        ...         print(transaction.changed, transaction.changed_files())
        ...         transaction.write()
        ...         outcomes = transaction.go_live(timeout=60)
        ...         transaction.finish()
        ...     with prepare(folder, desired) as transaction:
        ...         print(transaction.changed)
        True ['edge/clusters.yaml']
        False
    """
    transaction = Transaction(
        Path(folder).expanduser().absolute(), desired, check_mode, targets, location, read_log
    )
    moment = time.time() if now is None else now
    if is_locked:
        _remove_leftovers(transaction)
    comparison = _compare(transaction, moment)
    if not comparison.is_needed:
        return transaction
    try:
        if not check_mode and not is_locked:
            with file_tree.refusing_os_errors(transaction.folder):
                transaction.lock.enter_context(locked_folder(transaction.folder))
            _remove_leftovers(transaction)
            comparison = _compare(transaction, moment)
        _prepare_locked(transaction, comparison, runner)
        if not transaction.changed and not check_mode:
            # No file differs, but the state file does, or an interrupted run left files.
            transaction.finish(transaction.before.complete)
    except BaseException:
        transaction.close()
        raise
    return transaction


@dataclass(frozen=True)
class _Comparison:
    """What a comparison found: whether to do anything, and the certificates and checks to do."""

    is_needed: bool
    valid: authority.IssuedCertificates
    due: Mapping[str, str]
    checks_to_run: Sequence[Check]


def _remove_leftovers(transaction: Transaction) -> None:
    """Remove what an interrupted run left in a locked folder."""
    folder = transaction.folder
    with file_tree.refusing_os_errors(folder):
        files = [file.path for file in transaction.desired.files]
        paths = [*state_file.load(folder).files, *files, STATE_FILE]
        file_tree.remove_leftovers(folder, {str(Path(path).parent) for path in paths})


def _compare(transaction: Transaction, moment: float) -> _Comparison:
    """Compare the folder with its desired content, and set `before`, `after` and `differences` of the transaction."""
    with file_tree.refusing_os_errors(transaction.folder):
        return _comparison(transaction, moment)


def _comparison(transaction: Transaction, moment: float) -> _Comparison:
    desired, folder = transaction.desired, transaction.folder
    transaction.before = state_file.load(folder)
    valid, due = authority.find_valid(folder, desired.certificates, transaction.before.certificates, moment)
    files = [*desired.files, *valid.files]
    checks_to_run, transaction.after = _state_after(transaction, files, valid)
    due_files = _due_files(desired, due)
    # Files of due certificates are replaced, not removed.
    kept_files = {
        path: digests for path, digests in transaction.before.files.items() if path not in due_files
    }
    before = replace(transaction.before, files=kept_files)
    transaction.differences = compare(folder, files, desired.directories, before, transaction.targets)
    is_stale = (
        bool(
            transaction.differences.removed_directories
            or transaction.before.files.keys() - transaction.after.files.keys()
        )
        or (folder / STAGING).is_symlink()
        or (folder / STAGING).exists()
        # A folder in which the collection wrote nothing belongs to no deployment, so a new location alone is no reason.
        or bool(transaction.before.files and transaction.before.location != transaction.after.location)
        or transaction.before.deployed != transaction.after.deployed
    )
    is_needed = bool(transaction.differences or due or checks_to_run or is_stale)
    return _Comparison(is_needed, valid, due, checks_to_run)


def _prepare_locked(transaction: Transaction, comparison: _Comparison, runner: CommandRunner) -> None:
    desired = transaction.desired
    transaction.warnings += [
        f"{path} is no longer desired, but it was edited since the last run. It was not removed."
        for path in transaction.differences.edited
    ]
    texts = {file.path: file.content.decode(errors="replace") for file in desired.files}
    findings = duplicate_names(desired.checks, texts, _resource_names(desired.files))
    if findings:
        raise ConfigRefused(desired.located(findings))
    if not (comparison.due or comparison.checks_to_run):
        return
    staging_base = None if transaction.check_mode else transaction.folder
    with staging.staged_folder(staging_base) as staged, _missing_requirement_as_warning(transaction):
        issued = authority.issue(
            transaction.folder, comparison.valid, desired.certificates, comparison.due, staged.private, runner
        )
        files = [*desired.files, *issued.files]
        checks_to_run, transaction.after = _state_after(transaction, files, issued)
        transaction.differences = compare(
            transaction.folder, files, desired.directories, transaction.before, transaction.targets
        )
        if checks_to_run:
            check_files = [file for check in checks_to_run for file in check.files]
            staging.fill(staged.tree, [*files, *check_files], desired.directories)
            writable = [directory.path for directory in desired.directories]
            pull = not transaction.check_mode
            with _keeping_refused(transaction, checks_to_run):
                transaction.warnings += equivalent_checks.run_distinct_checks(
                    checks_to_run, files, issued.files, staged.tree, texts, writable, pull, runner
                )


@contextlib.contextmanager
def _keeping_refused(transaction: Transaction, checks_to_run: Sequence[Check]) -> Iterator[None]:
    """Keep the generated configurations that Envoy refused, so that the author can read them. Check mode keeps nothing."""
    try:
        yield
    except RequirementMissing:
        raise
    except ConfigRefused as error:
        names = {finding.check for finding in error.findings if finding.key}
        kept = []
        for check in checks_to_run:
            if check.name in names and check.files and not transaction.check_mode:
                path = f"{REFUSED}/{check.name}.yaml"
                file_tree.make_directory(transaction.folder, REFUSED, 0o700, exact=True)
                file_tree.write(transaction.folder, path, check.files[0].content, 0o600)
                kept.append(str(transaction.folder / path))
        findings = transaction.desired.located(error.findings)
        if not kept:
            raise ConfigRefused(findings, outcome=error.outcome) from None
        raise ConfigRefused(findings, outcome=f"{UNCHANGED} Refused: {', '.join(kept)}.") from None


def _state_after(
    transaction: Transaction, files: Sequence[File], issued: authority.IssuedCertificates
) -> tuple[list[Check], FolderState]:
    """Return the checks that have not passed yet with these files, and the state after the transaction."""
    desired, before = transaction.desired, transaction.before
    contents = {file.path: file.content for file in files}
    digests: dict[str, str] = {}
    checks_to_run: list[Check] = []
    for number, check in enumerate(desired.checks):
        # Two checks can have the same name.
        key = f"{check.name} {number}"
        digests[key] = checks.check_digest(check, contents)
        if before.checks.get(key) != digests[key]:
            checks_to_run.append(check)
    return checks_to_run, FolderState(
        files={path: [sha256(content)] for path, content in contents.items()},
        directories=[directory.path for directory in desired.directories],
        certificates=dict(issued.records),
        checks=digests,
        location=transaction.location or before.location,
        sensitive=[file.path for file in files if file.shown_as == SENSITIVE],
        deployed=before.deployed if desired.deployed is None else desired.deployed,
    )


def _due_files(desired: DesiredFiles, due: Collection[str]) -> set[str]:
    certificate_files = {
        f"{certificate.path}/{name}"
        for certificate in desired.certificates
        if certificate.path in due
        for name in CERTIFICATE_FILES
    }
    return certificate_files | ({f"{AUTHORITY}/{name}" for name in AUTHORITY_FILES} if due else set())


def _resource_names(files: Sequence[File]) -> dict[str, list[str]]:
    """Return the names of the resources of each watched file whose layout is supported."""
    names: dict[str, list[str]] = {}
    for file in files:
        if file.live:
            with contextlib.suppress(xds_file.UnsupportedLayout, UnicodeDecodeError):
                names[file.path] = xds_file.names(file.content.decode())
    return names


@contextlib.contextmanager
def _missing_requirement_as_warning(transaction: Transaction) -> Iterator[None]:
    """In check mode, turn RequirementMissing into a warning: an earlier task that check mode skips may install it."""
    try:
        yield
    except RequirementMissing as error:
        if not transaction.check_mode:
            raise
        transaction.warnings.append(f"The files were not validated: {error.message}")
