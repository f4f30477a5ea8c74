# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the corrections for accessibility. tests/integration/test_docs_site.py checks whole pages with axe-core."""

from __future__ import annotations

import pytest
from page_accessibility import accessible


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '<p class="caption" role="heading"><span>',
            '<p class="caption" role="heading" aria-level="2"><span>',
        ),
        (
            '<div class="table-wrapper docutils container">',
            '<div class="table-wrapper docutils container" tabindex="0">',
        ),
        ("<pre><span>", '<pre tabindex="0"><span>'),
        ('<a aria-role="button" class="x">', '<a class="x">'),
        (
            '<aside class="toc-drawer no-toc">',
            '<aside class="toc-drawer no-toc" aria-label="Sections of this page">',
        ),
        ("<p>pre</p>", "<p>pre</p>"),
    ],
)
def test_markup_is_corrected(before: str, after: str) -> None:
    assert accessible(before) == after
