# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A state folder is of one platform, cluster and namespace: whoever comes from another one leaves it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import state_file
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_options import perform

# Nobody listens there: what is refused is so before anybody is asked.
SERVER = "http://127.0.0.1:9"
DOCUMENTS = {"local": "supervisord.conf", "docker": "compose.yaml", "kubernetes": "manifests.yaml"}


def options(
    folder: Path, platform: str, state: str, namespace: str = "a", server: str = SERVER
) -> dict[str, Any]:
    return {
        "plan": {
            "name": "demo",
            "platform": platform,
            "folder": str(folder),
            "files": [{"path": DOCUMENTS[platform], "content": "new"}],
        },
        "state": state,
        "cluster": {"host": server, "api_key": "x", "namespace": namespace},
        "bind": "127.0.0.1",
        "supervisord_executable": "supervisord",
        "timeout": 1,
        "confirm_timeout": 1,
        "drain_timeout": 1,
    }  # fmt: skip


def remembered(folder: Path, where: str) -> dict[str, bytes]:
    """Write a folder as a run in that place does; return what is in it."""
    with prepare(folder, DesiredFiles((File("edge/listeners.yaml", b"old"),)), location=where) as change:
        change.write()
        change.finish()
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("before", "here", "now"),
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
def test_a_folder_of_another_place_is_refused(
    tmp_path: Path, before: str, here: dict[str, str], now: str, state: str, check_mode: bool
) -> None:
    folder = tmp_path / "demo"
    was = remembered(folder, before)
    answer = perform(options(folder, **{"state": state, **here}), check_mode)
    assert answer["failed"]
    assert answer["msg"] == (
        f"{folder} belongs to a deployment on {before}, but this run targets {now}. Tear it down on {before} first, or set"
        f" deployment_folder to another folder. If {before} does not exist any more, remove {folder}. Nothing was changed."
    )
    assert not answer["changed"]
    assert contents(folder) == was


def test_a_folder_remembers_its_place_until_it_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    wanted = DesiredFiles((File("a", b"1"),))

    def made(one: DesiredFiles, where: str = "") -> str:
        with prepare(folder, one, location=where) as change:
            if change.changed:
                change.write()
                # Also of a run that was interrupted here.
                assert state_file.load(folder).location == (where or before)
                change.finish()
        return state_file.load(folder).location

    # Files alone, as render.yml writes them, or as a run of before did, are of no place yet.
    before = ""
    assert made(wanted) == ""
    before = made(wanted, "local")
    assert before == "local"
    # Files alone take nothing away from it.
    assert made(DesiredFiles((File("a", b"2"),))) == "local"
    assert not perform(options(folder, "local", "absent"), False).get("failed")
    assert not folder.exists()


def test_what_somebody_else_wrote_is_not_claimed_to_remember_where_it_runs(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir(0o700)
    (folder / "a").write_bytes(b"1")
    (folder / "a").chmod(0o644)
    with prepare(folder, DesiredFiles((File("a", b"1"),)), location="local") as change:
        assert not change.changed
    assert state_file.load(folder).files == {}
    assert contents(folder).keys() == {"a"}


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_question_is_a_sentence_without_another_end(tmp_path: Path, check_mode: bool) -> None:
    result = perform(options(tmp_path / "demo", "kubernetes", "present"), check_mode)
    [told] = result["warnings"] if check_mode else [result["msg"]]
    assert "No API server answers" in told
    assert "?." not in told
