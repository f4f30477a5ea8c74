# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans of demos whose files are written into a folder, where a real Envoy validates them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import file_bytes
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan import make_plan


def plan(
    data: Any, name: str, platform: str, folder: str = "/state", change: str = "", deployed: Any = None
) -> dict[str, Any]:
    """Return the plan of a demo. Its images and executables are placeholders."""
    program = {"image": "image:1", "executable": "program"}
    context = {
        "platform": platform, "folder": folder, "change": change, "app": "pass", "deployed": deployed,
        "envoy": program, "python": program, "statsd_exporter": program,
    }  # fmt: skip
    return cast("dict[str, Any]", make_plan(name, data, context, f"{name}.yml"))


def write(planned: dict[str, Any], folder: Path) -> None:
    """Write the files of a plan, and those of its checks, into `folder`, and create its directories."""
    extra = [file for check in planned["checks"] for file in check["files"]]
    for file in [*planned["files"], *extra]:
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file_bytes(file))
    for directory in planned["directories"]:
        (folder / directory["path"]).mkdir(parents=True, exist_ok=True)


def validate(envoy: str, check: dict[str, Any], folder: Path) -> str:
    """Return the error of Envoy for one check of a plan. Empty: Envoy accepts the configuration."""
    result = subprocess.run(
        [envoy, *check["command"][1:]], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return "" if result.returncode == 0 else f"{check['name']}: {result.stdout}{result.stderr}"


def start(envoy: str, workload: dict[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    """Start the Envoy of a planned workload in a folder.

    It has no shared memory for hot restarts: its file would stay, and two tests with one base id would disturb each other.
    """
    command = [envoy, *workload["command"][1:], "--disable-hot-restart"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
