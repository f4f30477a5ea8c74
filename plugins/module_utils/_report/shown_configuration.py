# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a run as its report shows it: resources with their lines in the demo file, without secrets. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_text import from_yaml, to_yaml
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import REDACTED, Redactor
from ansible_collections.meshlab.envoy.plugins.module_utils._report.result_schema import (
    ConfigurationFile,
    DemoFile,
    Resource,
)

LONGEST_RESOURCE = 20_000  # characters
LONGEST_CONFIGURATION = 250_000
LONGEST_DEMO = 150_000
CUT = "# The rest is omitted, because it is long.\n"
HIDDEN = "# A file with secrets.\n"
KINDS = {"listeners": "listener", "clusters": "cluster", "routes": "routes of", "secrets": "secret"}
# From the first to the last line of a private key.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)


def configuration_of(plan: Mapping[str, Any]) -> list[ConfigurationFile]:
    """Return the files of the first replica of each proxy."""
    groups = {workload["name"]: workload["group"] for workload in plan.get("workloads") or ()}
    found: list[ConfigurationFile] = []
    seen: set[str] = set()
    left = LONGEST_CONFIGURATION
    for admin in plan.get("admins") or ():
        proxy, group = admin["proxy"], groups.get(admin["workload"], admin["proxy"])
        if group in seen:
            continue
        seen.add(group)
        lines = next(
            (
                one["source"].get("lines") or {}
                for one in plan["checks"]
                if one["name"] == proxy and "source" in one
            ),
            {},
        )
        for file in plan["files"]:
            if file["path"].startswith(f"{proxy}/") and "encoding" not in file and left > 0:
                resources = [_limited(one) for one in _resources(file, proxy, lines)]
                left -= sum(len(one["text"]) for one in resources)
                entry: ConfigurationFile = {
                    "proxy": proxy,
                    "path": file["path"],
                    "live": bool(file["live"]),
                    "resources": resources,
                }
                found.append(entry)
    return found


def demo_file(plan: Mapping[str, Any], text: str) -> DemoFile:
    """Return the demo file without secrets; without its text if a file of the plan is sensitive, or if it is encrypted or long."""
    sources = [one["source"]["file"] for one in plan.get("checks") or () if "source" in one]
    # The planner adds the change to the name of the file.
    name = (sources[0] if sources else str(plan["name"])).partition(" with change ")[0]
    sensitive = any(file["sensitive"] for file in plan.get("files") or ())
    if sensitive or len(text) > LONGEST_DEMO or text.startswith("$ANSIBLE_VAULT"):
        return {"name": name, "text": ""}
    return {"name": name, "text": redacted_lines(text)}


def redacted_lines(text: str) -> str:
    """Return a text without secrets, with the same number of lines."""
    text = _PRIVATE_KEY.sub(lambda found: REDACTED + "\n" * found[0].count("\n"), text)
    redactor = Redactor()
    return "\n".join(redactor.text(line) for line in text.split("\n"))


def _limited(resource: Resource) -> Resource:
    if len(resource["text"]) <= LONGEST_RESOURCE:
        return resource
    return {**resource, "text": resource["text"][:LONGEST_RESOURCE] + "\n" + CUT}


def _resources(file: Mapping[str, Any], proxy: str, lines: Mapping[str, int]) -> list[Resource]:
    """Return the resources of a file, or the whole file as one resource."""
    if file["sensitive"]:
        return [{"name": file["path"], "line": lines.get(""), "text": HIDDEN}]
    inner = file["path"].removeprefix(f"{proxy}/")
    kind, _slash, name = inner.removesuffix(".yaml").partition("/")
    data = _parsed(file["content"])
    redactor = Redactor()
    if data is None:
        return [{"name": inner, "line": lines.get(""), "text": redacted_lines(file["content"])}]
    listed = data.get("resources") if isinstance(data, dict) and kind in KINDS else None
    if not isinstance(listed, list):
        return [{"name": inner, "line": lines.get(""), "text": to_yaml(redactor.value(data))}]
    found: list[Resource] = []
    for one in listed:
        own = str(one.get("name") or name) if isinstance(one, dict) else name
        key = {"routes": f"listeners.{name}", "secrets": ""}.get(kind, f"{kind}.{own}")
        line = lines.get(f"{key}.routes") or lines.get(key) or lines.get("")
        found.append({"name": f"{KINDS[kind]} {own}", "line": line, "text": to_yaml(redactor.value(one))})
    return found


def _parsed(text: str) -> Any:
    try:
        data = from_yaml(text)
    except Exception:  # the file of an author can be anything
        return None
    return data if isinstance(data, (dict, list)) else None
