# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan whose certificates are from an authority on the controller, in place of an authority on each host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.shared_authority import issue
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import Plan, PlannedFile


def with_issued_certificates(plan: Plan, authority: Path, host: str, check_mode: bool) -> Plan:
    """Return a plan with the files of its certificates, signed by the authority in a folder of the controller.

    Args:
        plan: The plan. Its hosts create no certificates then.
        authority: The folder of the authority.
        host: Name of the host in the inventory, if the plan is for one host.
        check_mode: Whether to change nothing on the controller.

    Raises:
        ConfigRefused: The folder cannot be written, or openssl failed.
    """
    files: list[PlannedFile] = list(plan["files"])
    for planned_host in plan["hosts"]:
        entries = [one for one in plan["certificates"] if one["host"] == planned_host]
        if not entries:
            continue
        deployment = f"{plan['name']}@{planned_host if len(plan['hosts']) > 1 else host}"
        certificates = DesiredFiles.from_plan({"certificates": entries}).certificates
        modes = {f"{one['path']}/tls.key": one["mode"] for one in entries}
        issued: Mapping[str, bytes] = issue(authority, deployment, certificates, check_mode)
        # The key of each certificate before the certificate: a proxy reads both again after the second change.
        files += [
            _file(path, content.decode(), modes, planned_host)
            for path, content in sorted(issued.items(), key=lambda one: not one[0].endswith(".key"))
        ]
    return cast(Plan, {**plan, "files": files, "certificates": []})


def _file(path: str, content: str, modes: Mapping[str, str], host: str) -> PlannedFile:
    data: dict[str, Any] = {
        "path": path,
        "content": content,
        "mode": modes.get(path, "0644"),
        "live": None,
        "host": host,
        "sensitive": path in modes,
    }
    return cast(PlannedFile, data)
