# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which playbooks tools/gallery/play_demos.py plays, and what it tells, seen by a program that stands in for ansible-playbook."""

from __future__ import annotations

import io
import json
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "gallery" / "play_demos.py"
CHANGED = ["assert_not_deployed site", "change one", "change teardown two"]
# Says what it is asked to play, and what ansible-playbook would say of it.
PROGRAM = """#!/bin/sh
told={told}
names= change=
for word; do
  case $word in
    demo=*) demo=$(basename "${{word#demo=}}" .yml) ;;
    change=*) change=" ${{word#change=}}" ;;
    *.yml) names="$names $(basename "$word" .yml)" ;;
  esac
done
step="${{names# }}$change"
echo "$step" >> "$told"
case $step in *site*) echo "PLAY [Deploy a demo and verify it] ***" ;; esac
{behaviour}
case $step in teardown) ;; *) echo "2 of 2 expectations hold: 1 requests" ;; esac
case $step in *teardown*) echo "PLAY [Remove a demo] ***" ;; esac
{ending}
"""
DEPLOYED = """case $step in assert_not_deployed*)
echo '[ERROR]: Task failed: demo is deployed already: take it down first, or leave it as it is'; exit 2;; esac"""
Ran = subprocess.CompletedProcess[str]
Gallery = Callable[..., Ran]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    path = tmp_path / "demo.yml"
    path.write_text("expectations: [{}, {}]\nchanges: {one: {}, two: {expectations: [{}]}}\n")
    return path


