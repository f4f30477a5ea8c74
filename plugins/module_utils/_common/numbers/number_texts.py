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


def rate_text(number: float | None) -> str:
    """Return a number per second with three significant digits; `–` for an unknown one.

    Example:
        >>> rate_text(0), rate_text(0.25), rate_text(12.34), rate_text(1234.5), rate_text(25_300), rate_text(None)
        ('0/s', '0.25/s', '12.3/s', '1,234/s', '25.3k/s', '–')
    """
    if number is None:
        return "–"
    if number >= 10_000:
        return f"{number / 1000:.1f}k/s"
    digits = 0 if number == 0 or number >= 100 else 1 if number >= 10 else 2
    return f"{number:,.{digits}f}/s"


def duration_text(seconds: float | None) -> str:
    """Return a duration in its two largest units; `–` for an unknown one.

    Example:
        >>> duration_text(42), duration_text(125), duration_text(7_260), duration_text(180_000), duration_text(None)
        ('42 s', '2 min 5 s', '2 h 1 min', '2 d 2 h', '–')
    """
    if seconds is None:
        return "–"
    whole = max(int(seconds), 0)
    parts = ((whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    first = next((at for at, (number, _unit) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2])


def counted(number: int, what: str) -> str:
    """Return a number with its noun: `1 request`, `2 requests`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def time_text(seconds: float) -> str:
    """Return a time in UTC; empty for 0, which is unknown."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds)) if seconds else ""
