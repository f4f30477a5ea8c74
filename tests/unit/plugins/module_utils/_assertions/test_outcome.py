# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message and the result of all assertions of a task."""

from __future__ import annotations

import json

from fake_snapshots import FLEET, fake_page, fake_snapshot, verdict_of

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.outcome import (
    Outcome,
    endpoints_data,
    warnings_of,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.verdict import Verdict
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Page


def outcome(*verdicts: Verdict) -> Outcome:
    """Return the outcome of these verdicts after two attempts."""
    return Outcome(list(verdicts), FLEET, 1.25, 2, {"a": 2})


HOLDING = verdict_of({"stat": "x", "across": "sum", "op": "eq", "value": 60}, FLEET)
FAILING = verdict_of({"stat": "x", "across": "sum", "op": "eq", "value": 61}, FLEET)
ABSENT = verdict_of({"stat": "z", "op": "eq", "value": 1}, FLEET)


def test_message_of_success_has_the_number_of_assertions() -> None:
    assert outcome(HOLDING, HOLDING).message == "2 of 2 assertions hold after 1.2 s."


def test_message_of_one_failure_is_its_line() -> None:
    assert outcome(FAILING).message == "expected 61, got 60 (sum of x at a, b, c) after 1.2 s"


def test_message_of_many_failures_is_cut() -> None:
    lines = outcome(HOLDING, *[FAILING] * 25).message.splitlines()
    assert lines[0] == "25 of 26 assertions failed:"
    assert (len(lines), lines[-1]) == (22, "and 5 more")


def test_failure_is_the_kind_of_the_first_one() -> None:
    assert outcome(HOLDING, ABSENT, FAILING).failure == "absent"
    assert outcome(FAILING, ABSENT).failure == "comparison"
    assert outcome(HOLDING).failure == ""


def test_result_is_plain_data_with_the_same_keys() -> None:
    good, bad = outcome(HOLDING).as_data(), outcome(FAILING).as_data({"file": "/tmp/x"})
    assert json.loads(json.dumps(good)) == good
    assert good.keys() == bad.keys()
    assert (good["attempts"], good["elapsed"], bad["snapshot"]) == (2, 1.25, {"file": "/tmp/x"})


def test_endpoints_that_failed_are_part_of_the_result() -> None:
    failed = Page("b", "envoy", 1.0, failure=Failure("timeout", "no answer within 5 s"))
    first, second = endpoints_data(fake_snapshot(fake_page("a"), failed), {"a": 3})
    assert (first["ok"], first["attempts"], first["version"]) == (True, 3, "1.40.0")
    assert (second["ok"], second["attempts"], second["failure"]) == (False, 1, "timeout")


def test_warnings_are_given_once() -> None:
    FAILING.remark, FAILING.is_warning = "A restart cannot be excluded.", True
    assert warnings_of([HOLDING, FAILING, FAILING]) == ["A restart cannot be excluded."]
