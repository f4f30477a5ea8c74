# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Return to the previous deployment when a change fails after it has begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.meshlab.envoy.plugins.module_utils._config import roll_back
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.phases import phase
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    Deployer,
    PlatformFailed,
    as_sentence,
)

RESTORED = "The previous deployment was restored."


@contextmanager
def restored_on_failure(
    request: DeployRequest, deployer: Deployer, change: Transaction, result: DeployResult
) -> Iterator[None]:
    """Restore files, document and processes of the previous deployment if the block fails, and raise its error.

    A first deployment, and one on top of an incomplete one, has nothing to return to: what it has written stays for the next run.
    """
    try:
        yield
    except Exception as error:
        document = deployer.document_path
        if not (change.changed and deployer.can_restore and roll_back.can_roll_back(change, document)):
            raise
        with phase(request, result, "restore"):
            outcome = _restore(request, deployer, change, result)
        if isinstance(error, ConfigRefused):
            raise ConfigRefused(error.findings, outcome=outcome) from error
        if isinstance(error, PlatformFailed):
            raise PlatformFailed(f"{as_sentence(error)}\n{outcome}") from error
        raise


def _restore(request: DeployRequest, deployer: Deployer, change: Transaction, result: DeployResult) -> str:
    """Restore the previous deployment; return a sentence about the outcome."""
    path = deployer.document_path
    try:
        unconfirmed = roll_back.undo_live(change, request.confirm_timeout, request.drain_timeout)
        previous = roll_back.previous_content(change, path).decode()
        document, generations = deployer.previous_document(previous)
        contents = {path: document.encode()} if document != previous else {}
        roll_back.restore_files(change, contents, generations)
        deployer.restore()
    except (ConfigRefused, PlatformFailed, OSError) as error:
        return f"The previous deployment was not restored completely: {as_sentence(error)} Run the previous demo again."
    result.changed, result.rolled_back = False, True
    result.started, result.removed = (), ()
    if unconfirmed:
        return f"{RESTORED} These proxies did not confirm their previous files: {', '.join(unconfirmed)}. See their logs."
    return RESTORED
