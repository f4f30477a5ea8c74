# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of failed tasks. Ansible prints a whole result below its message, so that a long one moves the cause off the screen.

Private to this collection: it can change at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

# From `-vv` on, a result is printed whole.
VERBOSITY = 2
# Keys that a result of a module or an action always has.
GENERAL = ("failed", "changed", "msg", "warnings", "deprecations", "exception", "invocation")


def short_result(result: Mapping[str, Any], keys: Collection[str], verbosity: int) -> dict[str, Any]:
    """Return a failed result with the general keys and those of `keys` that are not empty. Other results are unchanged.

    Args:
        result: The result of a task.
        keys: The keys that explain the failure.
        verbosity: The number of `-v` of the command.
    """
    if not result.get("failed") or verbosity >= VERBOSITY:
        return dict(result)
    return {
        key: value
        for key, value in result.items()
        if key in GENERAL or key.startswith("_") or (key in keys and (value or value == 0))
    }
