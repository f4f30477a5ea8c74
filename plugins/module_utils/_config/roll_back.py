# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return a folder to its state before a transaction that failed after it had written files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_dict
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy import live_update
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree, state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.file_diff import restore
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import (
    FolderState,
    sha256,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction


def can_roll_back(transaction: Transaction, document: str) -> bool:
    """Return whether the folder had a complete deployment with the file `document` before the transaction."""
    return transaction.before.complete and document in transaction.before.files


def previous_content(transaction: Transaction, path: str) -> bytes:
    """Return the content that a file of the previous deployment had before the transaction."""
    for difference in (*transaction.differences.files, *transaction.differences.removed):
        if difference.path == path:
            return difference.old or b""
    found = file_tree.read(transaction.folder, path)
    return found[0] if found else b""


def undo_live(transaction: Transaction, timeout: float, drain_timeout: float) -> list[str]:
    """Restore the watched files of the proxies that confirmed new ones; return the proxies that did not confirm the previous ones."""
    targets = transaction.all_targets()
    confirmed = [update.proxy for update in transaction.updates if not update.error and update.swaps]

    def undo(proxy: str) -> live_update.LiveUpdate:
        files = [
            live_update.LiveFile(file.path, file.new, file.old, file.mode, file.kind)
            for file in transaction.live_files(proxy)
            if file.old is not None
        ]
        return live_update.update_proxy(proxy, targets[proxy], files, timeout, drain_timeout)

    failed = [proxy for proxy, update in map_to_dict(undo, confirmed).items() if update.error]
    return failed + [update.proxy for update in transaction.updates if update.error and not update.restored]


def restore_files(
    transaction: Transaction, contents: Mapping[str, bytes], generations: Mapping[str, int]
) -> None:
    """Write the previous content of each file, and the state of the previous deployment.

    Args:
        transaction: The transaction that failed.
        contents: Contents in place of the previous ones, by path.
        generations: The generations of workloads in place of the previous ones, by name.

    Raises:
        ConfigRefused: This user cannot write to the folder.
    """
    folder = transaction.folder
    with file_tree.refusing_os_errors(folder):
        for difference in transaction.differences.files:
            restore(folder, difference, contents.get(difference.path))
        for path, content in contents.items():
            if path not in {difference.path for difference in transaction.differences.files}:
                found = file_tree.read(folder, path)
                file_tree.write(folder, path, content, found[1] if found else 0o600)
        for path in sorted(
            {*transaction.after.directories} - {*transaction.before.directories}, reverse=True
        ):
            file_tree.remove_sockets(folder, path)
            file_tree.remove_empty_directory(folder, path)
        state_file.save(folder, _state(transaction.before, contents, generations))


def restore_checked_files(transaction: Transaction, proxies: Iterable[str]) -> None:
    """Restore the files that `write` wrote for `proxies`, which rejected their watched files in `go_live`."""
    names = {*proxies}
    checks = [check for check in transaction.desired.checks if check.name in names]
    paths = {path for check in checks for path in check.validated_files}
    for difference in transaction.differences.files:
        if difference.path in paths and difference.desired and not difference.desired.live:
            restore(transaction.folder, difference)


def _state(before: FolderState, contents: Mapping[str, bytes], generations: Mapping[str, int]) -> FolderState:
    files = {**before.files, **{path: [sha256(content)] for path, content in contents.items()}}
    workloads = {
        name: replace(one, generation=generations.get(name, one.generation))
        for name, one in before.deployed.workloads.items()
    }
    return replace(before, files=files, deployed=replace(before.deployed, workloads=workloads))
