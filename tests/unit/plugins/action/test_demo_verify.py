# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action demo_verify: the printed report, and the details that a failed task leaves out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.meshlab.envoy.plugins.action import demo_verify
from ansible_collections.meshlab.envoy.plugins.plugin_utils._local_execution import LocalExecutionAction

PLAN = {
    "name": "shop",
    "platform": "local",
    "summary": "A shop",
    "workloads": [],
    "addresses": [],
    "notes": [],
    "endpoints": [],
    "traffic": [],
    "assertions": [],
}
FAILED = {
    "failed": True,
    "changed": False,
    "msg": "0 of 1 expectations hold",
    "traffic": [],
    "assertions": [{"ok": False, "message": "expected 2, got 1 (x at edge)"}],
    "endpoints": [{"name": "edge"}],
    "elapsed": 1.0,
}

TRAFFIC = {
    "sent": 1,
    "answered": 0,
    "statuses": {},
    "errors": {},
    "hosts": {},
    "latency_ms": {"p50": 0.0, "p99": 0.0},
}


class FakeDisplay:
    """Records what is printed."""

    def __init__(self, verbosity: int) -> None:
        self.verbosity = verbosity
        self.printed: list[str] = []
        self.warnings: list[str] = []

    def display(self, text: str) -> None:
        self.printed.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture(autouse=True)
def reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of the reports, which is not that of the user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "meshlab.envoy" / "reports"


def run_action(
    monkeypatch: pytest.MonkeyPatch,
    result: dict[str, Any],
    register: str = "",
    verbosity: int = 0,
    **options: Any,
) -> tuple[dict[str, Any], list[str]]:
    """Return the result of the action for this result of the module, and what it prints."""
    display = FakeDisplay(verbosity)
    monkeypatch.setattr(demo_verify, "Display", lambda: display)
    monkeypatch.setattr(LocalExecutionAction, "run", lambda *_arguments: dict(result))
    action = demo_verify.ActionModule.__new__(demo_verify.ActionModule)
    action._task = SimpleNamespace(args={"plan": PLAN, **options}, register=register)
    action._display = display
    return action.run(), display.printed


def test_failed_task_prints_the_report_and_leaves_out_details(monkeypatch: pytest.MonkeyPatch) -> None:
    result, printed = run_action(monkeypatch, FAILED)
    assert set(result) == {"failed", "changed", "msg", "elapsed"}
    assert "✘ expected 2, got 1 (x at edge)" in printed[0]


def test_registered_failure_has_the_details_of_the_failures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"ok": True, "message": "expected 1, got 1 (y at edge)"}
    sent = [
        {**TRAFFIC, "name": "good", "expect": [good]},
        {**TRAFFIC, "name": "bad", "expect": FAILED["assertions"]},
    ]
    result, _printed = run_action(
        monkeypatch, {**FAILED, "traffic": sent, "assertions": [good, *FAILED["assertions"]]}, "result"
    )
    assert [one["name"] for one in result["traffic"]] == ["bad"]
    assert result["assertions"] == FAILED["assertions"]
    assert "endpoints" not in result


def test_failure_has_all_details_with_vv(monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_action(monkeypatch, FAILED, verbosity=2)[0]
    assert {key: value for key, value in found.items() if key != "reports"} == FAILED
    assert "assertions" not in run_action(monkeypatch, FAILED, verbosity=1)[0]


def test_success_has_details(monkeypatch: pytest.MonkeyPatch) -> None:
    result = {key: value for key, value in FAILED.items() if key != "failed"}
    found = run_action(monkeypatch, result)[0]
    assert {key: value for key, value in found.items() if key != "reports"} == result


def test_result_without_outcomes_prints_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    result = {"failed": True, "msg": "plan: the key 'traffic' is missing.", "traffic": [], "assertions": []}
    assert run_action(monkeypatch, result) == (result, [])


def test_host_gets_only_the_keys_that_the_module_reads() -> None:
    action = demo_verify.ActionModule.__new__(demo_verify.ActionModule)
    files = [{"path": "a", "content": "x", "live": "edge"}, {"path": "b", "content": "y", "live": None}]
    workload = {"name": "web-1", "command": ["web"], "environment": {"KEY": "secret"}}
    plan = {**PLAN, "folder": "/x", "files": files, "workloads": [workload]}
    assert action.sent_options({"plan": plan, "timeout": 5}) == {
        "plan": {
            **{
                key: PLAN[key]
                for key in ("name", "platform", "endpoints", "traffic", "assertions", "addresses")
            },
            "folder": "/x",
            "files": files[:1],
            "workloads": [{"name": "web-1", "command": ["web"]}],
        },
        "timeout": 5,
    }


def test_reports_are_written_and_their_paths_printed(monkeypatch: pytest.MonkeyPatch, reports: Path) -> None:
    began = {**FAILED, "began": 1790000000.25}
    result, printed = run_action(monkeypatch, began, verbosity=2, result_formats=["html", "junit"])
    names = ["2026-09-21T14-13-20.250Z-local.html", "2026-09-21T14-13-20.250Z-local.junit.xml"]
    assert result["reports"] == [(reports / "shop" / name).as_uri() for name in names]
    assert all(url in printed[0] for url in result["reports"])
    assert sorted(path.name for path in (reports / "shop").iterdir()) == sorted(
        [*names, "2026-09-21T14-13-20.250Z-local.json"]
    )


def test_report_that_cannot_be_written_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result, printed = run_action(monkeypatch, FAILED, reports_folder=str(tmp_path / "file"))
    assert result["failed"]
    assert "reports" not in result
    assert "✘ expected 2, got 1 (x at edge)" in printed[0]


def test_host_gets_no_options_about_reports() -> None:
    action = demo_verify.ActionModule.__new__(demo_verify.ActionModule)
    options = {
        "plan": {},
        "deployment": {},
        "result_formats": ["html"],
        "reports_folder": "/x",
        "demo_file": "/y",
    }
    assert action.sent_options(options).keys() == {"plan"}
    # Without a report, the host does not wait for the numbers that only a report shows.
    assert action.sent_options({**options, "result_formats": []})["result_formats"] == []


def test_unknown_form_is_refused_before_traffic_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        AnsibleActionFail, match=r"^result_formats: expected one of html, json, .*, got 'pdf'"
    ):
        run_action(monkeypatch, FAILED, result_formats="html,pdf")
