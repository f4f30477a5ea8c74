# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines about a traffic that flows: one below the other, or on a terminal one in place of the other."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.plugin_utils._live_lines import LiveLines


class FakeDisplay:
    """Records what is printed."""

    def __init__(self) -> None:
        self.printed: list[tuple[str, bool]] = []
        self.has_printed = threading.Event()

    def display(self, text: str, newline: bool = True) -> None:
        self.printed.append((text, newline))
        self.has_printed.set()


@pytest.mark.parametrize(("on_terminal", "start"), [(False, ""), (True, "\r\x1b[K")])
def test_counts_are_printed_while_a_traffic_flows(on_terminal: bool, start: str) -> None:
    display: Any = FakeDisplay()
    [traffic] = parse_traffic([{"name": "a\x1bb", "url": "http://a", "phases": [{"duration": 9, "rate": 1}]}])
    with LiveLines(display, on_terminal, interval=0.01)(traffic) as signals:
        assert signals.ended.is_set()
        assert display.has_printed.wait(60)
    text, newline = display.printed[0]
    assert text.startswith(f"{start}a\\x1bb: 0 s of 9 s, 0 requests/s")
    assert newline is not on_terminal
    # The last line does not stay on a terminal, because the report follows.
    assert (display.printed[-1] == (start, False)) is on_terminal
