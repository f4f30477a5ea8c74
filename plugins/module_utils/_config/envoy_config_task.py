# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module envoy_config as a function from its options to its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.config_admin import (
    RUNNING_TIMEOUT,
    AdminUnreachable,
    ConfigAdmin,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy_config_options import desired_files
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused, Finding
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.roll_back import restore_checked_files
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction


def perform(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a folder equal to its desired content, and return the result of the module.

    Args:
        options: The options of the module with their defaults (`envoy_config_options.ARGUMENTS`).
        check_mode: Whether to change nothing.

    Returns:
        The keys of the module's RETURN documentation, `changed`, `diff` and `warnings`; in case of a failure `failed`,
        `msg` and `errors`.
    """
    try:
        desired = desired_files(options)
        require_running(options["proxies"])
        with prepare(options["folder"], desired, check_mode=check_mode) as transaction:
            result = {
                "changed": transaction.changed,
                "files": transaction.changed_files(),
                "restart": proxies_to_restart(transaction),
                "diff": transaction.diff,
            }
            if transaction.changed and not check_mode:
                apply(transaction, options["confirm_timeout"], options["drain_timeout"])
            result["proxies"] = [
                {
                    "name": update.proxy,
                    "swaps": update.swaps,
                    "seconds": update.seconds,
                    "kept_clusters": list(update.kept_clusters),
                }
                for update in transaction.updates
            ]
            return result | {"warnings": transaction.warnings}
    except ConfigRefused as error:
        return {
            "failed": True,
            "changed": False,
            "msg": str(error),
            "errors": [_error(finding) for finding in error.findings],
        }


def require_running(proxies: Sequence[Mapping[str, Any]]) -> None:
    """Raise ConfigRefused if the admin interface of a proxy that runs does not respond: nothing would confirm a change."""

    def finding_of(proxy: Mapping[str, Any]) -> Finding | None:
        try:
            ConfigAdmin(proxy["admin"]).get("/ready", RUNNING_TIMEOUT)
        except AdminUnreachable as error:
            return Finding(
                f"admin: the admin interface does not respond: {str(error).rstrip('.')}. Start Envoy, correct 'admin', or set"
                " 'running: false' for an Envoy that does not run yet.",
                proxy["name"],
            )
        return None

    asked = [proxy for proxy in proxies if proxy["admin"] and proxy["running"]]
    findings = [finding for _proxy, finding in map_to_pairs(finding_of, asked) if finding]
    if findings:
        raise ConfigRefused(findings)


def apply(transaction: Transaction, confirm_timeout: float, drain_timeout: float) -> None:
    """Write the files, replace the watched ones, and finish.

    Raises:
        ConfigRefused: A running proxy rejected a file. All files of that proxy were restored.
    """
    transaction.write()
    try:
        transaction.go_live(confirm_timeout, drain_timeout)
    except ConfigRefused as error:
        restore_checked_files(transaction, [finding.check for finding in error.findings if finding.check])
        raise
    transaction.finish()


def proxies_to_restart(transaction: Transaction) -> list[str]:
    """Return the running proxies with a changed file that they read only when they start."""
    watched = {file.path for file in transaction.desired.files if file.live}
    changed = set(transaction.changed_files()) - watched
    urls = {admin.proxy: admin.url for admin in transaction.desired.admins}
    return [
        check.name
        for check in transaction.desired.checks
        if changed & set(check.validated_files)
        and check.name in urls
        and ConfigAdmin(urls[check.name]).is_running()
    ]


def _error(finding: Finding) -> dict[str, Any]:
    """Return an entry of `errors`, without the keys that are not known."""
    data = asdict(finding)
    return {key: value for key, value in {"proxy": data.pop("check"), **data}.items() if value is not None}
