# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Correct what Sphinx, the theme and antsibull-docs write without regard to keyboards and screen readers."""

from __future__ import annotations

import re

# What axe-core reports, and its correction.
_CORRECTIONS = (
    # A heading needs a level.
    (re.compile(r'(<p class="caption" role="heading")(>)'), r'\1 aria-level="2"\2'),
    # A region that scrolls needs the focus, so that the keyboard can scroll it.
    (re.compile(r'(<div class="table-wrapper[^"]*")(>)'), r'\1 tabindex="0"\2'),
    (re.compile(r"(<pre)(>| id=)"), r'\1 tabindex="0"\2'),
    # Two regions of one kind need names.
    (re.compile(r'(<aside class="sidebar-drawer")(>)'), r'\1 aria-label="Pages of this site"\2'),
    (re.compile(r'(<aside class="toc-drawer[^"]*")(>)'), r'\1 aria-label="Sections of this page"\2'),
    # There is no attribute aria-role, and these are links.
    (re.compile(r' aria-role="button"'), ""),
)


def accessible(html: str) -> str:
    """Return the HTML of a page with the corrections."""
    for pattern, replacement in _CORRECTIONS:
        html = pattern.sub(replacement, html)
    return html
