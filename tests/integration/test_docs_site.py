# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site in headless Chromium, on a desktop and on a phone. `make docs` builds it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import browser_pages
import pytest
from browser_pages import MISSING, axe_findings, axe_script, browser_tab
from live import ROOT
from site_links import broken_links

if TYPE_CHECKING:
    from playwright.sync_api import Page

SITE = ROOT / "build" / "docs"
DESKTOP, PHONE = 1280, 390
# One page of each kind, which axe-core checks in `make test`. It checks all pages in `make soak`.
REPRESENTATIVE = (
    "index.html",
    "demos.html",
    "assert-on-envoy.html",
    "gallery/index.html",
    "gallery/canary.html",
    "collection/delta_filter.html",
    "collection/envoy_stats_module.html",
)
# Elements that reach beyond the right edge of the window, unless they are in a container of the text that scrolls or cuts a thumbnail.
OVERFLOWING = """
() => {
  const scrolls = (node) => {
    for (let one = node.parentElement; one && one.tagName !== 'ARTICLE'; one = one.parentElement)
      if (['auto', 'scroll'].includes(getComputedStyle(one).overflowX) || one.className === 'thumbnail') return true;
    return false;
  };
  const width = document.documentElement.clientWidth;
  const found = [...document.querySelectorAll('article *')]
    .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > width + 1 && !scrolls(node))
    .map((node) => `${node.tagName.toLowerCase()}.${node.className} ${node.textContent.trim().slice(0, 60)}`);
  if (document.documentElement.scrollWidth > width + 1) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  return found;
}
"""


def problem() -> str:
    """Return why the tests cannot run; empty if they can."""
    if MISSING:
        return MISSING
    if not (SITE / "index.html").exists():
        return "build/docs is missing. Run `make docs`."
    return ""


pytestmark = pytest.mark.skipif(bool(problem()) and os.environ.get("CI") != "true", reason=problem())


def all_pages() -> list[str]:
    return sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    assert not problem(), problem()
    with browser_tab() as opened:
        yield opened


@pytest.fixture(scope="module", name="axe_script")
def script_of_axe() -> str:
    return axe_script()


def open_page(tab: Page, page: str, width: int, scheme: Any = "light") -> None:
    browser_pages.open_page(tab, SITE / page, width, scheme)


def test_no_link_of_the_site_is_broken() -> None:
    assert not problem(), problem()
    assert broken_links(SITE) == []


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_no_page_is_wider_than_the_window(tab: Page, width: int) -> None:
    found = {}
    for page in all_pages() if width == PHONE else REPRESENTATIVE:
        open_page(tab, page, width)
        if overflowing := tab.evaluate(OVERFLOWING):
            found[page] = overflowing[:3]
    assert found == {}


def test_wide_element_is_found(tab: Page) -> None:
    open_page(tab, "index.html", PHONE)
    tab.evaluate(
        "() => document.querySelector('article').insertAdjacentHTML('beforeend', '<div style=\"width: 50em\">wide</div>')"
    )
    assert tab.evaluate(OVERFLOWING)


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_representative_pages_are_accessible(tab: Page, axe_script: str, width: int, scheme: str) -> None:
    found = {}
    for page in REPRESENTATIVE:
        open_page(tab, page, width, scheme)
        if findings := axe_findings(tab, axe_script):
            found[page] = findings[:5]
    assert found == {}


@pytest.mark.slow
def test_all_pages_are_accessible(tab: Page, axe_script: str) -> None:
    found = {}
    for page in all_pages():
        open_page(tab, page, DESKTOP)
        if findings := axe_findings(tab, axe_script):
            found[page] = findings[:5]
    assert found == {}


def test_inaccessible_element_is_found(tab: Page, axe_script: str) -> None:
    open_page(tab, "index.html", DESKTOP)
    tab.evaluate(
        "() => document.querySelector('article').insertAdjacentHTML('beforeend', '<img src=\"x.png\">')"
    )
    assert any(finding.startswith("image-alt") for finding in axe_findings(tab, axe_script))
