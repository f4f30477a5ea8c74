# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module demo_verify as a function of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._verify import verify_options
from ansible_collections.meshlab.envoy.plugins.module_utils._verify.verify_options import perform

CLOSED = {
    "name": "closed",
    "url": "http://127.0.0.1:1/",
    "expect": [{"error": "connect", "op": "eq", "value": 1}],
}
# No server listens on port 1.
DOWN = {"name": "edge", "url": "http://127.0.0.1:1", "format": "envoy"}
LIVE = {"endpoint": ["edge"], "stat": "server.live", "op": "eq", "value": 1}


def options(**plan: Any) -> dict[str, Any]:
    """Return the module's options for a plan with these keys."""
    return {
        "plan": {"endpoints": [DOWN], "traffic": [], "assertions": [], **plan},
        "timeout": 0.1,
        "sleep": 0.1,
    }


def test_holding_expectations_are_counted() -> None:
    result = perform(options(traffic=[CLOSED]), False)
    assert "failed" not in result
    assert result["msg"].startswith("1 of 1 expectations hold: 1 requests sent and counted in ")


def test_failed_expectation_fails_with_its_message() -> None:
    result = perform(options(endpoints=[DOWN], assertions=[LIVE]), False)
    assert result["failed"]
    first, second = result["msg"].splitlines()
    assert first.startswith("0 of 1 expectations hold: ")
    assert second.startswith("✘ expected 1, got no value (server.live at edge) after ")


def test_failure_mentions_a_deployed_change(tmp_path: Path) -> None:
    file = {"path": "listeners.yaml", "content": "planned", "live": "edge"}
    (tmp_path / "listeners.yaml").write_text("changed")
    plan = options(endpoints=[DOWN], assertions=[LIVE], folder=str(tmp_path), files=[file])
    assert "make verify CHANGE=NAME" in perform(plan, False)["msg"].splitlines()[-1]
    file["content"] = "changed"
    assert "make verify CHANGE=NAME" not in perform(plan, False)["msg"]


def test_check_mode_sends_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_options, "verify", lambda *_arguments: pytest.fail("a request was sent"))
    result = perform(options(traffic=[CLOSED]), True)
    assert (result["msg"], result["traffic"]) == ("Check mode: no request was sent.", [])


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        ({"traffic": [{"name": "x", "url": "x"}]}, "traffic[0].url: 'x' has no scheme that is supported."),
        ({"assertions": [{"stat": "a", "op": "=="}]}, "assertions[0].op: unknown value '=='."),
        (
            {"assertions": [{**LIVE, "value": {"traffic": "x"}}]},
            "expectations[0].value.traffic: unknown traffic 'x'.",
        ),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_wrong_plan_fails_before_a_request(plan: dict[str, Any], error: str, check_mode: bool) -> None:
    result = perform(options(**plan), check_mode)
    assert (result["failed"], result["traffic"]) == (True, [])
    assert result["msg"].startswith(error)


def test_missing_key_of_the_plan_is_named() -> None:
    result = perform({"plan": {"endpoints": []}}, False)
    assert result["msg"] == (
        "plan: the key 'traffic' is missing. Pass the plan that meshlab.envoy.demo_plan returns."
    )
