# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of demo_deploy: the plan, the options without a plan, and the result after errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy import deploy_options
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import (
    ARGUMENTS,
    perform,
    request_of,
    used_part,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.registry import DEPLOYERS
from ansible_collections.meshlab.envoy.plugins.modules import demo_deploy

# No server listens there.
SERVER = "http://127.0.0.1:9"
DOCUMENTS = {"local": "supervisord.conf", "docker": "compose.yaml", "kubernetes": "manifests.yaml"}
DEFAULTS = {name: option.get("default") for name, option in ARGUMENTS.items()}


def options(
    folder: Path, platform: str, state: str = "present", namespace: str = "a", server: str = SERVER
) -> dict[str, Any]:
    plan = {
        "name": "demo",
        "platform": platform,
        "folder": str(folder),
        "files": [{"path": DOCUMENTS[platform], "content": "new"}],
    }
    cluster = {"host": server, "api_key": "x", "namespace": namespace}
    return {**DEFAULTS, "plan": plan, "state": state, "cluster": cluster, "timeout": 1}


def test_plan_becomes_a_request(tmp_path: Path) -> None:
    given = options(tmp_path, "docker")
    given["plan"] |= {
        "workloads": [{"name": "web", "command": ["x"]}],
        "admins": [{"proxy": "edge", "url": "http://127.0.0.1:1"}],
        "traffic": [{}],
        "changed": False,
    }
    request = request_of(given, True)
    assert (request.name, request.platform, request.folder) == ("demo", "docker", tmp_path)
    assert [one.name for one in request.workloads] == ["web"]
    assert [one.proxy for one in request.files.admins] == ["edge"]
    assert request.check_mode


def test_home_is_expanded_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert request_of(options(Path("~/state"), "local"), False).folder == Path("/home/me/state")


def test_teardown_needs_no_plan() -> None:
    identity = {"name": "demo", "platform": "local", "folder": "/state"}
    request = request_of({**DEFAULTS, "state": "absent", **identity}, False)
    assert (request.name, request.platform, request.folder) == ("demo", "local", Path("/state"))
    assert request.files == DesiredFiles()


def test_teardown_ignores_the_workloads_of_a_plan(tmp_path: Path) -> None:
    assert request_of(options(tmp_path, "local", "absent"), False).files == DesiredFiles()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"state": "present"}, "plan: is missing. Set it to a plan of meshlab.envoy.demo_plan"),
        (
            {"state": "absent", "name": "demo", "folder": "/x"},
            "platform: is missing. Without a plan, state=absent needs name, platform, folder",
        ),
        (
            {"plan": {"name": "demo"}},
            "plan: has no platform. Use a plan of meshlab.envoy.demo_plan, or add it",
        ),
        (
            {"plan": {"name": "demo", "platform": "nomad", "folder": "/x"}},
            "plan.platform: expected one of local, docker, kubernetes, openshift, got nomad",
        ),
    ],
)
def test_missing_option_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError) as error:
        request_of({**DEFAULTS, **given}, False)
    assert str(error.value) == text
    result = perform({**DEFAULTS, **given}, False)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"] == f"{text}. Nothing was changed."


@pytest.mark.parametrize(
    "workloads",
    [
        [{"name": "a", "command": ["x"], "after": ["b"]}],
        [{"name": "a", "command": ["x"], "network": "a"}],
        [{"name": "a", "command": ["x"]}, {"name": "a", "command": ["x"]}],
        [{"name": "a", "command": ["x"], "probe": {"kind": "udp"}}],
    ],
)
def test_wrong_workload_is_refused_before_any_change(tmp_path: Path, workloads: list[dict[str, Any]]) -> None:
    given = options(tmp_path / "demo", "local")
    given["plan"]["workloads"] = workloads
    result = perform(given, False)
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].endswith(". Nothing was changed.")
    assert not (tmp_path / "demo").exists()


