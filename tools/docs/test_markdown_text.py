# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of text that Markdown shows unchanged."""

from __future__ import annotations

import pytest
from markdown_text import code, plain_text


def test_plain_text_escapes_markdown_and_joins_lines() -> None:
    assert plain_text("*a* <b>\n  c_d") == r"\*a\* \<b\> c\_d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a|b", r"`a\|b`")],
)
def test_code_uses_longer_backticks_and_escapes_pipes(text: str, expected: str) -> None:
    assert code(text) == expected
