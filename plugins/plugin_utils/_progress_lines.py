# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the progress of a task while it runs: one updating line on a terminal, a line for each change in a log.

Ansible's workers have no terminal. All lines go through Display, whose main process prints them in order with everything else.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.plugin_utils._deferred_signals import (
    before_signals,
    deferred_signals,
)

Style = Literal["line", "log", "none"]

FIRST_SECONDS = 2.0  # a task that ends earlier prints nothing in a log
LOG_SECONDS = 5.0  # between two lines of a log
LINE_SECONDS = 0.1  # between two updates of a line
TICK = 0.1  # seconds
LONGEST_LOG_LINE = 300  # characters
UP_AND_ERASE = "\x1b[1A\x1b[2K\r"
WITHOUT_WRAP, WITH_WRAP = "\x1b[?7l", "\x1b[?7h"

# Ansible imports an action's modules before it starts the worker, which has no terminal.
IS_TERMINAL = sys.stdout.isatty()
COLUMNS = shutil.get_terminal_size().columns


def chosen_style(
    callback: str, hosts: int, verbosity: int, is_terminal: bool, environment: Mapping[str, str]
) -> Style:
    """Return how progress is shown.

    A line is updated only if nothing else prints at the same time: with one host, and with Ansible's own callback.

    Args:
        callback: The name of the callback that prints to standard output.
        hosts: Number of hosts of the play.
        verbosity: Number of `-v` options.
        is_terminal: Whether standard output is a terminal.
        environment: Environment variables.

    Example:
        >>> chosen_style("default", 1, 0, True, {"TERM": "xterm"}), chosen_style("default", 2, 0, True, {"TERM": "xterm"})
        ('line', 'log')
    """
    name = callback.rpartition(".")[2]
    if name in ("json", "jsonl"):
        return "none"
    can_move = environment.get("TERM", "dumb") != "dumb" and not environment.get("CI")
    is_alone = name == "default" and hosts == 1 and verbosity < 3
    return "line" if is_terminal and can_move and is_alone else "log"


@dataclass
class ProgressLines:
    """Decides when which line is printed. It has no clock and prints nothing.

    Attributes:
        title: The begin of each line: the demo, and the host of a play with several hosts.
        style: How progress is shown.
        columns: Width of the terminal.
        began: Time of the start of the task, in seconds.
    """

    title: str
    style: Style
    columns: int
    began: float
    text: str = ""
    _shown: str = ""
    _shown_at: float = field(default=float("-inf"))

    def due(self, now: float) -> str:
        """Return the line that is printed now; empty for none.

        Example:
            >>> lines = ProgressLines("shop", "log", 80, began=0.0, text="starting 3 workloads")
            >>> [lines.due(now) for now in (1.0, 2.0, 60.0)]
            ['', 'shop: starting 3 workloads [2 s]', '']
        """
        seconds = int(now - self.began)
        if self.style == "none" or not self.text:
            return ""
        if self.style == "log":
            is_early = now - self.began < FIRST_SECONDS or now - self._shown_at < LOG_SECONDS
            if is_early or self.text == self._shown:
                return ""
            self._shown, self._shown_at = self.text, now
            return self._line(seconds, LONGEST_LOG_LINE)
        line = self._line(seconds, self.columns - 1)
        if line == self._shown or now - self._shown_at < LINE_SECONDS:
            return ""
        self._shown, self._shown_at = line, now
        return line

    def forget(self) -> None:
        """Print the text again, because the line of the terminal was erased."""
        if self.style == "line":
            self._shown = ""

    def _line(self, seconds: int, length: int) -> str:
        elapsed = f" [{seconds} s]" if seconds else ""
        return cut(f"{self.title}: {self.text}", length - len(elapsed)) + elapsed


def cut(text: str, length: int) -> str:
    """Return the first characters of a text.

    Example:
        >>> cut("starting", 5)
        'star…'
    """
    return text if len(text) <= length else f"{text[: max(length - 1, 0)]}…"


def replacing(line: str, erases: bool) -> str:
    """Return a line that the terminal does not wrap, and which replaces the previous line."""
    return f"{UP_AND_ERASE if erases else ''}{WITHOUT_WRAP}{line}{WITH_WRAP}"


class ShownProgress:
    """Prints the lines of a task from a thread, which ends with the task."""

    def __init__(
        self, lines: ProgressLines, display: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lines, self._display, self._clock = lines, display, clock
        self._is_visible = False  # whether a line is on the terminal that has to be erased
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="progress")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def update(self, text: str) -> None:
        """Set the text. It is called from any thread, and returns at once."""
        self._lines.text = " ".join(printable(text).split())

    def above(self, show: Callable[[], None]) -> None:
        """Print something else: above the line, which is printed again."""
        with deferred_signals(), self._lock:
            self._erase()
            show()

    def stop(self) -> None:
        """End the thread between two lines."""
        self._ended.set()
        self._thread.join()

    def end(self) -> None:
        """End the thread, and remove the line."""
        self.stop()
        with deferred_signals():
            self._erase()

    def _run(self) -> None:
        while not self._ended.wait(TICK):
            # With a limit: the thread that has the lock may wait for this one to end.
            if not self._lock.acquire(timeout=TICK):
                continue
            try:
                if line := self._lines.due(self._clock()):
                    self._print(line)
            finally:
                self._lock.release()

    def _print(self, line: str) -> None:
        if self._lines.style == "log":
            self._display.display(printable(line))
            return
        # A line that is erased is not for Ansible's log file.
        self._display.display(replacing(printable(line), self._is_visible), screen_only=True)
        self._is_visible = True

    def _erase(self) -> None:
        if self._is_visible:
            self._display.display(UP_AND_ERASE, screen_only=True, newline=False)
            self._is_visible = False
        self._lines.forget()


@contextmanager
def shown_progress(
    action: ActionBase, name: str, task_vars: Mapping[str, Any] | None
) -> Iterator[ShownProgress]:
    """Show the progress of an action's task during the block.

    Args:
        action: The action.
        name: The name of the demo.
        task_vars: Variables of the task, which name the hosts of the play.
    """
    display, variables = action._display, task_vars or {}
    hosts = len(variables.get("ansible_play_batch") or ()) or 1
    callback = str(constants.DEFAULT_STDOUT_CALLBACK)
    style = chosen_style(callback, hosts, display.verbosity, IS_TERMINAL, os.environ)
    if action._task.no_log:
        style = "none"
    title = f"{name} on {variables.get('inventory_hostname')}" if hosts > 1 else name
    shown = ShownProgress(ProgressLines(printable(title), style, COLUMNS, time.monotonic()), display)
    shown.start()
    try:
        with before_signals(shown.stop):
            yield shown
    finally:
        shown.end()
