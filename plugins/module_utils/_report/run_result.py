# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run, from its plan and the results of demo_verify and demo_deploy. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._common.printable import printable_data
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import Redactor
from ansible_collections.meshlab.envoy.plugins.module_utils._report.connections import connections_of
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    SCHEMA,
    CheckedExpectation,
    DeploymentOfRun,
    PartOfRun,
    RunResult,
    SentTraffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._report.shown_configuration import (
    configuration_of,
    demo_file,
)

Entry = Mapping[str, Any]
TRAFFIC_KEYS = tuple(SentTraffic.__annotations__)
MOST_HOSTS = 50
LONGEST_MESSAGE = 2000  # characters


def run_result(
    plan: Entry,
    verified: Entry,
    deployed: Entry | None = None,
    demo_text: str = "",
    versions: Mapping[str, str] | None = None,
    commands: Sequence[str] = (),
) -> RunResult:
    """Return the result of a run, without secrets and without control characters.

    Args:
        plan: The plan.
        verified: The result of demo_verify.
        deployed: The result of demo_deploy. None: the demo was deployed by an earlier run.
        demo_text: The text of the demo file.
        versions: Versions of programs of the controller.
        commands: Commands that repeat the run.
    """
    traffic = [_traffic(one) for one in verified.get("traffic") or ()]
    expectations = [
        *_of_traffic(verified.get("traffic") or ()),
        *(_expectation(one, "") for one in verified.get("assertions") or ()),
    ]
    deployment = _deployment(deployed) if deployed else None
    checked = [*expectations, *(deployment["expectations"] if deployment else ())]
    message = str(verified.get("msg") or "") if not checked and verified.get("failed") else ""
    result: RunResult = {
        "schema": SCHEMA,
        "demo": plan["name"],
        "summary": plan["summary"],
        "platform": plan["platform"],
        "change": str(plan.get("change") or ""),
        "ok": not message and all(one["ok"] for one in checked),
        "message": message,
        "began": float(verified.get("began") or _first_phase(deployment)),
        "elapsed": float(verified.get("elapsed") or 0),
        "addresses": list(plan.get("addresses") or ()),
        "notes": list(plan.get("notes") or ()),
        "topology": plan.get("topology") or {"boxes": [], "arrows": [], "traffic": {}},
        "parts": parts_of(plan),
        "connections": connections_of(plan, traffic, verified.get("clusters") or ()),
        "traffic": traffic,
        "expectations": expectations,
        "reasons": list(verified.get("reasons") or ()),
        "deployment": deployment,
        "configuration": configuration_of(plan),
        "file": demo_file(plan, demo_text),
        "versions": {**_versions(verified), **(versions or {})},
        "commands": [*commands, *(plan.get("commands") or ())],
    }
    return cast(RunResult, printable_data(_without_secrets(result)))


def _without_secrets(result: RunResult) -> dict[str, Any]:
    """Return the result with redacted texts of responses and messages. The configuration is redacted already."""
    redactor = Redactor()
    found: dict[str, Any] = dict(result)
    found["reasons"] = [redactor.text(one) for one in result["reasons"]]
    found["message"] = redactor.text(result["message"])
    found["expectations"] = [_redacted(one, redactor) for one in result["expectations"]]
    found["traffic"] = [_redacted(one, redactor) for one in result["traffic"]]
    if result["deployment"]:
        found["deployment"] = {
            **result["deployment"],
            "traffic": [_redacted(one, redactor) for one in result["deployment"]["traffic"]],
            "expectations": [_redacted(one, redactor) for one in result["deployment"]["expectations"]],
        }
    return found


def _redacted(entry: Entry, redactor: Redactor) -> dict[str, Any]:
    return {key: redactor.text(value) if isinstance(value, str) else value for key, value in entry.items()}


def _traffic(entry: Entry) -> SentTraffic:
    defaults: dict[str, Any] = {
        "latency_histogram": [],
        "timeline": [],
        "began": 0.0,
        "bytes_received": 0,
        "connections": 0,
        "elapsed": 0.0,
        "last_error": "",
        "url": "",
    }
    found = {key: entry.get(key, defaults.get(key)) for key in TRAFFIC_KEYS}
    found["hosts"] = dict(sorted(entry["hosts"].items(), key=lambda one: -one[1])[:MOST_HOSTS])
    return cast(SentTraffic, found)


def _of_traffic(traffic: Sequence[Entry]) -> list[CheckedExpectation]:
    return [_expectation(outcome, entry["name"]) for entry in traffic for outcome in entry["expect"]]


def _expectation(outcome: Entry, traffic: str) -> CheckedExpectation:
    texts = outcome.get("texts") or {}
    observed = outcome.get("observed")
    is_number = isinstance(observed, (int, float)) and not isinstance(observed, bool)
    accepted = outcome.get("accepted")
    return {
        "ok": bool(outcome["ok"]),
        "traffic": traffic,
        "name": str(outcome.get("name") or ""),
        "subject": str(texts.get("subject") or ""),
        "expected": str(texts.get("expected") or ""),
        "observed": str(texts.get("observed") or ""),
        "value": float(observed) if is_number and observed is not None else None,
        "accepted": None if accepted is None else [None if one is None else float(one) for one in accepted],
        "message": str(outcome["message"])[:LONGEST_MESSAGE],
    }


def _deployment(deployed: Entry) -> DeploymentOfRun:
    began = deployed.get("began") or {}
    return {
        "phases": [
            {"name": name, "began": float(began.get(name, 0)), "seconds": float(seconds)}
            for name, seconds in (deployed.get("seconds") or {}).items()
        ],
        "started": list(deployed.get("started") or ()),
        "restarted": list(deployed.get("restarted") or ()),
        "removed": list(deployed.get("removed") or ()),
        "replaced": dict(deployed.get("replaced") or {}),
        "confirmed": dict(deployed.get("confirmed") or {}),
        "rolled_back": bool(deployed.get("rolled_back")),
        "traffic": [_traffic(one) for one in deployed.get("traffic") or ()],
        "expectations": _of_traffic(deployed.get("traffic") or ()),
    }


def _first_phase(deployment: DeploymentOfRun | None) -> float:
    return min([one["began"] for one in deployment["phases"]] if deployment else [], default=0.0)


def parts_of(plan: Entry) -> list[PartOfRun]:
    """Return the hosts, programs and images of each box of the topology."""
    # A cluster has one host in the plan, the one that deploys. Pods run elsewhere.
    is_placed = len(plan.get("hosts") or ()) > 1
    found: dict[str, PartOfRun] = {}
    for workload in plan.get("workloads") or ():
        box = str(workload.get("group") or workload["name"])
        part = found.setdefault(box, {"box": box, "hosts": [], "programs": [], "images": [], "networks": {}})
        part["programs"].append(workload["name"])
        if workload.get("network"):
            part["networks"][workload["name"]] = workload["network"]
        host, image = str(workload.get("host") or ""), str(workload.get("image") or "")
        if is_placed and host and host not in part["hosts"]:
            part["hosts"].append(host)
        if image and image not in part["images"]:
            part["images"].append(image)
    return list(found.values())


def _versions(verified: Entry) -> dict[str, str]:
    versions = sorted(
        {str(one.get("version")) for one in verified.get("endpoints") or () if one.get("version")}
    )
    return {"Envoy": ", ".join(versions)} if versions else {}
