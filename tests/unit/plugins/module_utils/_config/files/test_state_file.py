# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the state file, which is untrusted input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from config_transactions import deploy, text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import FolderState
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare


def write_text(folder: Path, text: str) -> None:
    (folder / ".files.json").write_text(text)
    (folder / ".files.json").chmod(0o600)


def write_state(folder: Path, **keys: Any) -> None:
    write_text(folder, json.dumps(keys))


def test_saved_state_is_loaded(tmp_path: Path) -> None:
    state = FolderState(
        {"edge/a": ["1", "2"]},
        ["edge/run"],
        {"edge/certs": {"digest": "3", "ends": 4, "names": ["edge"], "days": 5, "authority": "6"}},
        {"edge 0": "7"},
        ["edge/a"],
        "docker",
    )
    state_file.save(tmp_path, state)
    assert state_file.load(tmp_path) == state
    assert (tmp_path / ".files.json").stat().st_mode & 0o777 == 0o600


def test_folder_without_a_state_file_has_an_empty_state(tmp_path: Path) -> None:
    assert state_file.load(tmp_path) == FolderState()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is not JSON"),
        ("{not json", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not an object of JSON"),
        ('{"format": "1"}', "format is not a number"),
        ('{"files": 5}', "files is not a list of digests for each path"),
        ('{"files": {"a": 5}}', "files is not a list of digests for each path"),
        ('{"files": {"a": [5]}}', "files is not a list of digests for each path"),
        ('{"files": {"a": "text"}}', "files is not a list of digests for each path"),
        ('{"directories": 1}', "directories is not a list of paths"),
        ('{"directories": ["a", null]}', "directories is not a list of paths"),
        ('{"directories": "edge"}', "directories is not a list of paths"),
        ('{"certificates": {"web/certs": "text"}}', "certificates is not a record for each directory"),
        (
            '{"certificates": {"web/certs": {"ends": "soon"}}}',
            "certificates is not a record for each directory",
        ),
        (
            '{"certificates": {"web/certs": {"ends": true}}}',
            "certificates is not a record for each directory",
        ),
        ('{"certificates": {"web/certs": {"names": 5}}}', "certificates is not a record for each directory"),
        ('{"checks": {"edge 0": 1}}', "checks is not a digest for each check"),
        ('{"unconfirmed": {}}', "unconfirmed is not a list of paths"),
        ('{"location": ["local"]}', "location is not text"),
        ('{"sensitive": [1]}', "sensitive is not a list of paths"),
    ],
)
def test_value_of_a_wrong_type_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    write_text(tmp_path, text)
    with pytest.raises(ConfigRefused) as caught:
        state_file.load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/.files.json: {fault}. The file was modified. Delete it: then no file of an earlier run is removed."
        " Nothing was changed."
    )


def test_nothing_changes_with_a_modified_state(folder: Path) -> None:
    deploy(folder, DesiredFiles((text_file("a"), text_file("b"))))
    write_text(folder, "{not json")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ConfigRefused):
        deploy(folder, DesiredFiles((text_file("a", "2"),)))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_state_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    write_state(tmp_path)
    (tmp_path / ".files.json").chmod(mode)
    with pytest.raises(
        ConfigRefused,
        match=rf"^{tmp_path}/\.files\.json: other users can change this file, because its mode is 0{mode:o}\.",
    ):
        state_file.load(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_state_of_another_user_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path)
    os.chown(tmp_path / ".files.json", 12345, -1)
    with pytest.raises(
        ConfigRefused,
        match=r"\.files\.json: this file belongs to the user 12345, but this task runs as root\.",
    ):
        state_file.load(tmp_path)


def test_state_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".files.json", 0o600)
    with pytest.raises(ConfigRefused, match="this is not a regular file"):
        state_file.load(tmp_path)


