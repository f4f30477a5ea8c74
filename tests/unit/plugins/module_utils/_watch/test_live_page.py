# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page and the table of a live view: all texts escaped, nothing loaded, the same rows."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from run_results import HOSTILE
from watched_demo import clusters_of, silent_page, snapshot_of, state_of, watched_demo

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.charts import rates_chart
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_page import (
    LABEL_WIDTH,
    POLICY,
    connection_rows,
    envoy_rows,
    labels,
    latency_text,
    live_page,
    live_title,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_script import SCRIPT
from ansible_collections.meshlab.envoy.plugins.module_utils._watch.live_table import live_table

HISTORY = [(0.0, 1.0, 0.0), (2.0, 4.0, 0.0), (4.0, 2.0, 1.0)]
STATE = state_of(snapshot_of(0, 100), snapshot_of(2, 140, 4))


class Elements(HTMLParser):
    """Collects the elements of a page, and the text of its styles and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.raw: dict[str, str] = {}
        self.texts: list[str] = []
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("style", "script"):
            self.raw[self._open] = data
        self.texts.append(data)


def test_page_has_numbers_of_the_state() -> None:
    texts = Elements(live_page(watched_demo(), STATE, HISTORY)).texts
    for text in (
        "shop",
        "20.0/s",
        "2.50 / 2.99 ms · 3 open",
        "● all 3 Envoys live",
        "1 of 1 live",
        "1.40.0",
        "10.0.0.1:80",
    ):
        assert any(text in one for one in texts), text


def test_page_loads_nothing_and_its_policy_allows_nothing_else() -> None:
    page = Elements(live_page(watched_demo(), STATE, HISTORY))
    assert not {"link", "img", "iframe", "object", "form", "base"} & set(page.names)
    assert not [
        name for name, _value in page.attributes if name in ("src", "href", "style") or name.startswith("on")
    ]
    for name in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.raw[name].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in POLICY
    assert page.names.count("script") == page.names.count("style") == 1
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert "http" not in SCRIPT


def test_hostile_texts_stay_texts() -> None:
    snapshot = snapshot_of(2, 140)
    snapshot.pages["edge"].sources["clusters"].values.update(clusters_of("web", HOSTILE))
    snapshot.pages[HOSTILE] = silent_page(HOSTILE, 2)
    state = state_of(snapshot_of(0, 100), snapshot)
    plain = Elements(live_page(watched_demo(), STATE, HISTORY))
    page = Elements(live_page(watched_demo(), state, HISTORY))
    assert page.names.count("script") == 1
    assert {name for name, _value in page.attributes} <= {name for name, _value in plain.attributes}
    shown = printable(HOSTILE)
    assert any(shown in one for one in page.texts)
    for line in live_table(watched_demo(), state):
        assert printable(line) == line


def test_problems_come_first() -> None:
    snapshot = snapshot_of(2, 140)
    snapshot.pages["web-2"] = silent_page("web-2", 2)
    state = state_of(snapshot_of(0, 100), snapshot)
    text = live_page(watched_demo(), state, HISTORY)
    assert text.index("What is wrong") < text.index("<h2>Topology")
    assert 'class="frame failing"' in text
    assert live_title(watched_demo(), state).startswith("✘ shop")


def test_labels_keep_their_width() -> None:
    quiet = labels(state_of(snapshot_of(0), snapshot_of(2)))
    busy = labels(STATE)
    assert {key: one.width for key, one in quiet.items()} == {key: one.width for key, one in busy.items()}
    assert busy["edge", "web"].failed
    assert {one.minimum for one in busy.values()} == {LABEL_WIDTH}


def test_table_has_the_rows_of_the_page() -> None:
    lines = live_table(watched_demo(), STATE)
    assert re.match(
        r"shop on docker: ✘|shop on docker: ● all 3 Envoys live, 20.0/s requests, 2.00/s failed, read at \d\d:\d\d:\d\d UTC$",
        lines[0],
    )
    for row in (*connection_rows(STATE), *envoy_rows(STATE)):
        assert any(all(cell in line for cell in row) for line in lines), row


def test_table_ends_with_problems() -> None:
    snapshot = snapshot_of(2)
    for number in range(8):
        snapshot.pages[f"lost-{number}"] = silent_page(f"lost-{number}", 2)
    lines = live_table(watched_demo(), state_of(snapshot))
    assert lines[-2].startswith("✘ lost-4 does not answer")
    assert lines[-1] == "✘ 3 more"


@pytest.mark.parametrize(("number", "text"), [(None, "–"), (0.0, "<1"), (0.99, "<1"), (2.5, "2.50")])
def test_latency_below_a_millisecond_is_not_zero(number: float | None, text: str) -> None:
    assert latency_text(number) == text


def test_chart_shows_failures_in_a_colour_of_their_own() -> None:
    assert 'class="area failed"' in rates_chart(HISTORY)
    assert 'class="area failed"' not in rates_chart(HISTORY[:2])
    assert "area" not in rates_chart(HISTORY[:1]).replace("(area and line)", "")
    assert "4.00/s" in rates_chart(HISTORY)
    assert "4 s ago" in rates_chart(HISTORY)
