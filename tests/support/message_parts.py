# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search a message for a part of which some characters are unknown."""

from __future__ import annotations

import re


def contains(message: str, part: str) -> bool:
    """Return whether a line of `message` contains `part`, in which `…` stands for any characters.

    Example:
        >>> contains("expected 20, got 19 (x at edge)", "got … (x at edge)")
        True
    """
    return re.search("[^\n]*?".join(map(re.escape, part.split("…"))), message) is not None
