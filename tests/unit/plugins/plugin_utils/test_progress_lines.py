# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines about the progress of a task: when they are printed, and what a terminal shows."""

from __future__ import annotations

import doctest
import itertools
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.plugin_utils import _progress_lines
from ansible_collections.meshlab.envoy.plugins.plugin_utils._progress_lines import (
    LOG_SECONDS,
    UP_AND_ERASE,
    WITH_WRAP,
    WITHOUT_WRAP,
    ProgressLines,
    ShownProgress,
    chosen_style,
    replacing,
    shown_progress,
)


def lines_of(style: Any, columns: int = 80) -> ProgressLines:
    return ProgressLines("shop", style, columns, began=0.0)


def test_examples() -> None:
    result = doctest.testmod(_progress_lines)
    assert (result.failed, result.attempted > 0) == (0, True)


@pytest.mark.parametrize(
    ("changes", "style"),
    [
        ({}, "line"),
        ({"callback": "ansible.builtin.default"}, "line"),
        ({"is_terminal": False}, "log"),
        ({"hosts": 2}, "log"),
        ({"verbosity": 3}, "log"),
        ({"callback": "awx_display"}, "log"),
        ({"environment": {"TERM": "dumb"}}, "log"),
        ({"environment": {}}, "log"),
        ({"environment": {"TERM": "xterm", "CI": "true"}}, "log"),
        ({"callback": "ansible.posix.json"}, "none"),
    ],
    ids=str,
)
def test_line_is_updated_only_where_nothing_else_prints(changes: dict[str, Any], style: str) -> None:
    options: dict[str, Any] = {
        "callback": "default",
        "hosts": 1,
        "verbosity": 0,
        "is_terminal": True,
        "environment": {"TERM": "xterm"},
    }
    assert chosen_style(**options | changes) == style


def test_log_has_a_line_for_each_change_at_most_every_seconds() -> None:
    lines = lines_of("log")
    printed = []
    for tick in range(300):
        now = tick / 10
        lines.text = "starting" if now < 4 else f"waiting for web-{int(now)}" if now < 15 else "stopping"
        if line := lines.due(now):
            printed.append((now, line))
    assert [line for _now, line in printed] == [
        "shop: starting [2 s]",
        "shop: waiting for web-7 [7 s]",
        "shop: waiting for web-12 [12 s]",
        "shop: stopping [17 s]",
    ]
    times = [now for now, _line in printed]
    assert min(later - one for one, later in itertools.pairwise(times)) >= LOG_SECONDS


def test_short_task_prints_nothing_in_a_log() -> None:
    lines = lines_of("log")
    lines.text = "starting"
    assert [lines.due(now / 10) for now in range(20)] == [""] * 20


def test_line_is_replaced_when_it_changes() -> None:
    lines = lines_of("line")
    lines.text = "starting"
    assert lines.due(0.0) == "shop: starting"
    assert lines.due(0.5) == "", "nothing changed"
    assert lines.due(1.2) == "shop: starting [1 s]"
    lines.text = "waiting"
    assert lines.due(1.25) == "", "not more often than a person can read"
    assert lines.due(1.4) == "shop: waiting [1 s]"
    lines.forget()
    assert lines.due(1.6) == "shop: waiting [1 s]", "another text was printed meanwhile"


def test_log_repeats_no_line_after_another_text() -> None:
    lines = lines_of("log")
    lines.text = "starting"
    assert lines.due(3.0)
    lines.forget()
    assert lines.due(60.0) == ""


def test_long_text_fits_on_the_terminal_with_its_seconds() -> None:
    lines = lines_of("line", columns=30)
    lines.text = "waiting for service1-2: " + "x" * 100
    printed = lines.due(7.0)
    assert printed == "shop: waiting for serv… [7 s]"
    assert len(printed) == 29


def test_nothing_is_printed_without_a_text_or_a_place() -> None:
    assert lines_of("line").due(9.0) == ""
    silent = lines_of("none")
    silent.text = "starting"
    assert silent.due(9.0) == ""


class FakeDisplay:
    """Records what is printed, with its options."""

    def __init__(self) -> None:
        self.printed: list[tuple[str, dict[str, bool]]] = []
        self.has_printed = threading.Event()

    def display(self, text: str, **options: bool) -> None:
        self.printed.append((text, options))
        self.has_printed.set()


def shown_on(display: FakeDisplay, style: Any, seconds: float) -> ShownProgress:
    shown = ShownProgress(lines_of(style), display, clock=lambda: seconds)
    shown.start()
    return shown


def test_thread_ends_with_the_task_and_removes_the_line() -> None:
    display = FakeDisplay()
    shown = shown_on(display, "line", 0.0)
    shown.update("waiting for \x1b[2Jweb:\nno answer")
    assert display.has_printed.wait(60)
    shown.above(lambda: display.display("a warning"))
    shown.end()
    line = f"{WITHOUT_WRAP}shop: waiting for \\x1b[2Jweb: no answer{WITH_WRAP}"
    assert display.printed[:3] == [
        (line, {"screen_only": True}),
        (UP_AND_ERASE, {"screen_only": True, "newline": False}),
        ("a warning", {}),
    ]
    assert not any(one.name == "progress" for one in threading.enumerate())


def test_log_has_plain_lines() -> None:
    display = FakeDisplay()
    shown = shown_on(display, "log", 3.0)
    shown.update("waiting")
    assert display.has_printed.wait(60)
    shown.above(lambda: display.display("a warning"))
    shown.end()
    assert display.printed == [("shop: waiting [3 s]", {}), ("a warning", {})]


def test_line_replaces_the_previous_line() -> None:
    assert replacing("a", erases=True) == f"{UP_AND_ERASE}{WITHOUT_WRAP}a{WITH_WRAP}"


def test_text_is_no_longer_printed_after_the_end() -> None:
    display = FakeDisplay()
    shown = shown_on(display, "line", 0.0)
    shown.end()
    shown.update("waiting")
    assert display.printed == []


def print_slowly(printed: Connection) -> None:
    """Run a task whose progress is printed slowly, until the signal that ends the process at once."""

    class SlowDisplay:
        verbosity = 0

        def display(self, text: str, **options: bool) -> None:
            printed.send("begins")
            time.sleep(0.3)
            printed.send("ends")

    signal.signal(signal.SIGINT, lambda *_arguments: os._exit(3))
    _progress_lines.chosen_style = lambda *_arguments: "line"  # type: ignore[assignment]
    action: Any = SimpleNamespace(_display=SlowDisplay(), _task=SimpleNamespace(no_log=False))
    with shown_progress(action, "shop", {}) as shown:
        shown.update("waiting")
        time.sleep(60)


def test_signal_ends_the_process_between_two_lines() -> None:
    """Otherwise the process would keep the lock of Ansible's queue, for which ansible-playbook waits without end."""
    received, printed = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=print_slowly, args=(printed,))
    process.start()
    printed.close()
    messages = [received.recv()]
    os.kill(process.pid or 0, signal.SIGINT)
    process.join(30)
    assert process.exitcode == 3
    while received.poll(0):
        try:
            messages.append(received.recv())
        except EOFError:
            break
    assert messages[-1] == "ends", messages
