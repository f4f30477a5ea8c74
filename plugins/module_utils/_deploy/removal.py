# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The teardown of a deployment, and the check that a folder belongs to the platform."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    LOCK,
    STATE_FILE,
    DesiredFiles,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree, state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.phases import phase
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    Deployer,
    PlatformRefused,
)


def remove_deployment(request: DeployRequest, deployer: Deployer, folder: Path, result: DeployResult) -> None:
    """Stop the workloads of `deployer` and remove what this collection wrote to `folder`. Raises PlatformFailed."""
    with phase(request, result, "prepare"):
        stored = state_file.load(folder)
        check_location(deployer, stored, folder)
        existing = [path for path in stored.files if (folder / path).exists()]
        result.files = sorted(existing)
        result.diff = [*prepare(folder, DesiredFiles(), check_mode=True).diff] if existing else []
        is_deployed = deployer.is_deployed()
        result.changed = is_deployed or bool(existing) or (folder / STATE_FILE).exists()
    if request.check_mode:
        if is_deployed:
            result.removed = deployer.running_workloads()
        return
    with phase(request, result, "stop"):
        if is_deployed:
            result.removed = deployer.remove_all()
    with phase(request, result, "remove", "removing files"):
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


def check_location(deployer: Deployer, stored: state_file.FolderState, folder: Path) -> None:
    """Refuse a folder of a deployment elsewhere: its workloads read these files, and trust the authority in it."""
    if stored.location and stored.location != deployer.location():
        raise PlatformRefused(
            f"{folder} belongs to a deployment on {stored.location}, but this run targets {deployer.location()}. Tear it down on"
            f" {stored.location} first, or set deployment_folder to another folder. If {stored.location} does not exist any more,"
            f" remove {folder}"
        )
