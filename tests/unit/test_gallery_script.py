# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which playbooks playbooks/gallery.py plays, seen by a program that stands in for ansible-playbook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "playbooks" / "gallery.py"
CHANGED = ["site", "change one", "change two", "teardown"]


@pytest.mark.parametrize(
    ("options", "steps"), [([], CHANGED), (["--no-changes"], ["site", "teardown"])], ids=["all", "no changes"]
)
def test_steps_of_a_demo(tmp_path: Path, options: list[str], steps: list[str]) -> None:
    demo, told, program = tmp_path / "demo.yml", tmp_path / "told", tmp_path / "ansible-playbook"
    demo.write_text("changes: {one: {}, two: {}}\n")
    program.write_text(
        f'#!/bin/sh\nname=$(basename "$3" .yml)\nfor last; do :; done\n'
        f'case $last in change=*) name="$name ${{last#change=}}";; esac\necho "$name" >> {told}\n'
    )
    program.chmod(0o755)
    command = [sys.executable, str(SCRIPT), *options, "--ansible-playbook", str(program), str(demo)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert told.read_text().splitlines() == steps


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
        ("{command: [no-such-server]}", ["--runtime", "docker"], "✔ demo: "),
    ],
    ids=["not there", "not there by its name here", "there by its name here", "a path", "in a container"],
)
def test_a_demo_whose_server_is_not_installed_is_not_played(
    tmp_path: Path, server: str, options: list[str], line: str
) -> None:
    demo, program = tmp_path / "demo.yml", tmp_path / "ansible-playbook"
    demo.write_text(f"services: {{web: {{app: {{}}}}, bare:, db: {{server: {server}}}}}\n")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = [sys.executable, str(SCRIPT), *options, "--ansible-playbook", str(program), str(demo)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.startswith(f"[1/1] {line}")
