# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the steps that Molecule's output reports as successful."""

from __future__ import annotations

import pytest
from run_molecule import not_run

STEPS = ("create", "converge", "idempotence", "verify", "destroy")


def output(*steps: str, word: str = "Successful") -> str:
    return "".join(f"INFO     [{step}] Executing\nINFO     [{step}] Executed: {word}\n" for step in steps)


def test_no_step_is_missing_after_a_complete_run() -> None:
    assert not_run(output(*(f"docker > {step}" for step in STEPS)), ["docker"]) == []


@pytest.mark.parametrize("gone", STEPS)
def test_missing_step_is_named(gone: str) -> None:
    ran = output(*(f"docker > {step}" for step in STEPS if step != gone))
    assert not_run(ran, ["docker"]) == [f"docker > {gone}"]


def test_missing_playbook_counts_as_not_run() -> None:
    ran = output(*(f"docker > {step}" for step in STEPS if step != "verify"))
    ran += "WARNING  [docker > verify] Executed: Missing playbook (Remove from test_sequence to suppress)\n"
    assert not_run(ran, ["docker"]) == ["docker > verify"]


def test_destroy_before_create_does_not_count() -> None:
    ran = output(*(f"docker > {step}" for step in ("destroy", *STEPS[:-1])))
    assert not_run(ran, ["docker"]) == ["docker > destroy"]


def test_create_and_destroy_can_be_steps_of_default() -> None:
    ran = output(
        *(f"default > {step}" for step in STEPS), "local > converge", "local > idempotence", "local > verify"
    )
    assert not_run(ran, ["default", "local"]) == []


def test_all_steps_of_a_missing_scenario_are_named() -> None:
    ran = output(*(f"default > {step}" for step in STEPS))
    assert not_run(ran, ["default", "local"]) == ["local > converge", "local > idempotence", "local > verify"]
