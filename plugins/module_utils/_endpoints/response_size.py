# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The limits of a response that bound the memory of its parsed form, whatever its bytes are."""

from __future__ import annotations

import re

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

# Of `max_bytes`, for each value of JSON and each line of text. An object of JSON with one key takes 240 bytes in Python, a series 400.
BYTES_PER_VALUE = 50
BYTES_PER_LINE = 200
_SMALL = 65_536  # bytes that are not checked
_BEFORE_VALUES = (b",", b":", b"[", b"{")
_END_OF_LINE = (b"\n",)
_FOUR_BYTES_EACH = re.compile(rb"[\xf0-\xff]")


def require_parsable_size(body: bytes, max_bytes: int) -> None:
    """Raise ScrapeError (kind `too_large`) if the parsed form of a response takes a multiple of `max_bytes`.

    Args:
        body: The response.
        max_bytes: Limit for its bytes.
    """
    marks: tuple[bytes, ...]
    kind, marks, size = "lines", _END_OF_LINE, BYTES_PER_LINE
    if body[:100].lstrip()[:1] in (b"{", b"["):
        kind, marks, size = "values of JSON", _BEFORE_VALUES, BYTES_PER_VALUE
    # A response has at most as many values as bytes, so that counting takes no time for a usual one.
    if len(body) <= max(_SMALL, max_bytes // size):
        return
    count = sum(map(body.count, marks))
    if count > max_bytes // size:
        raise ScrapeError(
            "too_large",
            f"the response has {count} {kind}, more than max_bytes ({max_bytes}) allows; select fewer stats or raise max_bytes",
        )
    # A text takes as many bytes for each character as its widest character needs.
    width = 1 if body.isascii() else 4 if _FOUR_BYTES_EACH.search(body) else 2
    if width * len(body) > max_bytes:
        raise ScrapeError(
            "too_large",
            f"the response has {len(body)} bytes and wide characters, more than max_bytes ({max_bytes}) allows; raise max_bytes",
        )
