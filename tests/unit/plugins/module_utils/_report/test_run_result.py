# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the result of a run: its numbers come from the plan and the modules, and it has no secrets."""

from __future__ import annotations

import json

import pytest
from run_results import SECRET, plan, result, verified

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import (
    FORMS,
    UnknownResult,
    read_result,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import RunResult
from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result


def test_result_is_json_with_all_keys_of_the_schema() -> None:
    found = result(failed=3, change=True)
    assert found.keys() == RunResult.__annotations__.keys()
    assert read_result(json.dumps(found), "a.json") == found
    assert not found["ok"]


def test_connections_have_the_numbers_of_the_client_and_of_envoy() -> None:
    found = {tuple(one["source"]): one for one in result(failed=3)["connections"]}
    assert found["(host)", ":8000"] == {
        "source": ["(host)", ":8000"],
        "requests": 90,
        "failed": 3,
        "bytes": 5432,
        "p50_ms": 0.5,
        "p99_ms": 1.4,
    }
    assert (found["edge", "web"]["requests"], found["edge", "web"]["p50_ms"]) == (90, 0.4)


def test_quantile_of_several_traffics_is_the_bound_of_a_bucket() -> None:
    both = verified()
    both["traffic"] = [both["traffic"][0], both["traffic"][0]]
    [client, *_others] = run_result(plan(), both)["connections"]
    assert (client["requests"], client["p50_ms"], client["p99_ms"]) == (180, 0.501, 1.995)


def test_parts_have_their_hosts() -> None:
    parts = {one["box"]: one for one in result()["parts"]}
    assert parts["edge"]["hosts"] == ["left"]
    assert parts["web"]["programs"] == ["web-1-envoy", "web-1", "web-2-envoy", "web-2"]


def test_resource_has_the_line_of_the_demo_file() -> None:
    [listeners, bootstrap] = result()["configuration"]
    assert [(one["name"], one["line"]) for one in listeners["resources"]] == [("listener http", 3)]
    assert (bootstrap["path"], bootstrap["live"]) == ("edge/bootstrap.yaml", False)


def test_file_with_secrets_is_left_out_with_the_demo_file() -> None:
    files = [
        {
            "path": "edge/listeners.yaml",
            "content": "resources: [{name: mine}]",
            "live": "edge",
            "sensitive": True,
        }
    ]
    found = result(files=files)
    assert "mine" not in json.dumps(found["configuration"])
    assert found["file"] == {"name": "shop.yml", "text": ""}


def test_redacted_demo_file_keeps_its_lines() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----".format("\n".join(["MIIB"] * 5))
    text = f"a: |\n{key}\nlast: 1"
    found = run_result(plan(), verified(), None, text)["file"]["text"]
    assert found.count("\n") == text.count("\n")
    assert found.splitlines()[-1] == "last: 1"
    assert "MIIB" not in found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("change", [False, True])
def test_no_form_has_a_secret_or_a_control_character(form: str, change: bool) -> None:
    text = FORMS[form].text(result(failed=3, change=change))
    assert SECRET not in text
    assert printable(text) == text
    text.encode()


def test_failure_before_the_expectations_is_the_message() -> None:
    found = run_result(plan(), {"failed": True, "msg": "edge: connection refused."})
    assert (found["ok"], found["message"]) == (False, "edge: connection refused.")


@pytest.mark.parametrize("text", ["[", "[]", '{"schema": 2}', '{"schema": 1}'])
def test_other_file_is_refused(text: str) -> None:
    with pytest.raises(UnknownResult, match=r"^a\.json: .*Run the demo again\.$"):
        read_result(text, "a.json")
