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

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    LOCK,
    STATE_FILE,
    DesiredFiles,
)
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
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    Deployer,
    DeploymentSpec,
    PlatformRefused,
    PlatformUnavailable,
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
        PlatformFailed: A workload did not start or is not ready in time. Files that were written stay.

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
        _teardown(request, deployer, folder, result)


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
    )
    return deployer_class(request.platform)(spec)


def _deploy(request: DeployRequest, deployer: Deployer, document: str, result: DeployResult) -> None:
    with result.phase("preflight"):
        _preflight(deployer, state_file.load(request.folder), request, result)
    with result.phase("prepare"):
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
        with result.phase("predict"):
            result.add(_predict(deployer, document, result))
        return
    if change.changed:
        with result.phase("write"):
            is_new_document = deployer.document_path in result.files
            change.write(_restarting_proxies(request, deployer, document) if is_new_document else ())
    with result.phase("start"):
        result.add(deployer.apply())
    with result.phase("ready"):
        deployer.wait_until_ready(request.timeout)
    if change.changed:
        with result.phase("live"):
            change.confirm_started()
            change.go_live(request.confirm_timeout, request.drain_timeout)
    if result.changed:
        with result.phase("discovery"):
            deployer.wait_until_discovered(request.timeout)
    with result.phase("remove"):
        result.add(deployer.remove_unlisted())
        if change.changed:
            change.finish()


def _preflight(
    deployer: Deployer, stored: state_file.FolderState, request: DeployRequest, result: DeployResult
) -> None:
    check_mode = request.check_mode
    try:
        _check_location(deployer, stored, request.folder)
        _check_openssl(stored, request)
        deployer.preflight()
        if missing := deployer.missing_images():
            if check_mode:
                result.warnings.append(
                    f"Images that this host does not have would be pulled: {', '.join(missing)}."
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


def _check_location(deployer: Deployer, stored: state_file.FolderState, folder: Path) -> None:
    """Refuse a folder of a deployment elsewhere: its workloads read these files, and trust the authority in it."""
    if stored.location and stored.location != deployer.location():
        raise PlatformRefused(
            f"{folder} belongs to a deployment on {stored.location}, but this run targets {deployer.location()}. Tear it down on"
            f" {stored.location} first, or set deployment_folder to another folder. If {stored.location} does not exist any more,"
            f" remove {folder}"
        )


def _predict(deployer: Deployer, document: str, result: DeployResult) -> AppliedChanges:
    try:
        return deployer.predict(document)
    except PlatformUnavailable as error:
        result.warnings.append(as_sentence(error))
        return AppliedChanges()


def _restarting_proxies(request: DeployRequest, deployer: Deployer, document: str) -> Sequence[str]:
    """Return the proxies whose process is restarted by this change: it confirms no files before.

    Where a platform has config targets, pods of the previous rollout serve until new ones are ready, and the target finds them.
    """
    if deployer.config_targets():
        return ()
    try:
        restarted = deployer.predict(document).restarted
    except PlatformUnavailable:
        return ()
    return [
        admin["proxy"] for admin in request.admins if (admin.get("workload") or admin["proxy"]) in restarted
    ]


def _document(request: DeployRequest, path: str) -> str:
    for file in request.files.files:
        if file.path == path:
            return file.content.decode()
    raise PlatformRefused(
        f"plan.files: has no {path}, the document of the platform {request.platform}. Use a plan of meshlab.envoy.demo_plan"
    )


def _teardown(request: DeployRequest, deployer: Deployer, folder: Path, result: DeployResult) -> None:
    with result.phase("prepare"):
        stored = state_file.load(folder)
        _check_location(deployer, stored, folder)
        existing = [path for path in stored.files if (folder / path).exists()]
        result.files = sorted(existing)
        result.diff = [*prepare(folder, DesiredFiles(), check_mode=True).diff] if existing else []
        is_deployed = deployer.is_deployed()
        result.changed = is_deployed or bool(existing) or (folder / STATE_FILE).exists()
    if request.check_mode:
        if is_deployed:
            result.removed = deployer.running_workloads()
        return
    with result.phase("stop"):
        if is_deployed:
            result.removed = deployer.remove_all()
    with result.phase("remove"):
        is_ours = file_tree.exists(folder, STATE_FILE)
        with file_tree.refusing_os_errors(folder):
            _remove_files(folder, stored)
        foreign = sorted({*file_tree.names(folder)} - {LOCK})
        if is_ours and foreign:
            result.warnings.append(
                f"{folder} stays, because it has files of other programs: {', '.join(foreign)}."
            )


def _remove_files(folder: Path, stored: state_file.FolderState) -> None:
    """Remove what this collection wrote to `folder`. The state file is last, so that an interrupted teardown can be repeated."""
    file_tree.remove_leftovers(folder, {".", *(str(Path(path).parent) for path in stored.files)})
    for path in (*stored.directories, *([AUTHORITY] if stored.certificates else [])):
        file_tree.remove_tree(folder, path)
    for path in stored.files:
        file_tree.remove(folder, path)
    for path in stored.directories:
        file_tree.remove(folder, path)
    file_tree.remove_file(folder, STATE_FILE)
