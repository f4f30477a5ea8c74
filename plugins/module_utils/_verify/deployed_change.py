# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Detect that the deployed files are not those of the plan, for example after a change."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan

ADVICE = "After a change, verify that change (-e change=NAME, make verify CHANGE=NAME). Otherwise deploy the demo again."


def live_files(plan: Plan) -> dict[str, Any]:
    """Return the plan's folder and those of its files that an Envoy watches, because a change modifies only them."""
    files = [file for file in plan.get("files") or () if file.get("live")]
    return {"folder": plan.get("folder"), "files": files}


def change_hint(plan: Plan) -> str:
    """Return a sentence about a watched file on this host that differs from the plan; empty where all are equal."""
    live = live_files(plan)
    for file in live["files"]:
        path = Path(str(live["folder"]), file["path"]).expanduser()
        with contextlib.suppress(OSError):
            if path.read_bytes() != file["content"].encode():
                return f"{path}: the deployed file differs from this plan. {ADVICE}"
    return ""
