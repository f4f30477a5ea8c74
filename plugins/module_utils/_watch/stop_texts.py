# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages of a live view: why it does not begin, and why it stopped. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._watch.watch_rounds import (
    DURATION,
    IDLE,
    INTERRUPTED,
    REDEPLOYED,
    REMOVED,
    Round,
)

SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.2, 3600  # seconds
HIGHEST_PORT = 65535
_TEXTS = {
    REMOVED: "{name} was removed.",
    INTERRUPTED: "The view of {name} was interrupted.",
    IDLE: "{name} has no viewer any more.",
    DURATION: "The time to watch {name} is over.",
    REDEPLOYED: "{name} was deployed again.",
}


def stop_text(name: str, reason: str) -> str:
    """Return the message for a reason to stop."""
    text = _TEXTS[reason].format(name=name)
    return text if reason in (REMOVED, REDEPLOYED) else f"{text} Run the same command to watch it again."


def option_problem(options: Mapping[str, Any]) -> str:
    """Return what is wrong with the options; empty if nothing is."""
    if not SHORTEST_INTERVAL <= options["interval"] <= LONGEST_INTERVAL:
        limits = f"{SHORTEST_INTERVAL} to {LONGEST_INTERVAL}"
        return f"watch_interval: expected {limits} seconds, got {options['interval']:g}. Correct it."
    for option in ("idle_timeout", "duration"):
        if not options[option] > 0:
            return f"watch_{option}: expected more than 0 seconds, got {options[option]:g}. Correct it."
    if not 0 <= options["port"] <= HIGHEST_PORT:
        return f"watch_port: expected a number from 0 to {HIGHEST_PORT}, got {options['port']}. Correct it."
    return ""


def not_running(plan: Mapping[str, Any], first: Round, deployment: str | None) -> str:
    """Return why a demo cannot be watched, with what to do; empty if one of its Envoys answers."""
    envoys = first.state["envoys"]
    if any(not one["failure"] for one in envoys):
        return ""
    where = f"{plan['name']} on {plan['platform']}"
    deploy = f"Deploy it first: make demo DEMO={plan['name']} PLATFORM={plan['platform']}, or the playbook meshlab.envoy.site."
    if deployment is None:
        return f"{where}: the demo does not run: nothing is deployed in {plan['folder']}. {deploy}"
    reason = envoys[0]["failure"] if envoys else "the API server lists no pod of it"
    return f"{where}: no Envoy answers: {reason}. {deploy}"
