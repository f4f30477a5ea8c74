# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Molecule step that did not run is found, whatever Molecule's exit code says."""

from __future__ import annotations

import pytest
from run_molecule import not_run

STEPS = ("create", "converge", "idempotence", "verify", "destroy")


def output(*steps: str, word: str = "Successful") -> str:
    return "".join(f"INFO     [{step}] Executing\nINFO     [{step}] Executed: {word}\n" for step in steps)


def test_all_steps_ran() -> None:
    assert not_run(output(*(f"docker > {step}" for step in STEPS)), ["docker"]) == []


@pytest.mark.parametrize("gone", STEPS)
def test_each_step_that_is_missing_is_named(gone: str) -> None:
    ran = output(*(f"docker > {step}" for step in STEPS if step != gone))
    assert not_run(ran, ["docker"]) == [f"docker > {gone}"]


def test_a_missing_playbook_is_no_success() -> None:
    ran = output(*(f"docker > {step}" for step in STEPS if step != "verify"))
    ran += "WARNING  [docker > verify] Executed: Missing playbook (Remove from test_sequence to suppress)\n"
    assert not_run(ran, ["docker"]) == ["docker > verify"]


def test_a_destroy_before_create_is_not_the_one_after_verify() -> None:
    ran = output(*(f"docker > {step}" for step in ("destroy", *STEPS[:-1])))
    assert not_run(ran, ["docker"]) == ["docker > destroy"]


def test_create_and_destroy_may_be_those_of_default() -> None:
    ran = output(
        *(f"default > {step}" for step in STEPS), "local > converge", "local > idempotence", "local > verify"
    )
    assert not_run(ran, ["default", "local"]) == []


def test_a_scenario_that_never_ran_is_found() -> None:
    ran = output(*(f"default > {step}" for step in STEPS))
    assert not_run(ran, ["default", "local"]) == ["local > converge", "local > idempotence", "local > verify"]
