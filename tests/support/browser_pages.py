# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in headless Chromium: what reaches beyond the window or overlaps, and the findings of axe-core."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = "" if CHROMIUM else "Chromium is missing. Install it (Debian: apt-get install chromium)."
# Elements that reach beyond the right edge of the window, unless a container of the text scrolls.
OVERFLOWING = """
() => {
  const scrolls = (node) => {
    for (let one = node.parentElement; one && one.tagName !== 'BODY'; one = one.parentElement)
      if (['auto', 'scroll'].includes(getComputedStyle(one).overflowX)) return true;
    return false;
  };
  const width = document.documentElement.clientWidth;
  const found = [...document.querySelectorAll('body *')]
    .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > width + 1 && !scrolls(node))
    .map((node) => `${node.tagName.toLowerCase()} ${node.textContent.trim().slice(0, 60)}`);
  if (document.documentElement.scrollWidth > width + 1) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  return found;
}
"""
# Texts that overlap another text, or whose box is smaller than they are.
OVERLAPPING = """
() => {
  const found = [];
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || ['STYLE', 'TITLE', 'DESC'].includes(node.parentElement.tagName.toUpperCase())) continue;
    if (node.parentElement.closest('title, desc') || !node.parentElement.checkVisibility()) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1) continue;
      lines.push({left: box.left, right: box.right, top: box.top + box.height * 0.25, bottom: box.bottom - box.height * 0.25,
        text: node.textContent.trim().slice(0, 50)});
    }
  }
  lines.sort((one, other) => one.top - other.top);
  for (let at = 0; at < lines.length; at++) {
    for (let next = at + 1; next < lines.length && lines[next].top < lines[at].bottom; next++) {
      const one = lines[at], other = lines[next];
      if (one.left < other.right - 1 && other.left < one.right - 1) found.push(`${one.text} | ${other.text}`);
    }
  }
  return found;
}
"""

# Texts that are not shown, and boxes with more content than they show.
HIDDEN = """
() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || node.parentElement.closest('style, title, desc')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const shown = node.parentElement.checkVisibility({contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true});
    if (!shown || !range.getClientRects().length) found.push(`hidden: ${node.textContent.trim().slice(0, 50)}`);
  }
  for (const node of document.querySelectorAll('body, body *')) {
    const style = getComputedStyle(node);
    if (style.overflowX === 'visible' && style.overflowY === 'visible') continue;
    if (node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1)
      found.push(`cut: ${node.tagName.toLowerCase()} ${node.textContent.trim().slice(0, 50)}`);
  }
  return found;
}
"""
# What a keyboard must reach: a list of texts, in the order of the page.
INTERACTIVE = """
() => [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')]
  .filter((node) => node.checkVisibility({contentVisibilityAuto: true}))
  .map((node, number) => {
    node.dataset.number = number;
    return `${number} ${node.tagName.toLowerCase()} ${node.textContent.slice(0, 40)}`;
  })
"""
# The element with the focus: its number in INTERACTIVE, and why the focus cannot be seen.
FOCUSED = """
() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  const faults = [];
  if (!node.matches(':focus-visible') || style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push('no outline');
  if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) faults.push('outside of the window');
  return {number: Number(node.dataset.number ?? -1), tag: node.tagName, faults};
}
"""


@contextmanager
def browser_tab(**options: Any) -> Iterator[Page]:
    """Return a tab of headless Chromium."""
    assert CHROMIUM, MISSING
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser.new_page(**options)
        finally:
            browser.close()


def open_page(tab: Page, path: Path, width: int, scheme: Any = "light") -> None:
    """Open a file in a window of this width."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    tab.goto(path.as_uri())


def reached_by_keyboard(tab: Page, most: int = 1000) -> tuple[set[int], list[str]]:
    """Press Tab until the focus leaves the page; open each closed part with Enter.

    Returns:
        The numbers of the elements with the focus, those of INTERACTIVE, and the faults of the focus.
    """
    numbers: set[int] = set()
    faults: list[str] = []
    for _press in range(most):
        tab.keyboard.press("Tab")
        focused = tab.evaluate(FOCUSED)
        if focused is None or focused["number"] in numbers:
            break
        numbers.add(focused["number"])
        faults += [f"{focused['number']}: {fault}" for fault in focused["faults"]]
    return numbers, faults


def axe_script() -> str:
    """Return the script of axe-core."""
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")


def axe_findings(tab: Page, script: str) -> list[str]:
    """Return the findings of axe-core in the open page."""
    tab.evaluate(script)
    result = tab.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {node['html'][:120]}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
