# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers as short texts: bytes, milliseconds, counts, times."""

from __future__ import annotations

import time


def bytes_text(number: float) -> str:
    """Return a number of bytes with its unit.

    Example:
        >>> bytes_text(512), bytes_text(5432), bytes_text(2_500_000)
        ('512 B', '5.4 kB', '2.5 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"


def milliseconds_text(number: float | None) -> str:
    """Return milliseconds with three significant digits; `–` for an unknown number.

    Envoy measures whole milliseconds, so 0 is a latency below 1 ms.

    Example:
        >>> milliseconds_text(0.6312), milliseconds_text(41.26), milliseconds_text(1234.5), milliseconds_text(None)
        ('0.63', '41.3', '1234', '–')
        >>> milliseconds_text(0.0)
        '<1'
    """
    if number is None:
        return "–"
    if number == 0:
        return "<1"
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:.0f}"


def counted(number: int, what: str) -> str:
    """Return a number with its noun: `1 request`, `2 requests`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def time_text(seconds: float) -> str:
    """Return a time in UTC; empty for 0, which is unknown."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds)) if seconds else ""
