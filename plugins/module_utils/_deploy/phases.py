# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of a deployment: their names in the result, and their texts for the user while they run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from ansible_collections.meshlab.envoy.plugins.module_utils._common.numbers.number_texts import counted
from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import (
    DeployRequest,
    DeployResult,
)

Phase = Literal[
    "preflight",
    "prepare",
    "predict",
    "write",
    "start",
    "ready",
    "live",
    "discovery",
    "remove",
    "restore",
    "stop",
]


@contextmanager
def phase(request: DeployRequest, result: DeployResult, name: Phase, text: str = "") -> Iterator[None]:
    """Show a text, by default that of the phase, and measure the seconds of the phase."""
    request.progress(text or phase_text(name, request))
    with result.phase(name):
        yield


def phase_text(name: Phase, request: DeployRequest) -> str:
    """Return what a phase does.

    Example:
        >>> phase_text("preflight", DeployRequest("shop", "local", Path("/tmp/shop")))
        'checking ports, programs and permissions'
    """
    checks = len(request.files.checks)
    return {
        "preflight": "checking ports, programs and permissions",
        "prepare": f"checking {counted(checks, 'configuration')} with Envoy" if checks else "comparing files",
        "predict": "predicting the changes",
        "write": "writing files",
        "start": f"starting {counted(len(request.workloads), 'workload')}",
        "ready": "waiting until all workloads are ready",
        "live": "waiting until the proxies confirm their files",
        "discovery": "waiting until the proxies find their upstream hosts",
        "remove": "stopping what was replaced or is no longer planned",
        "restore": "restoring the previous deployment",
        "stop": "stopping all workloads",
    }[name]
