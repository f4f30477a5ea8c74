# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start of a body, for the message of a failed expectation."""

from __future__ import annotations

import json
import unicodedata

SAMPLE_BYTES = 256  # of each body
MAX_SAMPLES = 8  # bodies of one traffic


def sample_text(body: bytes) -> str:
    r"""Return the start of a body in quotes and on one line, or that it is empty or not text.

    Example:
        >>> sample_text(b"no healthy\n  upstream")
        '"no healthy upstream"'
        >>> sample_text(bytes([0, 1]))
        'not text'
    """
    if not body:
        return "empty"
    start = body[:SAMPLE_BYTES]
    # The cut can be within a character.
    text = start.decode("utf-8", "ignore" if len(body) >= SAMPLE_BYTES else "replace")
    text = " ".join(text.split())
    if "\N{REPLACEMENT CHARACTER}" in text or any(unicodedata.category(one) == "Cc" for one in text):
        return "not text"
    return json.dumps(text + ("…" if len(body) >= SAMPLE_BYTES else ""), ensure_ascii=False)
