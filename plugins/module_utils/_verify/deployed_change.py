# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what was deployed is what is verified: after a change, the demo as its file has it does not hold."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def watched(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's folder, and of its files those that a proxy watches: a change is made in them."""
    files = [one for one in plan.get("files") or () if one.get("live")]
    return {"folder": plan.get("folder"), "files": files}


def hint(plan: Mapping[str, Any]) -> str:
    """Return a sentence about a watched file on this host that is not as `plan` has it, '' where there is none."""
    found = watched(plan)
    for file in found["files"]:
        path = Path(str(found["folder"]), file["path"]).expanduser()
        with contextlib.suppress(OSError):
            if path.read_bytes() != file["content"].encode():
                return (
                    f"{path} is not what this plan would make: after a change, verify that change"
                    " (-e change=NAME, make verify CHANGE=NAME), or else deploy the demo again."
                )
    return ""
