# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action demo_watch: where it reads, what it prints, and what it refuses."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from watched_demo import START, FakeReader, silent_page, snapshot_of, watched_plan

from ansible_collections.meshlab.envoy.plugins.action import demo_watch
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.snapshot import Snapshot
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.demo_reader import Reading

OPTIONS = {
    "view": "page",
    "port": 0,
    "key": None,
    "interval": 0.2,
    "idle_timeout": 300.0,
    "duration": 60.0,
    "redraw": False,
    "cluster": None,
}


class RemovedAfter(FakeReader):
    """A demo that is removed after some readings of its record."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def deployment(self) -> str | None:
        self.looks -= 1
        return self.record if self.looks >= 0 else None

    def read(self) -> Reading:
        return Reading(super().read().snapshot, self.deployment())


def run_action(
    monkeypatch: pytest.MonkeyPatch, reader: Any, check_mode: bool = False, **options: Any
) -> tuple[dict[str, Any], list[str]]:
    """Return the result of the action with this reader, and what it prints."""
    printed: list[str] = []
    monkeypatch.setattr(demo_watch, "Display", lambda: SimpleNamespace(display=printed.append))
    monkeypatch.setattr(demo_watch, "end_with_parent", lambda: None)
    monkeypatch.setattr(demo_watch.ActionBase, "run", lambda *_arguments: {})

    @contextmanager
    def open_reader(*_arguments: Any) -> Iterator[Any]:
        yield reader

    monkeypatch.setattr(demo_watch.ActionModule, "_reader", open_reader)
    action = demo_watch.ActionModule.__new__(demo_watch.ActionModule)
    given = {"plan": watched_plan(), **OPTIONS, **options}
    action._task = SimpleNamespace(args=given, check_mode=check_mode)
    monkeypatch.setattr(action, "validate_argument_spec", lambda **_arguments: (None, given))
    return action.run(), printed


def test_page_is_announced_and_its_end_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    result, printed = run_action(monkeypatch, RemovedAfter(3), key="a-key")
    assert "shop on docker: open http://127.0.0.1:" in printed[0]
    assert f":{result['port']}/a-key/" in printed[0]
    assert "The page ends 5 minutes after its last viewer has left" in printed[0]
    assert printed[-1] == "\nshop was removed.\n"
    assert (result["changed"], result["again"], result["key"]) == (False, False, "a-key")
    assert 0 < result["remaining"] < 60
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{result['port']}/a-key/", timeout=10)


def test_another_deployment_is_shown_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Redeployed(FakeReader):
        def deployment(self) -> str | None:
            return "second" if self.reads else "first"

    result, _printed = run_action(monkeypatch, Redeployed())
    assert result["again"]
    assert result["msg"] == "shop was deployed again."


def test_terminal_prints_a_table_for_each_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    _result, printed = run_action(monkeypatch, RemovedAfter(4), view="terminal")
    assert printed[0].startswith("\nshop on docker: ")
    assert "edge: cluster web" in printed[0]
    assert "20.0/s" not in printed[0]
    assert "10.0/s requests" in printed[1]
    assert all("\x1b" not in one for one in printed)


def test_table_is_drawn_in_place_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _result, printed = run_action(monkeypatch, RemovedAfter(3), view="terminal", redraw=True)
    assert printed[0].startswith("\x1b[H\x1b[Jshop on docker: ")


def test_demo_that_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(FakeReader):
        record = None

        def read(self) -> Reading:
            return Reading(Snapshot(START, {"edge": silent_page("edge", 0)}), None)

    result, printed = run_action(monkeypatch, Silent())
    assert result["failed"]
    assert result["msg"].startswith("shop on docker: no Envoy answers") or "does not run" in result["msg"]
    assert printed == [], "no address is printed"


def test_port_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result, _printed = run_action(monkeypatch, FakeReader(), port=port)
    assert result["failed"]
    assert result["msg"].startswith(f"watch_port: 127.0.0.1:{port}: ")
    assert result["msg"].endswith("Choose another port, or 0 for a free one.")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"interval": 0.0}, "watch_interval: expected"),
        ({"plan": {"name": "shop"}}, "plan: the key 'platform' is missing"),
        (
            {"plan": {**watched_plan(), "endpoints": []}},
            "shop: the demo has no Envoy with an admin interface",
        ),
    ],
)
def test_wrong_options_are_refused(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], text: str
) -> None:
    result, _printed = run_action(monkeypatch, None, **options)
    assert result["failed"]
    assert result["msg"].startswith(text)


def test_check_mode_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result, printed = run_action(monkeypatch, None, check_mode=True)
    assert (result["changed"], printed) == (False, [])


def test_remote_host_is_read_by_the_module() -> None:
    calls: list[dict[str, Any]] = []

    def execute(name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        del task_vars
        calls.append({"name": name, **module_args})
        return {"snapshot": snapshot_of(2.0 * len(calls), 20 * len(calls)).as_data(), "deployment": "first"}

    action: Any = SimpleNamespace(_execute_module=execute)
    reader = demo_watch.RemoteReader(action, {"plan": watched_plan(), "cluster": None}, {})
    reading = reader.read()
    assert reading.snapshot is not None
    assert list(reading.snapshot.pages) == ["edge", "web-1", "web-2"]
    assert (reading.deployment, reader.deployment()) == ("first", "first")
    assert calls[0]["name"] == "meshlab.envoy.demo_watch"
    assert set(calls[0]["plan"]) == {"name", "platform", "folder", "endpoints"}, "no other part is sent"


def test_remote_failure_ends_the_view() -> None:
    action: Any = SimpleNamespace(
        _execute_module=lambda *_name, **_more: {"failed": True, "msg": "no python"}
    )
    reader = demo_watch.RemoteReader(action, {"plan": watched_plan(), "cluster": None}, {})
    with pytest.raises(demo_watch.Refused, match="no python"):
        reader.read()
