# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message of a failed verification."""

from __future__ import annotations

from verified_runs import FAILING, HOLDING, verified_run

from ansible_collections.meshlab.envoy.plugins.module_utils._verify.failure_message import (
    failure_message,
    shortened,
    summary,
)


def test_failure_message_lists_failures_and_hint() -> None:
    found = verified_run(HOLDING, FAILING)
    assert failure_message(found, "Deploy the demo again.").splitlines() == [
        summary(found),
        "✘ expected 20, got 19 (answers of traffic kept)",
        "✘ expected 2, got 1 (x at edge) after 5.0 s",
        "Deploy the demo again.",
    ]


def test_shortened_message_has_five_failures_and_the_hint() -> None:
    many = [{"ok": False, "message": f"expected {number}, got 0 (x at edge)"} for number in range(30)]
    lines = shortened(failure_message(verified_run(*many), "Deploy the demo again.")).splitlines()
    assert lines[0].startswith("0 of 31 expectations hold: ")
    assert lines[5:] == [
        "✘ expected 3, got 0 (x at edge)",
        "and 26 more, which the report lists",
        "Deploy the demo again.",
    ]


def test_short_message_stays() -> None:
    message = failure_message(verified_run(FAILING))
    assert shortened(message) == message


def test_success_has_no_failure_message() -> None:
    assert failure_message({"traffic": [], "assertions": [HOLDING], "elapsed": 1.0}) == ""


def test_reasons_follow_the_failures() -> None:
    explained = verified_run(FAILING) | {"reasons": ["service idle has 0 replicas"]}
    assert failure_message(explained, "Hint.").splitlines()[-2:] == [
        "Reason: service idle has 0 replicas.",
        "Hint.",
    ]


def test_shortened_message_keeps_the_reasons() -> None:
    explained = verified_run(*[FAILING] * 20) | {"reasons": ["service idle has 0 replicas"]}
    lines = shortened(failure_message(explained)).splitlines()
    assert lines[-2:] == ["and 16 more, which the report lists", "Reason: service idle has 0 replicas."]
