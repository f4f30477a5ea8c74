# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments and teardowns that meet in one folder, and what a refused or interrupted one leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import perform
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment import deploy, teardown
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS


class MeetingDeployer(HostDeployer):
    """A deployer that starts another run in one of its methods."""

    document_path = "workloads.txt"
    meets: dict[str, Callable[[], None]]
    deployed: bool

    def __init__(self, spec: DeploymentSpec) -> None:
        """Do nothing."""

    def _meet(self, name: str) -> None:
        self.meets.pop(name, lambda: None)()

    def location(self) -> str:
        return "toy"

    def preflight(self) -> None:
        self._meet("preflight")

    def missing_images(self) -> tuple[str, ...]:
        return ()

    def predict(self, document: str) -> AppliedChanges:
        return AppliedChanges()

    def apply(self) -> AppliedChanges:
        self._meet("apply")
        type(self).deployed = True
        return AppliedChanges(started=("web",))

    def wait_until_ready(self, timeout: float) -> None:
        """Return at once."""

    def remove_unlisted(self) -> AppliedChanges:
        return AppliedChanges()

    def is_deployed(self) -> bool:
        return self.deployed

    def running_workloads(self) -> tuple[str, ...]:
        return ()

    def remove_all(self) -> tuple[str, ...]:
        self._meet("remove_all")
        type(self).deployed = False
        return ("web",)


@pytest.fixture
def deployer(monkeypatch: pytest.MonkeyPatch) -> type[MeetingDeployer]:
    class Deployer(MeetingDeployer):
        meets: dict[str, Callable[[], None]] = {}  # noqa: RUF012
        deployed = False

    monkeypatch.setitem(DEPLOYERS, "toy", lambda: Deployer)
    return Deployer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def request_for(folder: Path) -> DeployRequest:
    return DeployRequest("demo", "toy", folder, DesiredFiles((File("workloads.txt", b"web"),)))


def refused(
    action: Callable[[DeployRequest, DeployResult], None], folder: Path, refusals: list[str]
) -> Callable[[], None]:
    def run() -> None:
        with pytest.raises(ConfigRefused) as caught:
            action(request_for(folder), DeployResult())
        refusals.append(str(caught.value))

    return run


def test_deploy_that_meets_a_teardown_leaves_nothing(deployer: type[MeetingDeployer], folder: Path) -> None:
    deploy(request_for(folder), DeployResult())
    refusals: list[str] = []
    deployer.meets["remove_all"] = refused(deploy, folder, refusals)
    teardown(request_for(folder), DeployResult())
    assert len(refusals) == 1
    assert refusals[0] == (
        f"{folder}: another run (process {os.getpid()}) is changing this folder. Run again after it has ended."
        " Nothing was changed."
    )
    assert not folder.exists()
    assert not deployer.deployed


@pytest.mark.parametrize("moment", ["preflight", "apply"])
def test_teardown_that_meets_a_deploy_changes_nothing(
    deployer: type[MeetingDeployer], folder: Path, moment: str
) -> None:
    refusals: list[str] = []
    deployer.meets[moment] = refused(teardown, folder, refusals)
    deploy(request_for(folder), DeployResult())
    assert len(refusals) == 1
    assert deployer.deployed
    teardown(request_for(folder), DeployResult())
    assert not folder.exists()


def test_unchanged_deployment_holds_the_lock_too(deployer: type[MeetingDeployer], folder: Path) -> None:
    deploy(request_for(folder), DeployResult())
    refusals: list[str] = []
    deployer.meets["apply"] = refused(teardown, folder, refusals)
    deploy(request_for(folder), DeployResult())
    assert len(refusals) == 1


def test_refused_first_deployment_leaves_no_folder(deployer: type[MeetingDeployer], folder: Path) -> None:
    def refuse() -> None:
        raise PlatformRefused("port 80 is in use")

    deployer.meets["preflight"] = refuse
    with pytest.raises(PlatformRefused):
        deploy(request_for(folder), DeployResult())
    assert not folder.exists()


@pytest.mark.usefixtures("deployer")
@pytest.mark.parametrize(
    "left", [".lock", ".refused/edge.yaml", ".staging/tree/x", "..files.json.meshlab-unfinished"]
)
def test_teardown_removes_what_an_interrupted_first_run_left(folder: Path, left: str) -> None:
    folder.mkdir(0o700)
    (folder / left).parent.mkdir(parents=True, exist_ok=True)
    (folder / left).write_text("")
    (folder / left).chmod(0o600)
    teardown(request_for(folder), DeployResult())
    assert not folder.exists()


@pytest.mark.usefixtures("deployer")
@pytest.mark.parametrize("state", ["present", "absent"])
def test_folder_that_others_can_change_is_refused(folder: Path, state: str) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    files = [{"path": "workloads.txt", "content": "web"}]
    plan = {"name": "demo", "platform": "toy", "folder": str(folder), "files": files}
    limits = {"timeout": 1, "confirm_timeout": 1, "drain_timeout": 1}
    options = {"state": state, "plan": plan, "bind": "127.0.0.1", "supervisord_executable": ""}
    result = perform(options | limits, False)
    assert result["failed"]
    assert result["msg"].startswith(
        f"{folder}: other users can change this folder, because its mode is 0777."
    )
    assert list(folder.iterdir()) == []
