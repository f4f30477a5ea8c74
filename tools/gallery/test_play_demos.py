# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the playbooks that play_demos.py runs, and of its output, with a fake ansible-playbook."""

from __future__ import annotations

import doctest
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

import play_demos
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tools" / "gallery" / "play_demos.py"
CHANGED = ["assert_not_deployed site", "change one", "change teardown two"]
# A fake ansible-playbook. It records its playbooks, and prints lines of the real output.
FAKE_PLAYBOOK = """#!/bin/sh
record={record}
names= change=
for word; do
  case $word in
    demo=*) demo=$(basename "${{word#demo=}}" .yml) ;;
    change=*) change=" ${{word#change=}}" ;;
    *.yml) names="$names $(basename "$word" .yml)" ;;
  esac
done
step="${{names# }}$change"
case $step in *site*) echo "PLAY [Deploy a demo and verify it] ***" ;; esac
echo "$step" >> "$record"
{behaviour}
case $step in teardown) ;; *) echo "2 of 2 expectations hold: 1 requests" ;; esac
case $step in *teardown*) echo "PLAY [Remove a demo] ***" ;; esac
{ending}
"""
DEPLOYED = """case $step in assert_not_deployed*)
echo '[ERROR]: Task failed: demo is deployed already. Tear it down first (teardown.yml), or leave it running.'; exit 2;; esac"""
Ran = subprocess.CompletedProcess[str]
Gallery = Callable[..., Ran]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    path = tmp_path / "demo.yml"
    path.write_text("expectations: [{}, {}]\nchanges: {one: {}, two: {expectations: [{}]}}\n")
    return path


