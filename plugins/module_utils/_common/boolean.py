# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert text to a boolean: a template can return one as text, and in ansible-core 2.18 always does."""

from __future__ import annotations

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def to_boolean(text: str) -> bool | None:
    """Return the boolean that `text` is in YAML 1.1, in upper or lower case; None where it is none.

    Example:
        >>> to_boolean("Yes"), to_boolean("off"), to_boolean("maybe")
        (True, False, None)
    """
    return BOOLEANS.get(text.lower())
