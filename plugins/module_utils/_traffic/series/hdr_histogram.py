# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The encoding of latencies as an HdrHistogram (V2, compressed, Base64), which its tools and other load generators read and merge."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from collections.abc import Iterable

DIGITS = 3  # significant
HIGHEST = 3_600_000_000  # microseconds, the longest timeout
_COOKIE, _COMPRESSED_COOKIE = 0x1C849313, 0x1C849314
# For DIGITS: the number of bits of a bucket's linear part, so that its values differ by at most a thousandth.
_BITS = 11
_HALF = 1 << (_BITS - 1)


def hdr_histogram(milliseconds: Iterable[float]) -> str:
    """Return latencies as an HdrHistogram in microseconds."""
    counts = Counter(_index(min(HIGHEST, max(0, round(one * 1000)))) for one in milliseconds)
    data = bytearray()
    next_index = 0
    for index, count in sorted(counts.items()):
        if index > next_index:
            data += _zigzag(next_index - index)  # a run of zeros is negative
        data += _zigzag(count)
        next_index = index + 1
    head = struct.pack(">iiiiqqd", _COOKIE, len(data), 0, DIGITS, 1, HIGHEST, 1.0)
    payload = zlib.compress(head + bytes(data))
    return base64.b64encode(struct.pack(">ii", _COMPRESSED_COOKIE, len(payload)) + payload).decode()


def _index(value: int) -> int:
    """Return the index of the count of a value (countsArrayIndex of HdrHistogram)."""
    bucket = max(0, value.bit_length() - _BITS)
    return ((bucket + 1) << (_BITS - 1)) + (value >> bucket) - _HALF


def _zigzag(number: int) -> bytes:
    """Return a number as ZigZag LEB128."""
    value = (number << 1) ^ (number >> 63)
    found = bytearray()
    while value > 0x7F:
        found.append((value & 0x7F) | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
