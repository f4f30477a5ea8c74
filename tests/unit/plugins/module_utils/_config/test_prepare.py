# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the first phase: what is compared, checked and refused, with small programs instead of an Envoy."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from config_transactions import deploy, python_check, text_file

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    Certificate,
    Check,
    DesiredFiles,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare

LOOK = (
    "import os; assert open('edge/a').read() == 'x\\n'; assert open('edge/candidate').read() == 'c\\n';"
    "assert os.stat('.').st_mode & 0o777 == 0o755; assert os.stat('..').st_mode & 0o777 == 0o700;"
    "assert os.path.exists('edge/certs/tls.key'); assert not os.path.exists('ca/ca.key')"
)


def counting_script(folder: Path) -> str:
    return f"open({str(folder.parent / 'count')!r}, 'a').write('x')"


def test_checks_read_a_complete_staged_copy(folder: Path) -> None:
    desired = DesiredFiles(
        (text_file("edge/a"),),
        certificates=(Certificate("edge/certs", ("edge",)),),
        checks=(python_check(LOOK, text_file("edge/candidate", "c\n")),),
    )
    deploy(folder, desired)
    assert not (folder / ".staging").exists()
    assert not (folder / "edge/candidate").exists()


def test_failed_checks_change_nothing(folder: Path) -> None:
    deploy(folder, DesiredFiles((text_file("edge/a", "old\n"),)))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    checks = tuple(
        python_check(f"print('bad {name}'); raise SystemExit(1)", name=name) for name in ("one", "two")
    )
    with pytest.raises(ConfigRefused, match=r"(?s)one: .*bad one.*\ntwo: .*bad two.*\nNothing was changed"):
        deploy(folder, DesiredFiles((text_file("edge/a"), text_file("edge/b")), checks=checks))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_passed_check_runs_again_only_when_its_input_changes(folder: Path) -> None:
    folder.parent.mkdir()
    count = folder.parent / "count"

    def desired(content: str, other: str = "", candidate: str = "c") -> DesiredFiles:
        check = python_check(counting_script(folder), text_file("edge/candidate", candidate))
        return DesiredFiles((text_file("edge/a", content), text_file("other/a", other)), checks=(check,))

    deploy(folder, desired("1"))
    deploy(folder, desired("1"))
    deploy(folder, desired("1", other="changed"))
    assert count.read_text() == "x"
    deploy(folder, desired("2"))
    assert count.read_text() == "xx"
    assert not deploy(folder, desired("2", other="", candidate="d")).changed_files("edge")
    assert count.read_text() == "xxx"


def test_failed_check_runs_again(folder: Path) -> None:
    folder.parent.mkdir()
    check = python_check(counting_script(folder) + "; raise SystemExit(1)")
    for _attempt in range(2):
        with pytest.raises(ConfigRefused):
            deploy(folder, DesiredFiles((text_file("edge/a"),), checks=(check,)))
    assert (folder.parent / "count").read_text() == "xx"


def test_check_mode_runs_checks_and_writes_nothing(folder: Path) -> None:
    passing, failing = python_check(""), python_check("raise SystemExit('no')")
    desired = DesiredFiles((text_file("edge/a"),), checks=(passing,))
    with prepare(folder, desired, check_mode=True) as transaction:
        assert transaction.changed
    with pytest.raises(ConfigRefused):
        prepare(folder, DesiredFiles((text_file("edge/a"),), checks=(failing,)), check_mode=True)
    assert not folder.exists()


def test_check_mode_warns_of_a_missing_program(folder: Path) -> None:
    desired = DesiredFiles((text_file("a"),), checks=(Check("e", ("/no/envoy",)),))
    with prepare(folder, desired, check_mode=True) as transaction:
        assert transaction.warnings == [
            "The files were not validated: /no/envoy does not exist. Install it, or correct its path."
        ]


def test_second_run_is_refused_while_the_first_runs(folder: Path) -> None:
    desired = DesiredFiles((text_file("a"),))
    refusal = rf"^{folder}: another run \(process {os.getpid()}\) is changing this folder\. Run again after"
    with prepare(folder, desired), pytest.raises(ConfigRefused, match=refusal):
        prepare(folder, desired)
    assert deploy(folder, desired).changed


def test_watched_file_with_a_duplicate_name_is_refused(folder: Path) -> None:
    duplicate = File("edge/listeners.yaml", b"resources:\n- name: a\n- name: a\n", live="edge")
    with pytest.raises(ConfigRefused, match=r"^edge/listeners\.yaml line 3: the name 'a' occurs twice"):
        deploy(folder, DesiredFiles((duplicate,)))


def test_unconfirmed_file_differs(folder: Path) -> None:
    live = File("edge/listeners.yaml", b"resources: []\n", live="edge")
    deploy(folder, DesiredFiles((live,)))
    state = json.loads((folder / ".files.json").read_text())
    (folder / ".files.json").write_text(json.dumps({**state, "unconfirmed": ["edge/listeners.yaml"]}))
    assert deploy(folder, DesiredFiles((live,))).changed_files() == ["edge/listeners.yaml"]
    assert not deploy(folder, DesiredFiles((live,))).changed


def test_two_checks_of_one_name_both_run(folder: Path) -> None:
    folder.parent.mkdir()
    check = python_check(counting_script(folder))
    other = Check("edge", (sys.executable, "-c", f"0;{counting_script(folder)}"), validated_files=("edge/a",))
    deploy(folder, DesiredFiles((text_file("edge/a"),), checks=(check, other)))
    assert (folder.parent / "count").read_text() == "xx"


def test_modified_state_file_is_refused(folder: Path, tmp_path: Path) -> None:
    deploy(folder, DesiredFiles((text_file("a"),)))
    outside = tmp_path / "outside"
    outside.write_text("x\n")
    state = json.loads((folder / ".files.json").read_text())
    state["files"][str(outside)] = state["files"]["a"]
    (folder / ".files.json").write_text(json.dumps(state))
    with pytest.raises(
        ConfigRefused, match=rf"^{folder}/\.files\.json: it lists '{outside}', which is not a path below"
    ):
        deploy(folder, DesiredFiles((text_file("a", "new\n"),)))
    assert outside.exists()