@pytest.fixture
def steps(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: (tmp_path / "record").read_text().splitlines() if (tmp_path / "record").exists() else []


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    def made(
        *arguments: str | Path, behaviour: str = "", ending: str = "", script: str = FAKE_PLAYBOOK
    ) -> list[str]:
        program = tmp_path / "ansible-playbook"
        program.write_text(script.format(record=tmp_path / "record", behaviour=behaviour, ending=ending))
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


def test_remaining_examples() -> None:
    assert doctest.testmod(play_demos).failed == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [([], CHANGED), (["--no-changes"], ["assert_not_deployed site teardown"])],
    ids=["all", "no changes"],
)
def test_steps_of_a_demo(
    gallery: Gallery, steps: Any, demo: Path, options: list[str], expected: list[str]
) -> None:
    ran = gallery(*options, demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == expected
    assert lines(ran)[0] == "… playing demo on local"


@pytest.mark.parametrize(
    ("server", "options", "line"),
    [
        ("{command: [no-such-server]}", [], "- demo: not played, no-such-server is not in PATH"),
        (
            "{command: [db], program: no-such-server}",
            [],
            "- demo: not played, no-such-server is not in PATH",
        ),
        ("{command: [no-such-server], program: sh}", [], "✔ demo: "),
        ("{command: [./no-such-server]}", [], "✔ demo: "),
        ("{command: [no-such-server]}", ["--platform", "docker"], "✔ demo: "),
        ("{command: [no-such-server]}", ["--inventory", "{folder}/elsewhere.yml"], "✔ demo: "),
    ],
    ids=["missing", "missing program", "installed program", "a path", "in a container", "another host"],
)  # fmt: skip
def test_demo_without_its_server_is_not_played(
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


def test_strict_fails_a_demo_without_its_server(gallery: Gallery, steps: Any, tmp_path: Path) -> None:
    demo = tmp_path / "demo.yml"
    demo.write_text("services: {db: {server: {command: [no-such-server]}}}\nexpectations: [{}, {}, {}]\n")
    ran = gallery("--strict", demo)
    assert ran.returncode == 1
    assert steps() == []
    assert lines(ran)[0] == "[1/1] ✘ demo: 0 of 3 expectations hold, N, failed: programs"
    assert "no-such-server is not in PATH" in ran.stdout
    assert lines(ran)[-1] == "0 of 1 demos, 0 of 3 expectations hold on local, in N."


def test_deployed_demo_is_not_played(gallery: Gallery, steps: Any, demo: Path) -> None:
    script = FAKE_PLAYBOOK.replace(
        "case $step in *site*)", 'echo "$step" >> "$record"\n{behaviour}\ncase $step in *site*)'
    )
    ran = gallery(demo, behaviour=DEPLOYED, script=script)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == ["assert_not_deployed site"]
    assert "[1/1] - demo: not played, it is deployed already. Remove it first with `make down`." in ran.stdout
    assert "0 of 0 demos" in ran.stdout


def test_expectations_of_a_failed_deployment_are_counted(gallery: Gallery, steps: Any, demo: Path) -> None:
    ran = gallery(
        demo, behaviour='case $step in *site*) echo "[ERROR]: no room"; echo "Origin: x"; exit 2;; esac'
    )
    assert ran.returncode == 1
    assert steps() == ["assert_not_deployed site", "teardown"]
    # Two of the demo, two after the first change, and one after the second.
    assert "[1/1] ✘ demo: 0 of 5 expectations hold, N, failed: site" in lines(ran)
    assert "✘ demo on local, site:\nno room\n" in ran.stdout


def test_demo_is_removed_after_a_failed_change(gallery: Gallery, steps: Any, demo: Path) -> None:
    ran = gallery(
        demo, behaviour='case $step in *two) echo "[ERROR]: no way"; echo "Origin: x"; exit 2;; esac'
    )
    assert ran.returncode == 1
    assert steps() == [*CHANGED, "teardown"]
    assert "✘ demo on local, change change=two:\nno way\n" in ran.stdout


@pytest.mark.parametrize(
    ("changes", "expected"), [("", CHANGED), ("none", ["assert_not_deployed site teardown"])], ids=["after a change", "at once"]
)  # fmt: skip
def test_failed_removal_is_reported(
    gallery: Gallery, steps: Any, demo: Path, changes: str, expected: list[str]
) -> None:
    demo.write_text(demo.read_text().replace("changes", changes or "changes"))
    ending = 'case $step in *teardown*) echo "[ERROR]: it stays"; echo "Origin: x"; exit 2;; esac'
    ran = gallery(demo, ending=ending)
    assert ran.returncode == 1
    # The program does not repeat a failed teardown.
    assert steps() == expected
    assert "expectations hold, 0 s, failed: teardown\n" in ran.stdout
    assert "✘ demo on local, teardown:\nit stays\n" in ran.stdout


def test_missing_demo_file_is_reported_by_the_playbook(gallery: Gallery, demo: Path) -> None:
    fails = 'case $demo$step in nonesuch*site*) echo "[ERROR]: there is no such demo file"; echo "Origin: x"; exit 2;; esac'
    ran = gallery("nonesuch", demo, behaviour=fails)
    assert ran.returncode == 1
    assert ran.stderr == ""
    assert "✘ nonesuch on local, site:\nthere is no such demo file\n" in ran.stdout
    assert "✔ demo: 6 of 6" in ran.stdout


def test_first_playable_demo_runs_alone(gallery: Gallery, tmp_path: Path) -> None:
    for name in ("b", "c", "d"):
        (tmp_path / f"{name}.yml").write_text("services:\n")
    (tmp_path / "a.yml").write_text("unsupported_on: {local: no room}\n")
    # Fails if another demo runs at the same time.
    alone = f"if [ $demo = b ]; then sleep 0.5; ls {tmp_path}/[cd].begun 2>/dev/null && exit 2; else touch {tmp_path}/$demo.begun; fi"
    ran = gallery(*(tmp_path / f"{name}.yml" for name in "abcd"), behaviour=alone)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert lines(ran)[0] == "[1/4] - a: not played, no room (3 left, about N)"
    left = [re.search(r"\d left|$", line)[0] for line in lines(ran) if re.match(r"\[[1-4]/4\]", line)]
    assert left == ["3 left", "2 left", "1 left", ""]
    assert "3 of 3 demos" in ran.stdout


def test_platforms_are_in_one_table(gallery: Gallery, steps: Any, tmp_path: Path, demo: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text("unsupported_on: {docker: no room}\nexpectations: [{}, {}]\n")
    results = tmp_path / "{platform}.json"
    ran = gallery("--platform", "local", "--platform", "docker", "--json", results, other, demo)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert steps() == ["assert_not_deployed site teardown", *CHANGED, *CHANGED]
    assert [line.split() for line in lines(ran)[-8:]] == [
        ["demo", "platform", "expectations", "held", "changes", "seconds"],
        ["demo", "local", "6", "6", "2", "N"],
        ["demo", "docker", "6", "6", "2", "N"],
        ["other", "local", "2", "2", "0", "N"],
        ["other", "was", "not", "played", "on", "docker:", "no", "room"],
        [],
        ["2", "of", "2", "demos,", "8", "of", "8", "expectations", "hold", "on", "local"],
        ["1", "of", "1", "demos,", "6", "of", "6", "expectations", "hold", "on", "docker,", "in", "N."],
    ]
    for platform in ("local", "docker"):
        found = json.loads((tmp_path / f"{platform}.json").read_text())
        assert [one["demo"] for one in found] == ["other", "demo"]
        assert {one["platform"] for one in found} == {platform}


def test_each_line_is_printed_in_one_write(command: Any, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("when", ["behaviour", "ending"], ids=["deployed", "removed"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_removes_the_deployed_demos(
    command: Any, steps: Any, demo: Path, tmp_path: Path, number: int, when: str
) -> None:
    other = tmp_path / "other.yml"
    other.write_text("{}\n")
    # The playbook of the first demo waits for the signal; the playbook of the second demo never starts.
    waits = {when: "case $step in *site*) exec sleep 60;; esac"}
    demo.write_text(demo.read_text().replace("changes", "none"))
    process = subprocess.Popen(command(demo, other, **waits), stdout=subprocess.PIPE, text=True)
    while not steps():
        assert process.poll() is None
    process.send_signal(number)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "Stopping: removing the deployed demos." in printed
    assert "is not removed" not in printed
    assert steps() == ["assert_not_deployed site teardown", "teardown"]


def test_playbooks_have_the_names_that_mark_steps() -> None:
    import demo_runs

    for marker, playbook in ((demo_runs.BEGINS, "site"), (demo_runs.ENDS, "teardown")):
        plays = yaml.safe_load((demo_runs.PLAYBOOKS / f"{playbook}.yml").read_text(encoding="utf-8"))
        assert marker in {f"PLAY [{play['name']}]" for play in plays}
    text = (demo_runs.PLAYBOOKS / "assert_not_deployed.yml").read_text(encoding="utf-8")
    assert demo_runs.DEPLOYED in text
