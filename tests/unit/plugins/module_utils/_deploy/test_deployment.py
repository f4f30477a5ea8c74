# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployment and teardown on a platform of this test: order of calls, check mode, errors, and the folder's location."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Certificate,
    DesiredFiles,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import deployment
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deployment import deploy, teardown
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    AppliedChanges,
    DeploymentSpec,
    HostDeployer,
    PlatformFailed,
    PlatformRefused,
    PlatformUnavailable,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Workload


class RecordingDeployer(HostDeployer):
    """A deployer that records the calls; an exception in `errors` is raised by the method of that name."""

    document_path = "workloads.txt"
    calls: list[str]
    errors: dict[str, Exception]
    images: tuple[str, ...] = ()
    deployed = True

    def __init__(self, spec: DeploymentSpec) -> None:
        self.spec = spec

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def location(self) -> str:
        return "toy"

    def preflight(self) -> None:
        self._call("preflight")

    def missing_images(self) -> tuple[str, ...]:
        return self.images

    def pull_images(self, images: Iterable[str]) -> None:
        self._call(f"pull {' '.join(images)}")

    def prepare_start(self) -> None:
        self._call("prepare_start")

    def predict(self, document: str) -> AppliedChanges:
        self._call(f"predict {document}")
        return AppliedChanges(started=("web",))

    def apply(self) -> AppliedChanges:
        self._call("apply")
        return AppliedChanges(started=("web",))

    def wait_until_ready(self, timeout: float) -> None:
        self._call(f"wait_until_ready {timeout:g}")

    def wait_until_discovered(self, timeout: float) -> None:
        self._call("wait_until_discovered")

    def remove_unlisted(self) -> AppliedChanges:
        self._call("remove_unlisted")
        return AppliedChanges(removed=("old",))

    def running_workloads(self) -> tuple[str, ...]:
        self._call("running_workloads")
        return ("web",)

    def is_deployed(self) -> bool:
        return self.deployed

    def remove_all(self) -> tuple[str, ...]:
        self._call("remove_all")
        return ("web",)

    def close(self) -> None:
        self._call("close")


@pytest.fixture
def deployer(monkeypatch: pytest.MonkeyPatch) -> type[RecordingDeployer]:
    """Register a fresh recording deployer as the platform `toy`."""

    class Deployer(RecordingDeployer):
        calls: list[str] = []  # noqa: RUF012
        errors: dict[str, Exception] = {}  # noqa: RUF012

    monkeypatch.setitem(DEPLOYERS, "toy", lambda: Deployer)
    return Deployer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "demo"


def request_for(folder: Path, check_mode: bool = False, document: str = "web") -> DeployRequest:
    files = DesiredFiles(
        (File("workloads.txt", document.encode()), File("edge/clusters.yaml", b"x", live="edge"))
    )
    workloads = (Workload(name="web", command=("x",)),)
    return DeployRequest("demo", "toy", folder, files, workloads, timeout=7, check_mode=check_mode)


def test_documented_examples_are_right() -> None:
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(deployment, optionflags=options).failed == 0


def test_phases_run_in_order(deployer: type[RecordingDeployer], folder: Path) -> None:
    deployer.images = ("i:1",)
    result = DeployResult()
    deploy(request_for(folder), result)
    assert deployer.calls == [
        "preflight",
        "pull i:1",
        "prepare_start",
        "predict web",
        "apply",
        "wait_until_ready 7",
        "wait_until_discovered",
        "remove_unlisted",
        "close",
    ]
    assert list(result.seconds) == [
        "preflight",
        "prepare",
        "write",
        "start",
        "ready",
        "live",
        "discovery",
        "remove",
    ]
    assert (result.changed, result.started, result.removed) == (True, ("web",), ("old",))
    assert (folder / "workloads.txt").read_text() == "web"
    assert state_file.load(folder).location == "toy"


def test_progress_has_each_phase(deployer: type[RecordingDeployer], folder: Path) -> None:
    texts: list[str] = []
    deploy(replace(request_for(folder), progress=texts.append), DeployResult())
    assert texts == [
        "checking ports, programs and permissions",
        "comparing files",
        "writing files",
        "starting 1 workload",
        "waiting until all workloads are ready",
        "waiting until the proxies confirm their files",
        "waiting until the proxies find their upstream hosts",
        "stopping what was replaced or is no longer planned",
    ]


