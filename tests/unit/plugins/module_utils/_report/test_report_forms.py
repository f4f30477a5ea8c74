# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the forms of a report: they are well-formed for any text, and the failures come first."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_results import HOSTILE, deployed, plan, result, verified

from ansible_collections.meshlab.envoy.plugins.module_utils._common.report_options import FORMS as NAMES
from ansible_collections.meshlab.envoy.plugins.module_utils._report.junit_report import junit_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.markdown_report import (
    code,
    markdown_report,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.charts import scale
from ansible_collections.meshlab.envoy.plugins.module_utils._report.page.html_report import html_report
from ansible_collections.meshlab.envoy.plugins.module_utils._report.report_forms import FORMS, GITHUB
from ansible_collections.meshlab.envoy.plugins.module_utils._report.run_result import run_result

VOID = {"meta", "br"}
# What a browser would load or run.
ACTIVE_ELEMENTS = {
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "img",
    "form",
    "base",
    "image",
    "foreignobject",
    "use",
}


class Page(HTMLParser):
    """Collects the elements, the texts and the ids of a page, and checks that each element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def replaced(value: Any, text: str) -> Any:
    """Return data with a text in place of the hostile one, also in keys."""
    if isinstance(value, dict):
        return {replaced(key, text): replaced(one, text) for key, one in value.items()}
    if isinstance(value, list):
        return [replaced(one, text) for one in value]
    return value.replace(HOSTILE, text) if isinstance(value, str) else value


def test_names_of_forms_are_those_of_the_option() -> None:
    assert set(NAMES) == {*FORMS, GITHUB}


@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("failed", [0, 3])
def test_page_is_inert_and_refers_only_to_itself(change: bool, failed: int) -> None:
    text = html_report(result(failed, change))
    page = Page(text)
    assert not {tag for tag, _attributes in page.elements} & ACTIVE_ELEMENTS
    attributes = [(name, str(value)) for _tag, found in page.elements for name, value in found.items()]
    assert not [
        name for name, _value in attributes if name.startswith("on") or name in ("style", "src", "xlink:href")
    ]
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value for name, value in attributes if name == "href"}
    assert links
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    assert any("<script>alert(1)</script>" in one for one in page.texts), "the text of the response is shown"
    assert len(text) < 1_000_000


@settings(max_examples=25)
@given(st.text())
def test_any_text_stays_text(text: str) -> None:
    found = run_result(replaced(plan(), text), replaced(verified(3), text), replaced(deployed(), text), text)
    page = Page(html_report(found))
    assert not {tag for tag, _attributes in page.elements} & ACTIVE_ELEMENTS
    ET.fromstring(junit_report(found))
    markdown_report(found).encode()


def test_policy_admits_no_script_and_the_one_style() -> None:
    page = Page(html_report(result()))
    [policy] = [str(found["content"]) for tag, found in page.elements if found.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_failures_come_before_everything_else() -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", html_report(result(failed=3)))
    assert headings == [
        "What failed",
        "Topology",
        "Over time",
        "Expectations that hold",
        "Traffic",
        "Configuration that ran",
        "Repeat the run",
    ]
    assert "What failed" not in html_report(result())
    lines = markdown_report(result(failed=3)).splitlines()
    assert next(line for line in lines if line.startswith("###")) == "### What failed"


def test_change_shows_its_traffic_and_confirmations() -> None:
    text = html_report(result(change=True))
    assert "edge confirmed its new files" in text
    assert "+0.80 s" in text
    assert "replaced (hot restart): edge" in text
    assert text.count('class="mark"') == 2  # in the chart of requests and in that of shares


def test_details_of_a_failure_do_not_repeat_its_values() -> None:
    [detail] = re.findall(r'<p class="detail">(.*?)</p>', html_report(result(failed=3)))
    assert detail.startswith("Body of a 503: ")


@pytest.mark.parametrize(
    ("value", "accepted", "dot"),
    [
        (0.0, [0.0, 0.0], 2.0),
        (20.0, [20.0, 20.0], 172.4),
        (10.0, [20.0, None], 87.2),
        (-5.0, [0.0, 0.0], 2.0),
    ],
)
def test_scale_begins_at_zero(value: float, accepted: list[float | None], dot: float) -> None:
    expectation: Any = {"ok": True, "value": value, "accepted": accepted}
    [found] = re.findall(r'cx="([\d.]+)"', scale(expectation))
    assert float(found) == pytest.approx(dot, abs=0.1)


def test_scale_of_a_text_is_empty() -> None:
    expectation: Any = {"ok": True, "value": None, "accepted": None}
    assert scale(expectation) == '<span class="scale"></span>'


def test_junit_has_a_case_for_each_expectation() -> None:
    [suite] = ET.fromstring(junit_report(result(failed=3, change=True)))
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("shop on docker", "3", "1")
    assert suite.get("timestamp") == "2026-09-21T14:13:20"
    cases = suite.findall("testcase")
    assert [one.get("classname") for one in cases] == [
        "shop on docker.during",
        "shop on docker.requests",
        "shop on docker.stats",
    ]
    failures = [str(failure.text) for one in cases for failure in one.findall("failure")]
    assert len(failures) == 1
    assert "traffic requests: 3 × 503 at edge" in failures[0]


def test_markdown_has_no_active_text_of_others() -> None:
    text = markdown_report(result(failed=3, change=True))
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert "<script" not in outside_code.replace("\\<script", "")
    assert "[a](" not in outside_code.replace("\\[a\\]\\(", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 7}


@pytest.mark.parametrize("text", ["a", "`", "a ``b`` c", "`` ` ```"])
def test_code_has_more_backticks_than_its_text(text: str) -> None:
    fence = re.match(r"`+", code(text))
    assert fence is not None
    assert fence[0] not in text


def test_large_result_is_a_small_page() -> None:
    large = verified(3)
    large["assertions"] = large["assertions"] * 5_000
    large["traffic"][0]["timeline"] = large["traffic"][0]["timeline"] * 200
    found = run_result(plan(), large)
    assert len(html_report(found)) < 1_000_000
    assert len(markdown_report(found)) < 200_000
