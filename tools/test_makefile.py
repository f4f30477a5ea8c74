# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of make targets: the list of demos, and the errors for wrong variables."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SUMMARIES = {
    path.stem: " ".join(yaml.safe_load(path.read_text(encoding="utf-8"))["summary"].split())
    for path in (ROOT / "playbooks" / "demos").glob("*.yml")
}


# Without the settings of a make that runs the tests.
SETTINGS = {"ARGS", "CHANGE", "DEMO", "DEMOS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PLATFORM", "PYTEST_ARGS"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in SETTINGS}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def output_of(*command: str) -> str:
    return run(*command).stdout


def test_make_list_has_each_demo_once() -> None:
    lines = [
        line.split(maxsplit=1) for line in output_of("make", "--no-print-directory", "list").splitlines()
    ]
    assert [name for name, _summary in lines] == sorted(SUMMARIES)
    assert {name: " ".join(summary.split()) for name, summary in lines} == SUMMARIES


def test_list_playbook_prints_each_demo_without_warning() -> None:
    program = Path(sys.executable).with_name("ansible-playbook")
    ran = run(str(program), "-i", "localhost,", str(ROOT / "playbooks" / "list.yml"))
    assert "[WARNING]" not in ran.stdout + ran.stderr
    task = ran.stdout.partition("TASK [")[2].partition("\n\n")[0]
    lines = [f"ok: [localhost] => (item={name:24} {SUMMARIES[name]})" for name in sorted(SUMMARIES)]
    assert task.splitlines()[1:] == lines


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["demo", "PLATFORM=local docker"], "`make demo` needs exactly one platform. Only `make demos` accepts several"),
        (["watch", "PLATFORM=local docker"], "`make watch` needs exactly one platform. Only `make demos` accepts several"),
        (["demos", "PLATFORM=local doker"], "PLATFORM=local doker: unknown platform. Choose from: docker kubernetes local openshift"),
        (["change", "DEMO=canary"], "make: CHANGE: expected the name of a change of canary: make change DEMO=canary CHANGE=..."),
    ],
    ids=["two platforms", "two platforms to watch", "no platform", "no change"],
)  # fmt: skip
def test_make_rejects_a_wrong_variable(arguments: list[str], error: str) -> None:
    # make skips the installation.
    ready = ["--old-file=.venv/.has-demo", "--old-file=.venv/collections/ansible_collections/meshlab/envoy"]
    ran = subprocess.run(
        ["make", *ready, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode
    assert error in ran.stderr


def test_make_demos_accepts_platforms_and_demos() -> None:
    printed = output_of(
        "make", "--no-print-directory", "--dry-run", "demos", "PLATFORM=local docker", "DEMOS=gzip rbac"
    )
    assert "tools/gallery/play_demos.py --platform local --platform docker " in printed
    assert " gzip rbac -- " in printed


def test_make_help_describes_each_target_and_setting() -> None:
    lines = output_of("make", "--no-print-directory", "help").splitlines()
    for name in ("demo", "check", "lint-style", "test", "soak", "coverage", "bench", "PLATFORM", "DEMO"):
        assert [line for line in lines if line.startswith(f"  {name} ")], name


def test_make_soak_plays_all_platforms_in_the_lab() -> None:
    printed = output_of("make", "--no-print-directory", "--dry-run", "soak")
    assert "tests/lab/with make --no-print-directory --keep-going demos integration fuzz" in printed
    assert "PLATFORM='docker kubernetes local openshift' PYTEST_ARGS='-m \"slow or not slow\" '" in printed