def test_missing_openssl_is_refused_before_images_are_pulled(
    deployer: type[RecordingDeployer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployer.images = ("i:1",)
    monkeypatch.setenv("PATH", str(folder.parent))
    request = request_for(folder)
    files = replace(request.files, certificates=(Certificate("edge/certs", ("edge",)),))
    message = r"plan\.certificates: the command openssl, .* is in no folder of PATH\. Install openssl"
    with pytest.raises(PlatformUnavailable, match=message):
        deploy(replace(request, files=files), DeployResult())
    assert deployer.calls == ["close"]
    assert not folder.exists()


def test_missing_openssl_is_a_warning_in_check_mode(
    deployer: type[RecordingDeployer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder.parent))
    request, result = request_for(folder, check_mode=True), DeployResult()
    files = replace(request.files, certificates=(Certificate("edge/certs", ("edge",)),))
    deploy(replace(request, files=files), result)
    assert "the command openssl" in " ".join(result.warnings)
    assert "pull" not in " ".join(deployer.calls)


def test_deployer_gets_the_spec(deployer: type[RecordingDeployer], folder: Path) -> None:
    specs = []

    class Deployer(deployer):  # type: ignore[valid-type, misc]
        def __init__(self, spec: DeploymentSpec) -> None:
            super().__init__(spec)
            specs.append(spec)

    DEPLOYERS["toy"] = lambda: Deployer
    folder.parent.joinpath("link").symlink_to(folder)
    deploy(request_for(folder.parent / "link", check_mode=True), DeployResult())
    (spec,) = specs
    assert (spec.name, spec.folder) == ("demo", folder)
    assert spec.watched_files == {"edge": ["edge/clusters.yaml"]}


def test_check_mode_changes_nothing(deployer: type[RecordingDeployer], folder: Path) -> None:
    deployer.images = ("i:1",)
    result = DeployResult()
    deploy(request_for(folder, check_mode=True), result)
    assert deployer.calls == ["preflight", "predict web", "close"]
    assert result.warnings == ["Images or packages that this host does not have would be installed: i:1."]
    assert (result.changed, result.started) == (True, ("web",))
    assert not folder.exists()


def test_missing_prerequisite_is_a_warning_in_check_mode(
    deployer: type[RecordingDeployer], folder: Path
) -> None:
    deployer.errors |= {name: PlatformUnavailable(f"{name} fails") for name in ("preflight", "predict web")}
    result = DeployResult()
    deploy(request_for(folder, check_mode=True), result)
    assert result.warnings == ["preflight fails.", "predict web fails."]
    with pytest.raises(PlatformUnavailable):
        deploy(request_for(folder), DeployResult())
    assert deployer.calls[-2:] == ["preflight", "close"]


def test_failure_stops_the_phases_and_closes(deployer: type[RecordingDeployer], folder: Path) -> None:
    deployer.errors["wait_until_ready 7"] = PlatformFailed("web ended")
    result = DeployResult()
    with pytest.raises(PlatformFailed):
        deploy(request_for(folder), result)
    assert deployer.calls[-2:] == ["wait_until_ready 7", "close"]
    assert (result.started, result.removed) == (("web",), ())


def test_document_is_predicted_only_when_it_changes(deployer: type[RecordingDeployer], folder: Path) -> None:
    deploy(request_for(folder), DeployResult())
    deployer.calls.clear()
    deploy(request_for(folder), DeployResult())
    assert deployer.calls == [
        "preflight",
        "prepare_start",
        "apply",
        "wait_until_ready 7",
        "wait_until_discovered",
        "remove_unlisted",
        "close",
    ]


def test_plan_without_the_document_is_refused(deployer: type[RecordingDeployer], folder: Path) -> None:
    with pytest.raises(
        PlatformRefused, match=r"plan\.files: has no workloads\.txt, the document of the platform toy"
    ):
        deploy(DeployRequest("demo", "toy", folder), DeployResult())
    assert deployer.calls == ["close"]
    assert not folder.exists()


@pytest.mark.usefixtures("deployer")
@pytest.mark.parametrize("path", ["/", "~"])
def test_shared_folder_is_refused(path: str) -> None:
    for action in (deploy, teardown):
        with pytest.raises(PlatformRefused, match="cannot be a state folder, because teardown removes it"):
            action(DeployRequest("demo", "toy", Path(path).expanduser()), DeployResult())


def test_teardown_removes_workloads_and_files(deployer: type[RecordingDeployer], folder: Path) -> None:
    deploy(request_for(folder), DeployResult())
    deployer.calls.clear()
    checked, result = DeployResult(), DeployResult()
    teardown(DeployRequest("demo", "toy", folder, check_mode=True), checked)
    assert deployer.calls == ["running_workloads", "close"]
    assert folder.exists()
    teardown(DeployRequest("demo", "toy", folder), result)
    assert deployer.calls[2:] == ["remove_all", "close"]
    for one in (checked, result):
        assert (one.changed, one.removed) == (True, ("web",))
        assert one.files == ["edge/clusters.yaml", "workloads.txt"]
    assert not folder.exists()


def test_teardown_of_nothing_changes_nothing(deployer: type[RecordingDeployer], folder: Path) -> None:
    deployer.deployed = False
    result = DeployResult()
    teardown(DeployRequest("demo", "toy", folder), result)
    assert not result.changed
    assert deployer.calls == ["close"]


def test_teardown_keeps_files_of_other_programs(deployer: type[RecordingDeployer], folder: Path) -> None:
    deploy(request_for(folder), DeployResult())
    (folder / "notes.txt").write_text("notes")
    result = DeployResult()
    teardown(DeployRequest("demo", "toy", folder), result)
    assert result.warnings == [f"{folder} stays, because it has files of other programs: notes.txt."]
    assert [one.name for one in folder.iterdir()] == ["notes.txt"]
    assert deployer.calls[-1] == "close"


@pytest.mark.usefixtures("deployer")
@pytest.mark.parametrize("key", ["files", "directories"])
@pytest.mark.parametrize("action", [deploy, teardown])
def test_modified_state_file_removes_no_other_path(
    folder: Path, tmp_path: Path, action: object, key: str
) -> None:
    deploy(request_for(folder), DeployResult())
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    paths = [str(other / "file"), str(other), "../other/file", "../other"]
    for path in paths:
        state = json.loads((folder / ".files.json").read_text())
        modified = {**state, key: {path: [state_file.sha256(b"x")]} if key == "files" else [path]}
        (folder / ".files.json").write_text(json.dumps(modified))
        with pytest.raises(ConfigRefused, match=r"/\.files\.json: it lists .*, which is not a path below"):
            action(request_for(folder), DeployResult())  # type: ignore[operator]
    assert (other / "file").exists()


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("action", [deploy, teardown])
def test_folder_of_another_location_is_refused(
    deployer: type[RecordingDeployer], folder: Path, action: object, check_mode: bool
) -> None:
    with prepare(folder, DesiredFiles((File("a", b"1"),)), location="docker") as transaction:
        transaction.write()
        transaction.finish()
    before = sorted(folder.iterdir())
    with pytest.raises(PlatformRefused) as error:
        action(request_for(folder, check_mode), DeployResult())  # type: ignore[operator]
    assert str(error.value) == (
        f"{folder} belongs to a deployment on docker, but this run targets toy. Tear it down on docker first, or set"
        f" deployment_folder to another folder. If docker does not exist any more, remove {folder}"
    )
    assert deployer.calls == ["close"]
    assert sorted(folder.iterdir()) == before


def test_location_is_stored_until_teardown(folder: Path) -> None:
    wanted = DesiredFiles((File("a", b"1"),))

    def location_after(files: DesiredFiles, location: str = "") -> str:
        with prepare(folder, files, location=location) as transaction:
            if transaction.changed:
                transaction.write()
                # The location is stored first, so that an interrupted run has it too.
                assert state_file.load(folder).location == (location or before)
                transaction.finish()
        return state_file.load(folder).location

    before = ""
    # Files without a deployment, as role deployment renders them, have no location.
    assert location_after(wanted) == ""
    before = location_after(wanted, "local")
    assert before == "local"
    # Files without a deployment keep the location.
    assert location_after(DesiredFiles((File("a", b"2"),))) == "local"


def test_files_of_other_programs_store_no_location(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir(0o700)
    (folder / "a").write_bytes(b"1")
    (folder / "a").chmod(0o644)
    with prepare(folder, DesiredFiles((File("a", b"1"),)), location="local") as transaction:
        assert not transaction.changed
    assert state_file.load(folder).files == {}
    assert [one.name for one in folder.iterdir()] == ["a"]
