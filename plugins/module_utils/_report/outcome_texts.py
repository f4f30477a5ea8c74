# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sentences about a result that several reports contain. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.comparison import outcome_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import counted
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    CheckedExpectation,
    DeploymentOfRun,
    RunResult,
    SentTraffic,
)

REPLACED = {
    "hot_restart": "hot restart",
    "overlap": "the new one serves before the old one stops",
    "stop": "the old one stops first",
    "rollout": "rollout",
}


def all_expectations(result: RunResult) -> list[CheckedExpectation]:
    """Return the expectations about the traffic during the deployment, and those of the verification."""
    during = result["deployment"]["expectations"] if result["deployment"] else []
    return [*during, *result["expectations"]]


def all_traffic(result: RunResult) -> list[SentTraffic]:
    """Return the traffic during the deployment, and that of the verification."""
    during = result["deployment"]["traffic"] if result["deployment"] else []
    return [*during, *result["traffic"]]


def verdict(result: RunResult) -> str:
    """Return how many expectations hold or fail."""
    if result["message"]:
        return "The run failed before its expectations were checked"
    expectations = all_expectations(result)
    failed = sum(not one["ok"] for one in expectations)
    if failed:
        return f"{failed} of {counted(len(expectations), 'expectation')} {'fails' if failed == 1 else 'fail'}"
    return f"{len(expectations)} of {counted(len(expectations), 'expectation')} {'holds' if len(expectations) == 1 else 'hold'}"


def further_text(expectation: CheckedExpectation) -> str:
    """Return the message of an expectation without its expected and its observed value: details, or nothing."""
    parts = (expectation["expected"], expectation["observed"], expectation["subject"])
    if not expectation["subject"]:
        return ""
    return expectation["message"].partition(outcome_text(*parts))[2].lstrip(":. ")


def title(result: RunResult) -> str:
    """Return the demo with its change and its platform."""
    change = f", change {result['change']}" if result["change"] else ""
    return f"{result['demo']} on {result['platform']}{change}"


def responses_text(traffic: SentTraffic) -> str:
    """Return the responses by status, and the errors.

    Example: `24 × 200; 2 × timeout`.
    """
    parts = [f"{count} × {status}" for status, count in sorted(traffic["statuses"].items())]
    errors = [f"{count} × {kind}" for kind, count in sorted(traffic["errors"].items())]
    return "; ".join(filter(None, (", ".join(parts), ", ".join(errors)))) or "none"


def deployment_events(deployment: DeploymentOfRun) -> Iterator[tuple[float, str]]:
    """Yield when a phase began and when each Envoy confirmed its files, in seconds since 1970, in this order."""
    events = [(one["began"], f"phase {one['name']} ({one['seconds']:.2f} s)") for one in deployment["phases"]]
    events += [(time, f"{proxy} confirmed its new files") for proxy, time in deployment["confirmed"].items()]
    yield from sorted(one for one in events if one[0])


def workload_lines(deployment: DeploymentOfRun) -> list[str]:
    """Return which workloads were replaced, restarted, started and removed, one line for each of these."""
    names: dict[str, list[str]] = {}
    for name, how in deployment["replaced"].items():
        names.setdefault(f"replaced ({REPLACED.get(how, how)})", []).append(name)
    for key in ("restarted", "started", "removed"):
        listed: list[str] = deployment[key]
        names[key] = [name for name in listed if name not in deployment["replaced"]]
    return [f"{what}: {', '.join(sorted(listed))}" for what, listed in names.items() if listed]