@pytest.mark.parametrize("key", ["files", "directories", "sensitive", "unconfirmed"])
@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "", ".", "a/", "a\0b"])
def test_path_outside_of_the_folder_is_refused(tmp_path: Path, key: str, path: str) -> None:
    write_state(tmp_path, **{key: {path: ["1"]} if key == "files" else [path]})
    with pytest.raises(ConfigRefused) as caught:
        state_file.load(tmp_path)
    assert caught.value.file == f"{tmp_path}/.files.json"
    assert caught.value.message == (
        f"it lists {path!r}, which is not a path below {tmp_path}. The file was modified."
        " Delete it: then no file of an earlier run is removed."
    )


@pytest.mark.parametrize(
    "keys", [{"files": {"link/a": ["1"]}}, {"directories": ["link"]}, {"directories": ["link/a"]}]
)
def test_path_through_a_symbolic_link_is_refused(tmp_path: Path, keys: dict[str, Any]) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    write_state(folder, **keys)
    with pytest.raises(ConfigRefused, match="this is a symbolic link, which is not followed"):
        state_file.load(folder)


def test_state_file_that_is_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "other.json").write_text("{}")
    (folder / ".files.json").symlink_to(tmp_path / "other.json")
    with pytest.raises(ConfigRefused, match=rf"^{folder}/\.files\.json: this is a symbolic link"):
        state_file.load(folder)


def test_state_during_a_change_has_both_digests() -> None:
    before = FolderState({"a": ["1"], "b": ["1"]}, ["run"])
    after = FolderState({"a": ["2"]}, ["logs"], location="docker")
    during = before.during_change_to(after, ["b", "a"])
    assert during.files == {"a": ["1", "2"], "b": ["1"]}
    assert (during.directories, during.unconfirmed) == (["run", "logs"], ["a", "b"])
    assert during.location == "docker"


def test_state_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_state(tmp_path, format=state_file.FORMAT + 1, files={"a": ["1"]})
    with pytest.raises(
        ConfigRefused, match=r"deployed by a newer version of meshlab.envoy.*Update the collection"
    ):
        state_file.load(tmp_path)


def test_folder_of_an_older_version_is_taken_over(folder: Path) -> None:
    deploy(folder, DesiredFiles((text_file("a"), text_file("b"))))
    state = json.loads((folder / ".files.json").read_text())
    del state["format"]
    (folder / ".files.json").write_text(json.dumps(state))
    deploy(folder, DesiredFiles((text_file("a"),)))
    assert not (folder / "b").exists()
    assert json.loads((folder / ".files.json").read_text())["format"] == state_file.FORMAT


RECORD = {
    "block": 20000,
    "ports": {"web-1/app": 20012},
    "stated": {"edge/http": 8080},
    "workloads": {"edge": {"generation": 2, "digest": "4f0c"}},
    "networks": {},
    "change": "half",
}


def test_record_of_a_deployment_is_saved_with_the_files(folder: Path) -> None:
    desired = DesiredFiles.from_plan({"files": [{"path": "a", "content": "x"}], "deployed": RECORD})
    with prepare(folder, desired) as transaction:
        transaction.write()
        # It is recorded before a workload starts, so an interrupted run does not lose it.
        assert state_file.load(folder).deployed == DeploymentRecord.read(RECORD)
        transaction.finish()
    other = {**RECORD, "ports": {"web-1/app": 20013}}
    same_files = DesiredFiles.from_plan({"files": [{"path": "a", "content": "x"}], "deployed": other})
    with prepare(folder, same_files) as transaction:
        assert not transaction.changed
    assert state_file.load(folder).deployed.ports == {"web-1/app": 20013}
    with prepare(folder, DesiredFiles(files=(text_file("a", "y"),))) as transaction:
        transaction.write()
        transaction.finish()
    assert state_file.load(folder).deployed.ports == {"web-1/app": 20013}


def test_modified_record_of_a_deployment_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path, deployed={"ports": {"edge/http": "80; rm"}})
    with pytest.raises(ConfigRefused) as caught:
        state_file.load(tmp_path)
    message = str(caught.value)
    assert f"{tmp_path}/.files.json: deployed.ports.edge/http: expected a number from 1 to 65535" in message
    assert "Remove its key 'deployed'" in message