def test_only_the_used_part_of_a_plan_is_sent() -> None:
    assert used_part({"name": "a", "files": [], "traffic": [1], "assertions": [2]}) == {
        "name": "a",
        "files": [],
    }


def test_documented_choices_are_the_platforms() -> None:
    documented = yaml.safe_load(demo_deploy.DOCUMENTATION)["options"]["platform"]["choices"]
    assert documented == ARGUMENTS["platform"]["choices"] == list(DEPLOYERS)


@pytest.mark.parametrize("task", yaml.safe_load(demo_deploy.EXAMPLES), ids=lambda task: str(task["name"]))
def test_documented_plan_is_accepted(task: dict[str, Any]) -> None:
    given = task.get("meshlab.envoy.demo_deploy", {})
    if isinstance(given.get("plan"), dict):
        assert request_of({**DEFAULTS, **given}, True).workloads


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("stored", "target", "location"),
    [
        ("docker", {"platform": "kubernetes"}, f"namespace a of {SERVER}"),
        ("docker", {"platform": "local"}, "local"),
        ("local", {"platform": "docker"}, "docker"),
        (f"namespace a of {SERVER}", {"platform": "docker"}, "docker"),
        (
            f"namespace a of {SERVER}",
            {"platform": "kubernetes", "namespace": "b"},
            f"namespace b of {SERVER}",
        ),
        (
            f"namespace a of {SERVER}",
            {"platform": "kubernetes", "server": "http://127.0.0.1:19"},
            "namespace a of http://127.0.0.1:19",
        ),
    ],
)
def test_folder_of_another_location_is_refused(
    tmp_path: Path, stored: str, target: dict[str, str], location: str, state: str, check_mode: bool
) -> None:
    folder = tmp_path / "demo"
    with prepare(folder, DesiredFiles((File("a", b"old"),)), location=stored) as transaction:
        transaction.write()
        transaction.finish()
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    result = perform(options(folder, **{"state": state, **target}), check_mode)  # type: ignore[arg-type]
    assert result["failed"]
    assert result["msg"] == (
        f"{folder} belongs to a deployment on {stored}, but this run targets {location}. Tear it down on {stored} first, or set"
        f" deployment_folder to another folder. If {stored} does not exist any more, remove {folder}. Nothing was changed."
    )
    assert not result["changed"]
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_teardown_removes_the_stored_location(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with prepare(folder, DesiredFiles((File("a", b"old"),)), location="local") as transaction:
        transaction.write()
        transaction.finish()
    assert not perform(options(folder, "local", "absent"), False).get("failed")
    assert not folder.exists()
    assert state_file.load(folder).location == ""


@pytest.mark.parametrize("check_mode", [True, False])
def test_unreachable_cluster_is_refused_or_warned(tmp_path: Path, check_mode: bool) -> None:
    result = perform(options(tmp_path / "demo", "kubernetes"), check_mode)
    [text] = result["warnings"] if check_mode else [result["msg"]]
    assert f"No API server answers at {SERVER}" in text


@pytest.mark.parametrize(
    ("error", "phase", "message", "is_changed"),
    [
        (PlatformRefused("no port"), "preflight", "no port. Nothing was changed.", False),
        (PlatformFailed("web ended"), "start", "web ended", True),
        (
            PermissionError(13, "Permission denied", "/x"),
            "write",
            "/x: permission denied. Correct that",
            True,
        ),
        (KeyError("a"), "write", "Internal error of meshlab.envoy, please report it: KeyError: 'a'", True),
    ],
)
def test_error_becomes_a_message(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    phase: str,
    message: str,
    is_changed: bool,
) -> None:
    def fail(_request: object, result: Any) -> None:
        result.changed = True
        with result.phase(phase):
            raise error

    monkeypatch.setattr(deploy_options, "deploy", fail)
    result = perform(options(tmp_path, "local"), False)
    assert result["msg"].startswith(message)
    assert (result["failed"], result["changed"]) == (True, is_changed)
