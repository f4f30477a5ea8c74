# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts about a traffic that flows."""

from __future__ import annotations

import threading

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.plugin_utils._live_lines import LiveLines


def test_counts_are_shown_while_a_traffic_flows() -> None:
    texts: list[str] = []
    is_shown = threading.Event()

    def progress(text: str) -> None:
        texts.append(text)
        is_shown.set()

    [traffic] = parse_traffic([{"name": "a", "url": "http://a", "phases": [{"duration": 9, "rate": 1}]}])
    with LiveLines(progress, interval=0.01)(traffic) as signals:
        assert signals.ended.is_set()
        assert is_shown.wait(60)
    assert texts[0].startswith("a 0 of 9 s: 0/s")
    threads = threading.active_count()
    with LiveLines(progress, interval=60)(traffic):
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads, "the thread ends with the traffic"
