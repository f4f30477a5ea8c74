# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module http_traffic: its result has one shape on success and on failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.meshlab.envoy.plugins.modules import http_traffic

NOWHERE = "http://127.0.0.1:1/"  # nothing listens there
REFUSED = "cannot connect to 127.0.0.1:1: connection refused"


def module_result(capsys: pytest.CaptureFixture[str], options: dict[str, Any]) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        http_traffic.main()
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_options_at_the_top_level_are_one_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    answer = module_result(
        capsys, {"url": NOWHERE, "requests": 3, "expect": [{"error": "connect", "op": "eq", "value": "3"}]}
    )
    assert (answer["changed"], answer["msg"]) == (
        False,
        "1 expectation holds: 3 requests sent, 0 answered.",
    )
    assert [result["errors"] for result in answer["traffic"]] == [{"connect": 3}]


def test_each_traffic_has_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    answer = module_result(
        capsys, {"traffic": [{"url": NOWHERE, "name": "a"}, {"url": NOWHERE, "name": "b", "requests": 2}]}
    )
    assert [(result["name"], result["sent"]) for result in answer["traffic"]] == [("a", 1), ("b", 2)]
    assert "failed" not in answer
    assert answer["msg"] == "No expectations: 3 requests sent, 0 answered."


def test_failed_expectation_fails_with_all_results(capsys: pytest.CaptureFixture[str]) -> None:
    expect = [{"status": "200", "op": "eq", "value": 2}, {"status": "any", "op": "eq", "value": 0}]
    answer = module_result(
        capsys,
        {"traffic": [{"url": NOWHERE, "name": "a", "requests": 2, "expect": expect}, {"url": NOWHERE}]},
    )
    assert (answer["failed"], answer["changed"]) == (True, False)
    assert answer["msg"] == (
        "1 of 2 expectations failed:\nexpected 2, got 0 (answers with status 200 of traffic a)."
        f" Errors: 2 × connect. Last error: connect: {REFUSED}."
    )
    assert [verdict["ok"] for verdict in answer["traffic"][0]["expect"]] == [False, True]
    assert answer["traffic"][1]["sent"] == 1, "what comes after it is still sent"


def test_check_mode_sends_no_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_traffic, "send_traffic", lambda traffic: pytest.fail("a request was sent"))
    options = {
        "url": NOWHERE,
        "expect": [{"status": "200", "op": "eq", "value": 1}],
        "_ansible_check_mode": True,
    }
    assert module_result(capsys, options)["traffic"] == []
    answer = module_result(capsys, options)
    assert (answer["changed"], answer["msg"]) == (False, "Check mode: no request was sent.")
    assert module_result(capsys, {**options, "requests": 0})["failed"], (
        "wrong options are wrong in check mode too"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "one of the following is required: traffic, url"),
        ({"traffic": [], "requests": 3}, "parameters are mutually exclusive: traffic|requests"),
        ({"url": NOWHERE, "requests": 0}, "requests: expected a whole number from 1 to 1000000"),
        (
            {"traffic": [{"url": NOWHERE}, {"url": "x"}]},
            "traffic[1].url: 'x' has no scheme that is supported. Use one of",
        ),
        ({"url": NOWHERE, "expect": [{"op": "eq", "value": 1}]}, "expect[0]: exactly one of status"),
        (
            {"url": "https://127.0.0.1:1/", "ca": "/missing.pem"},
            "ca: /missing.pem does not contain CA certificates in PEM",
        ),
    ],
)
def test_wrong_options_fail_before_a_request_is_sent(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    answer = module_result(capsys, options)
    assert answer["failed"]
    assert message in answer["msg"]
