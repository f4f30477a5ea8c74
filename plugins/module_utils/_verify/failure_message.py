# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The message of a verification: how many expectations hold, and the failures with their reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Entry = Mapping[str, Any]

FAILED, REASON = "✘", "Reason"
# In the message of a failed task: the last 15 lines on the screen contain it and Ansible's own lines.
_MOST_FAILURES = 5


def summary(result: Entry) -> str:
    """Return how many expectations hold, how many requests were sent, and how long that took."""
    return summary_of(list(_outcomes(result)), result)


def summary_of(outcomes: Sequence[Entry], result: Entry) -> str:
    """Return the summary of a result of demo_verify, or of a run, with these outcomes of its expectations."""
    holding = sum(1 for outcome in outcomes if outcome["ok"])
    sent = sum(entry["sent"] for entry in result["traffic"])
    holds = f"{holding} of {len(outcomes)} expectations hold" if outcomes else "No expectations"
    return f"{holds}: {sent} requests sent and counted in {result['elapsed']:.1f} s."


def failure_message(result: Entry, hint: str = "") -> str:
    """Return the message of a failed task: the summary, the failures, their reasons, and a hint; empty where nothing failed."""
    failures = [f"{FAILED} {outcome['message']}" for outcome in _outcomes(result) if not outcome["ok"]]
    if not failures:
        return ""
    reasons = [f"{REASON}: {reason}." for reason in result.get("reasons") or ()]
    return "\n".join(filter(None, [summary(result), *failures, *reasons, hint]))


def shortened(message: str) -> str:
    """Return the message of a failed task with its first failures, so that it fits on the screen below the report."""
    lines = message.splitlines()
    failures = [line for line in lines if line.startswith(FAILED)]
    more = failures[_MOST_FAILURES:]
    if not more:
        return message
    kept = [line for line in lines if line not in more or line in failures[:_MOST_FAILURES]]
    last = max(position for position, line in enumerate(kept) if line.startswith(FAILED))
    return "\n".join([*kept[: last + 1], f"and {len(more)} more, which the report lists", *kept[last + 1 :]])


def _outcomes(result: Entry) -> Iterable[Entry]:
    for traffic in result["traffic"]:
        yield from traffic["expect"]
    yield from result["assertions"]