@pytest.fixture
def steps(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: (tmp_path / "told").read_text().splitlines() if (tmp_path / "told").exists() else []


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    def made(*arguments: str | Path, behaviour: str = "", ending: str = "", says: str = PROGRAM) -> list[str]:
        program = tmp_path / "ansible-playbook"
        program.write_text(says.format(told=tmp_path / "told", behaviour=behaviour, ending=ending))
        program.chmod(0o755)
        return [sys.executable, str(SCRIPT), "--ansible-playbook", str(program), *map(str, arguments)]

    return made


@pytest.fixture
def gallery(command: Callable[..., list[str]]) -> Gallery:
    def ran(*arguments: str | Path, **keys: str) -> Ran:
        return subprocess.run(
            command(*arguments, **keys), capture_output=True, text=True, timeout=60, check=False
        )

    return ran


def lines(ran: Ran) -> list[str]:
    return re.sub(r"\d+\.\d|\d+ s\b", "N", ran.stdout).splitlines()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [([], CHANGED), (["--no-changes"], ["assert_not_deployed site teardown"])],
    ids=["all", "no changes"],
)
def test_steps_of_a_demo(
    gallery: Gallery, steps: Any, demo: Path, options: list[str], wanted: list[str]
) -> None:
    ran = gallery(*options, demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == wanted
    assert lines(ran)[0] == "… playing demo on local"


@pytest.mark.parametrize(
    ("server", "options", "line"),
    [
        ("{command: [no-such-server]}", [], "- demo: not played, no-such-server is in no folder of PATH"),
        (
            "{command: [db], program: no-such-server}",
            [],
            "- demo: not played, no-such-server is in no folder of PATH",
        ),
        ("{command: [no-such-server], program: sh}", [], "✔ demo: "),
        ("{command: [./no-such-server]}", [], "✔ demo: "),
        ("{command: [no-such-server]}", ["--platform", "docker"], "✔ demo: "),
        ("{command: [no-such-server]}", ["--inventory", "{folder}/elsewhere.yml"], "✔ demo: "),
    ],
    ids=["not there", "not there by its name here", "there by its name here", "a path", "in a container", "elsewhere"],
)  # fmt: skip
def test_a_demo_whose_server_is_not_installed_is_not_played(
    gallery: Gallery, tmp_path: Path, server: str, options: list[str], line: str
) -> None:
    demo = tmp_path / "demo.yml"
    demo.write_text(f"services: {{web: {{app: {{}}}}, bare:, db: {{server: {server}}}}}\n")
    (tmp_path / "elsewhere.yml").write_text(
        "envoy_hosts: {hosts: {envoy1.example.com: {ansible_user: demo}}}\n"
    )
    ran = gallery(*(option.format(folder=tmp_path) for option in options), demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"[1/1] {line}" in ran.stdout


def test_it_has_failed_where_all_programs_are_to_be_there(
    gallery: Gallery, steps: Any, tmp_path: Path
) -> None:
    demo = tmp_path / "demo.yml"
    demo.write_text("services: {db: {server: {command: [no-such-server]}}}\nexpectations: [{}, {}, {}]\n")
    ran = gallery("--strict", demo)
    assert ran.returncode == 1
    assert steps() == []
    assert lines(ran)[0] == "[1/1] ✘ demo: 0 of 3 expectations hold, N, failed: programs"
    assert "no-such-server is in no folder of PATH" in ran.stdout
    assert lines(ran)[-1] == "0 of 1 demos, 0 of 3 expectations hold on local, in N."


def test_what_is_deployed_already_is_left_alone(gallery: Gallery, steps: Any, demo: Path) -> None:
    says = PROGRAM.replace("case $step in *site*)", "{behaviour}\ncase $step in *site*)")
    ran = gallery(demo, behaviour=DEPLOYED, says=says)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == ["assert_not_deployed site"]
    assert "[1/1] - demo: not played, it is deployed already: take it down first" in ran.stdout
    assert "0 of 0 demos" in ran.stdout


def test_what_fails_before_it_can_count_is_counted_from_its_file(
    gallery: Gallery, steps: Any, demo: Path
) -> None:
    ran = gallery(
        demo, behaviour='case $step in *site*) echo "[ERROR]: no room"; echo "Origin: x"; exit 2;; esac'
    )
    assert ran.returncode == 1
    assert steps() == ["assert_not_deployed site", "teardown"]
    # Its own two, the same after one change, and one after the other.
    assert "[1/1] ✘ demo: 0 of 5 expectations hold, N, failed: site" in lines(ran)
    assert "✘ demo on local, site:\nno room\n" in ran.stdout


def test_a_change_that_fails_is_told_and_the_demo_taken_down(
    gallery: Gallery, steps: Any, demo: Path
) -> None:
    ran = gallery(
        demo, behaviour='case $step in *two) echo "[ERROR]: no way"; echo "Origin: x"; exit 2;; esac'
    )
    assert ran.returncode == 1
    assert steps() == [*CHANGED, "teardown"]
    assert "✘ demo on local, change change=two:\nno way\n" in ran.stdout


@pytest.mark.parametrize(
    ("changes", "wanted"), [("", CHANGED), ("none", ["assert_not_deployed site teardown"])], ids=["after a change", "at once"]
)  # fmt: skip
def test_what_cannot_be_taken_down_is_told(
    gallery: Gallery, steps: Any, demo: Path, changes: str, wanted: list[str]
) -> None:
    demo.write_text(demo.read_text().replace("changes", changes or "changes"))
    ending = 'case $step in *teardown*) echo "[ERROR]: it stays"; echo "Origin: x"; exit 2;; esac'
    ran = gallery(demo, ending=ending)
    assert ran.returncode == 1
    # Once: why it failed is to be looked at.
    assert steps() == wanted
    assert "expectations hold, 0 s, failed: teardown\n" in ran.stdout
    assert "✘ demo on local, teardown:\nit stays\n" in ran.stdout


def test_what_is_no_demo_is_for_the_playbooks_to_tell(gallery: Gallery, demo: Path) -> None:
    says = 'case $demo$step in nonesuch*site*) echo "[ERROR]: there is no such demo file"; echo "Origin: x"; exit 2;; esac'
    ran = gallery("nonesuch", demo, behaviour=says)
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "✘ nonesuch on local, site:\nthere is no such demo file\n" in ran.stdout
    assert "✔ demo: 6 of 6" in ran.stdout


def test_the_first_that_can_be_played_is_played_alone(gallery: Gallery, tmp_path: Path) -> None:
    for name in ("b", "c", "d"):
        (tmp_path / f"{name}.yml").write_text("services:\n")
    (tmp_path / "a.yml").write_text("unsupported_on: {local: not here}\n")
    # Fails where another one is played at the same time.
    alone = f"if [ $demo = b ]; then sleep 0.5; ls {tmp_path}/[cd].begun 2>/dev/null && exit 2; else touch {tmp_path}/$demo.begun; fi"
    ran = gallery(*(tmp_path / f"{name}.yml" for name in "abcd"), behaviour=alone)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines(ran)[0] == "[1/4] - a: not played, not here"
    assert "3 of 3 demos" in ran.stdout


def test_several_runtimes_are_one_table(gallery: Gallery, steps: Any, tmp_path: Path, demo: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text("unsupported_on: {docker: not there}\nexpectations: [{}, {}]\n")
    told = tmp_path / "{platform}.json"
    ran = gallery("--platform", "local", "--platform", "docker", "--json", told, other, demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == ["assert_not_deployed site teardown", *CHANGED, *CHANGED]
    assert [line.split() for line in lines(ran)[-8:]] == [
        ["demo", "platform", "expectations", "held", "changes", "seconds"],
        ["demo", "local", "6", "6", "2", "N"],
        ["demo", "docker", "6", "6", "2", "N"],
        ["other", "local", "2", "2", "0", "N"],
        ["other", "was", "not", "played", "on", "docker:", "not", "there"],
        [],
        ["2", "of", "2", "demos,", "8", "of", "8", "expectations", "hold", "on", "local"],
        ["1", "of", "1", "demos,", "6", "of", "6", "expectations", "hold", "on", "docker,", "in", "N."],
    ]
    for platform in ("local", "docker"):
        found = json.loads((tmp_path / f"{platform}.json").read_text())
        assert [one["demo"] for one in found] == ["other", "demo"]
        assert {one["platform"] for one in found} == {platform}


def test_no_line_gets_into_another_one(command: Any, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Demos are told of from several threads: each line has to be written in one piece."""

    class Pieces(io.StringIO):
        def write(self, text: str) -> int:
            pieces.append(text)
            return len(text)

    pieces: list[str] = []
    _python, script, *arguments = command(demo)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    monkeypatch.setattr(sys, "stdout", Pieces())
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert runpy.run_path(script)["main"]() == 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(pieces) == 3
    assert all(piece.endswith("\n") for piece in pieces)


@pytest.mark.parametrize("when", ["behaviour", "ending"], ids=["deployed", "taken down"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_it_has_what_was_deployed_taken_down(
    command: Any, steps: Any, demo: Path, tmp_path: Path, number: int, when: str
) -> None:
    other = tmp_path / "other.yml"
    other.write_text("{}\n")
    # The playbook of one demo waits for the signal; that of the other never begins to deploy.
    waits = {when: "case $step in *site*) exec sleep 60;; esac"}
    demo.write_text(demo.read_text().replace("changes", "none"))
    process = subprocess.Popen(command(demo, other, **waits), stdout=subprocess.PIPE, text=True)
    while not steps():
        assert process.poll() is None
    process.send_signal(number)
    told = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "what was deployed is taken down" in told
    assert "is still there" not in told
    assert steps() == ["assert_not_deployed site teardown", "teardown"]
