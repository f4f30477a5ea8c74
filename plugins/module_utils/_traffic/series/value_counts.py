# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Counts of values that come from outside, so that neither their number nor their length is limited by their author."""

from __future__ import annotations

from collections import Counter

MAX_LENGTH = 200  # characters of each value
OTHER = "(others)"


def count_value(values: Counter[str], value: str, most: int) -> None:
    """Count a value; beyond `most` different values it counts as OTHER."""
    value = value[:MAX_LENGTH]
    values[value if value in values or len(values) < most else OTHER] += 1


def capped(values: Counter[str], most: int) -> dict[str, int]:
    """Return the most frequent values, and the sum of the rest as OTHER."""
    listed = {value: number for value, number in values.most_common() if value != OTHER}
    kept = dict(list(listed.items())[:most])
    others = sum(values.values()) - sum(kept.values())
    return {**kept, OTHER: others} if others else kept
