# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that Markdown shows unchanged."""

from __future__ import annotations

import re

PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|$~&!^])")


def plain_text(text: str) -> str:
    """Return text with escaped Markdown characters."""
    return PUNCTUATION.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return text as inline code that is also valid in the cell of a table."""
    marks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{blank}{text}{blank}{marks}".replace("|", "\\|")
