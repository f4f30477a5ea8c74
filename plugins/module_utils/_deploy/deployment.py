# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploys a plan on any platform, and tears it down.

The phases of a deployment are preflight, prepare, write, start, ready, live, discovery and remove. This module has no platform in
it: what a phase does is up to the platform's `Deployer`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.envoy.log_level import set_log_levels
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree, state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.folder_lock import locked_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.trusted_folder import (
    home_folders,
    trusted_path,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._config.transaction import Transaction
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.envoy_logs import envoy_logs
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.failed_change import restored_on_failure
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.phases import phase
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.removal import (
    check_location,
    remove_deployment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    Deployer,
    DeploymentSpec,
    PlatformRefused,
    PlatformUnavailable,
    admin_workload,
    as_sentence,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import deployer_class


def deploy(request: DeployRequest, result: DeployResult) -> None:
    """Make the platform run the workloads of a request, with its files.

    Everything that can prevent the deployment is checked first. Then files are written, new workloads are started, and when
    all are ready the files that running proxies watch are replaced and confirmed. Workloads that are not listed any more are
    removed last. A second call with the same request changes nothing; a call after an interrupted one completes it.

    Args:
        request: What to deploy.
        result: Is filled while the phases run.

    Raises:
        PlatformRefused: A problem was found before anything was changed.
        ConfigRefused: A check or a proxy rejected a file; the text names what was rolled back.
        PlatformFailed: A workload did not start or is not ready in time. The previous deployment was restored if there was one,
            otherwise files that were written stay.

    Example:
        >>> request = DeployRequest("shop", "local", Path("/nonexistent"), check_mode=True)
        >>> deploy(request, DeployResult())
        Traceback (most recent call last):
          ...
        ansible_collections...PlatformRefused: plan.files: has no supervisord.conf, the document of the platform local. Use a
        plan of meshlab.envoy.demo_plan
    """
    with _locked(request), closing(_deployer(request)) as deployer:
        document = _document(request, deployer.document_path)
        _deploy(request, deployer, document, result)


def teardown(request: DeployRequest, result: DeployResult) -> None:
    """Stop the workloads of a demo and remove its files; of a folder only what this collection wrote.

    Args:
        request: The name, the platform and the folder of the deployment; files and workloads are not used.
        result: Is filled while the phases run.

    Raises:
        PlatformRefused: The folder belongs to a deployment on another platform or cluster.
        PlatformFailed: A workload cannot be removed.

    Example:
        >>> result = DeployResult()
        >>> teardown(DeployRequest("shop", "local", Path("/nonexistent")), result)
        >>> result.changed
        False
    """
    folder = trusted_path(request.folder)
    with _locked(request, removes_folder=True), closing(_deployer(request)) as deployer:
        remove_deployment(request, deployer, folder, result)


@contextmanager
def _locked(request: DeployRequest, removes_folder: bool = False) -> Iterator[None]:
    """Lock the folder during a deployment or teardown, from its first check to its end. Check mode creates no lock."""
    with ExitStack() as stack:
        folder = trusted_path(request.folder)
        if not request.check_mode and (folder.exists() or not removes_folder):
            with file_tree.refusing_os_errors(folder):
                stack.enter_context(locked_folder(folder, removes_folder=removes_folder))
        yield


def _deployer(request: DeployRequest) -> Deployer:
    folder = trusted_path(request.folder)
    if folder in (Path("/"), *home_folders()):
        raise PlatformRefused(
            f"{folder} cannot be a state folder, because teardown removes it. Choose another folder"
        )
    watched: dict[str, list[str]] = {}
    for file in request.files.files:
        if file.live:
            watched.setdefault(file.live, []).append(file.path)
    spec = DeploymentSpec(
        name=request.name,
        folder=folder,
        workloads=request.workloads,
        bind=request.bind,
        manifests=request.manifests,
        admins=request.admins,
        watched_files=watched,
        cluster=request.cluster,
        supervisord=request.supervisord,
        files=frozenset(file.path for file in request.files.files),
        timeout=request.timeout,
        drain_timeout=request.drain_timeout,
        progress=request.progress,
    )
    return deployer_class(request.platform)(spec)


def _deploy(request: DeployRequest, deployer: Deployer, document: str, result: DeployResult) -> None:
    with phase(request, result, "preflight"):
        _preflight(deployer, state_file.load(request.folder), request, result)
        for warning in deployer.warnings:
            if request.announce:
                request.announce(warning)
            else:
                result.warnings.append(warning)
    with phase(request, result, "prepare"):
        if not request.check_mode:
            deployer.prepare_start()
        change = prepare(
            request.folder,
            request.files,
            check_mode=request.check_mode,
            targets=deployer.config_targets(),
            # Check mode stores nothing, and the location may still be unknown.
            location="" if request.check_mode else deployer.location(),
            is_locked=not request.check_mode,
            read_log=envoy_logs(request),
        )
    with change:
        result.changed, result.files, result.diff = change.changed, change.changed_files(), list(change.diff)
        try:
            _apply(request, deployer, change, document, result)
        finally:
            result.warnings += change.warnings


def _apply(
    request: DeployRequest, deployer: Deployer, change: Transaction, document: str, result: DeployResult
) -> None:
    if request.check_mode:
        with phase(request, result, "predict"):
            result.add(_predict(deployer, document, result))
        return
    with restored_on_failure(request, deployer, change, result):
        if change.changed:
            with phase(request, result, "write"):
                is_new_document = deployer.document_path in result.files
                restarting, replacing = (
                    _restarting_proxies(request, deployer, document) if is_new_document else ((), ())
                )
                change.write(restarting, replacing)
        with phase(request, result, "start"):
            result.add(deployer.apply())
        with phase(request, result, "ready"):
            deployer.wait_until_ready(request.timeout)
        if change.changed:
            with phase(request, result, "live"):
                change.confirm_started()
                updates = change.go_live(request.confirm_timeout, request.drain_timeout)
                result.confirmed = {update.proxy: round(update.ended, 3) for update in updates}
                if deployer.document_path in result.files:
                    result.warnings += set_log_levels(request.admins)
        if result.changed:
            with phase(request, result, "discovery"):
                deployer.wait_until_discovered(request.timeout)
    with phase(request, result, "remove"):
        result.add(deployer.remove_unlisted())
        if change.changed or (change.before.files and not change.before.complete):
            change.finish()


def _preflight(
    deployer: Deployer, stored: state_file.FolderState, request: DeployRequest, result: DeployResult
) -> None:
    check_mode = request.check_mode
    try:
        check_location(deployer, stored, request.folder)
        _check_openssl(stored, request)
        deployer.preflight()
        if missing := deployer.missing_images():
            if check_mode:
                result.warnings.append(
                    f"Images or packages that this host does not have would be installed: {', '.join(missing)}."
                )
                return
            deployer.pull_images(missing)
    except PlatformUnavailable as error:
        if not check_mode:
            raise
        result.warnings.append(as_sentence(error))


def _check_openssl(stored: state_file.FolderState, request: DeployRequest) -> None:
    """Refuse new certificates on a host without openssl, before images are pulled."""
    new = [one.path for one in request.files.certificates if one.path not in stored.certificates]
    if new and not shutil.which("openssl"):
        raise PlatformUnavailable(
            f"plan.certificates: the command openssl, which creates {new[0]}/tls.crt, is in no folder of PATH. Install openssl"
        )


def _predict(deployer: Deployer, document: str, result: DeployResult) -> AppliedChanges:
    try:
        return deployer.predict(document)
    except PlatformUnavailable as error:
        result.warnings.append(as_sentence(error))
        return AppliedChanges()


def _restarting_proxies(
    request: DeployRequest, deployer: Deployer, document: str
) -> tuple[Sequence[str], Sequence[str]]:
    """Return the proxies whose process restarts in this change, and those that a new process replaces while they run.

    Where a platform has config targets, pods of the previous rollout serve until new ones are ready, and the target finds them.
    """
    if deployer.config_targets():
        return (), ()
    try:
        predicted = deployer.predict(document)
    except PlatformUnavailable:
        return (), ()
    workloads = {admin["proxy"]: admin_workload(admin) for admin in request.admins}
    restarted = [proxy for proxy, workload in workloads.items() if workload in predicted.restarted]
    replacing = [proxy for proxy in restarted if predicted.replaced.get(workloads[proxy]) == "hot_restart"]
    return [proxy for proxy in restarted if proxy not in replacing], replacing


def _document(request: DeployRequest, path: str) -> str:
    for file in request.files.files:
        if file.path == path:
            return file.content.decode()
    raise PlatformRefused(
        f"plan.files: has no {path}, the document of the platform {request.platform}. Use a plan of meshlab.envoy.demo_plan"
    )
