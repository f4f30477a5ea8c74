# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of real runs in headless Chromium: front_proxy, canary while its weights change, and a demo that fails."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_pages import (
    HIDDEN,
    INTERACTIVE,
    MISSING,
    OVERFLOWING,
    OVERLAPPING,
    axe_findings,
    axe_script,
    browser_tab,
    open_page,
    reached_by_keyboard,
)
from deployment import take_down
from live import ROOT, Home, demo_data

if TYPE_CHECKING:
    from playwright.sync_api import Page

WINDOWS = ((390, "dark"), (1280, "light"), (1920, "dark"))
PAPER = 718  # CSS pixels: the width of A4 without margins of 1 cm
WHITE = ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
REPORTS = ("passing", "canary", "failing")
# Shorter traffic than in the gallery.
SHORT = {"during": {"all requests, while the weights change": {"duration": 4}}}
BODY = "<script>document.title = 'changed'</script>"

pytestmark = pytest.mark.skipif(bool(MISSING) and os.environ.get("CI") != "true", reason=MISSING)


def newest(home: Home, demo: str) -> Path:
    """Return the HTML file of the last run of a demo."""
    return max((home.reports / home.name(demo)).glob("*.html"))


def kept(home: Home, demo: str, folder: Path, name: str) -> None:
    """Keep the HTML and the JSON file of the last run of a demo under a name."""
    for suffix in (".html", ".json"):
        source = newest(home, demo).with_suffix(suffix)
        (folder / f"{name}{suffix}").write_bytes(source.read_bytes())


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run three demos with the playbooks, and return the folder with their reports."""
    folder = tmp_path_factory.mktemp("reports")
    home = Home("local")
    del home.variables["demo_result_formats"]  # the default
    try:
        output = home.play(
            "site", demo=home.demo("front_proxy"), demo_result_formats=["html", "junit", "markdown"]
        ).output
        path = newest(home, "front_proxy")
        assert path.as_uri() in output
        assert {one.suffix for one in path.parent.iterdir()} == {".html", ".json", ".xml", ".md"}
        kept(home, "front_proxy", folder, "passing")
        own = demo_data("front_proxy", home.shift)["proxies"]["edge"]["listeners"]["http"]["routes"]
        refused = {
            "match": {"prefix": "/service/2"},
            "direct_response": {"status": 503, "body": {"inline_string": BODY}},
        }
        routes = {"proxies": {"edge": {"listeners": {"http": {"routes": [refused, *own]}}}}}
        # A counter above the expected value: waiting ends at once.
        total = {
            "at": "edge",
            "stat": "cluster.service1.upstream_rq_total",
            "of": "delta",
            "op": "eq",
            "value": 1,
        }
        home.play("site", demo=home.demo("front_proxy", **routes, expectations=[total]), ok=False)
        kept(home, "front_proxy", folder, "failing")
        canary = home.demo("canary", changes={"half": SHORT})
        home.play("site", "--skip-tags", "verify", demo=canary)
        home.play("change", demo=canary, change="half")
        kept(home, "canary", folder, "canary")
    finally:
        take_down(home, "front_proxy")
        take_down(home, "canary")
        assert newest(home, "front_proxy").exists(), "a teardown keeps the reports"
        home.close()
    return folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser_tab() as page:
        yield page


def opened(tab: Page) -> None:
    """Open all parts of the page that are closed at first."""
    tab.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def test_nothing_is_cut_or_overlaps(reports: Path, tab: Page) -> None:
    found = {}
    for name in REPORTS:
        for width, scheme in WINDOWS:
            open_page(tab, reports / f"{name}.html", width, scheme)
            faults = tab.evaluate(OVERFLOWING) + tab.evaluate(OVERLAPPING)
            opened(tab)
            if faults := faults + tab.evaluate(OVERFLOWING):
                found[name, width] = faults[:5]
    assert found == {}


@pytest.mark.parametrize("name", REPORTS)
def test_print_shows_everything(reports: Path, tab: Page, name: str) -> None:
    open_page(tab, reports / f"{name}.html", PAPER, "dark")
    tab.emulate_media(media="print", color_scheme="dark")
    try:
        assert tab.evaluate(OVERFLOWING) + tab.evaluate(HIDDEN) == []
        assert tab.evaluate("() => getComputedStyle(document.body).backgroundColor") in WHITE
        assert tab.evaluate("() => getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
        # The areas of charts are backgrounds, which browsers leave out by default.
        assert tab.evaluate("() => getComputedStyle(document.body).printColorAdjust") == "exact"
    finally:
        tab.emulate_media(media="screen")


def test_closed_parts_are_found_as_hidden(reports: Path, tab: Page) -> None:
    open_page(tab, reports / "passing.html", PAPER)
    hidden = tab.evaluate(HIDDEN)
    assert any(one.startswith("hidden: ") for one in hidden)
    opened(tab)
    tab.evaluate("() => { document.querySelector('pre').style.width = '5rem'; }")
    assert [one for one in tab.evaluate(HIDDEN) if one.startswith("cut: pre")]


# The canary has parts of every kind.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == "canary" else [pytest.mark.slow]) for name in REPORTS],
)
def test_keyboard_reaches_everything(reports: Path, tab: Page, name: str) -> None:
    open_page(tab, reports / f"{name}.html", 1280)
    # Without a pointer: Enter opens each part, and Tab leads to what is in it.
    for number in range(tab.locator("summary").count()):
        summary = tab.locator("summary").nth(number)
        summary.focus()
        if not summary.evaluate("(node) => node.parentElement.open"):
            tab.keyboard.press("Enter")
        assert summary.evaluate("(node) => node.parentElement.open"), "Enter opens a part"
    expected = tab.evaluate(INTERACTIVE)
    tab.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    tab.mouse.click(1, 1)
    numbers, faults = reached_by_keyboard(tab)
    assert faults == []
    assert [one for at, one in enumerate(expected) if at not in numbers] == []


# axe-core takes seconds for a page: each report and each width once, and all of them in `make soak`.
@pytest.mark.parametrize(
    ("name", "window"),
    [
        pytest.param(name, window, id=f"{name}-{window[0]}", marks=[pytest.mark.slow] if at != number else [])
        for number, name in enumerate(REPORTS)
        for at, window in enumerate(WINDOWS)
    ],
)
def test_report_is_accessible(reports: Path, tab: Page, name: str, window: tuple[int, str]) -> None:
    open_page(tab, reports / f"{name}.html", *window)
    opened(tab)
    assert axe_findings(tab, axe_script()) == []


def test_faults_are_found(reports: Path, tab: Page) -> None:
    open_page(tab, reports / "passing.html", 390)
    wide = "<p id='a'>one line</p><p id='b'>another line</p><img src='x'><table><td>{}</td></table>".format(
        "x" * 500
    )
    tab.evaluate("(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)", wide)
    tab.evaluate(
        "() => { document.body.style.overflowWrap = 'normal'; document.getElementById('b').style.marginTop = '-1.5rem'; }"
    )
    assert tab.evaluate(OVERFLOWING)
    assert any("another line" in one for one in tab.evaluate(OVERLAPPING))
    assert any(one.startswith("image-alt") for one in axe_findings(tab, axe_script()))


def test_each_connection_has_the_latencies_of_this_run(reports: Path) -> None:
    """Envoy updates its histograms each second, so a run that reads them at once has none."""
    for name in REPORTS:
        result = json.loads((reports / f"{name}.json").read_text())
        edges = [one for one in result["connections"] if one["requests"]]
        without = [one for one in edges if one["p50_ms"] is None or one["p99_ms"] is None]
        assert (name, without) == (name, [])
        assert len(edges) >= 3


def test_page_loads_nothing_and_runs_no_text_of_a_response(reports: Path, tab: Page) -> None:
    requests: list[str] = []
    messages: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: messages.append(message.text))
    path = reports / "failing.html"
    open_page(tab, path, 1280)
    assert requests == [path.as_uri()]
    assert messages == [], "the policy blocks nothing of the page"
    assert tab.title().startswith("✘ ")
    assert BODY in tab.inner_text(".failures")
    assert (
        tab.evaluate("() => getComputedStyle(document.querySelector('.verdict')).display") == "inline-block"
    )
    assert path.stat().st_size < 1_000_000


def test_failing_report_begins_with_failures_and_reasons(reports: Path, tab: Page) -> None:
    open_page(tab, reports / "failing.html", 1280)
    text = tab.inner_text(".failures")
    assert "answers with status 200 of traffic service 2 through the edge" in text
    assert "Other answers: 12 × 503" in text
    assert "delta of cluster.service1.upstream_rq_total at edge" in text
    assert "12 × 503 at edge: details direct_response" in text
    box = tab.locator(".failures").bounding_box()
    assert box is not None
    assert box["y"] < 400
    label = tab.locator("svg.topology .label.failed").first.text_content()
    assert label is not None
    assert "36 requests, 12 failed" in label


def test_resource_leads_to_its_line_of_the_demo_file(reports: Path, tab: Page) -> None:
    open_page(tab, reports / "passing.html", 1280)
    opened(tab)
    heading = tab.locator("h3", has_text="listener http –").first
    link = heading.locator("a").get_attribute("href")
    result = json.loads((reports / "passing.json").read_text())
    line = int(str(link).removeprefix("#line-"))
    shown = str(tab.locator(f"#line-{line}").text_content())
    assert shown == result["file"]["text"].split("\n")[line - 1]
    assert "routes:" in shown or "http:" in shown


def test_canary_shows_shares_and_the_confirmation(reports: Path, tab: Page) -> None:
    open_page(tab, reports / "canary.html", 1280)
    result: dict[str, Any] = json.loads((reports / "canary.json").read_text())
    [during] = result["deployment"]["traffic"]
    assert sum(one["requests"] for one in during["timeline"]) == during["sent"]
    assert sum(one["failed"] for one in during["timeline"]) == 0
    began, confirmed = during["began"], result["deployment"]["confirmed"]["edge"]
    assert began < confirmed < began + during["elapsed"]
    earlier, later = {"v1": 0, "v2": 0}, {"v1": 0, "v2": 0}
    for one in during["timeline"]:
        counts = later if one["second"] >= confirmed - began else earlier
        for value, count in one["by_header"].get("x-app-version", {}).items():
            counts[value] += count
    assert later["v2"] / sum(later.values()) > earlier["v2"] / max(sum(earlier.values()), 1)
    assert tab.locator("path.mark").count() == 2
    assert "edge confirmed its new files" in tab.inner_text("main")
    edges = {tuple(one["source"]): one["requests"] for one in result["connections"]}
    assert edges["edge", "v1"] + edges["edge", "v2"] == 2000


def test_report_is_built_again_without_a_network(reports: Path, tmp_path: Path) -> None:
    result = json.loads((reports / "canary.json").read_text())
    folder = tmp_path / result["demo"]
    folder.mkdir()
    (folder / "2026-01-01T00-00-00.000Z-local-half.json").write_text(json.dumps(result))
    program = [str(ROOT / ".venv/bin/python"), str(ROOT / "tools/gallery/rebuild_report.py"), result["demo"]]
    unshared = ["unshare", "--net", "--map-root-user"] if os.getuid() else ["unshare", "--net"]
    ran = subprocess.run(
        [*unshared, *program, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    [page] = folder.glob("*.html")
    assert ran.stdout == f"{page.as_uri()}\n"
    assert page.read_text() == (reports / "canary.html").read_text()
