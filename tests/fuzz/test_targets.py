# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests that replay the fuzzing corpus, with its earlier failures, without atheris."""

from __future__ import annotations

from pathlib import Path

import pytest
from targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_target_accepts_a_case_of_the_corpus(case: Path) -> None:
    TARGETS[case.parent.name](case.read_bytes())


def test_each_target_has_a_corpus() -> None:
    assert {case.parent.name for case in CASES} == set(TARGETS)
