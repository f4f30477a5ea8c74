# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The logs of Envoys during a deployment: the reason of a rejected file is in no other place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._deploy.deploy_request import DeployRequest
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import admin_workload
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observer import DeployedDemo
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.observers import observer_class

TIMEOUT = 10.0  # seconds to read one log
RECENT = 600.0  # seconds before now: older lines belong to earlier deployments


def envoy_logs(request: DeployRequest) -> Callable[[str], Sequence[str]]:
    """Return a function that returns the last lines of the log of a proxy's Envoy; nothing where it cannot be read."""
    workloads = {admin["proxy"]: admin_workload(admin) for admin in request.admins}

    def read(proxy: str) -> Sequence[str]:
        observer = observer_class(request.platform)
        if observer is None or proxy not in workloads:
            return ()
        folder = Path(os.path.realpath(request.folder))
        demo = DeployedDemo(request.name, folder, request.workloads, request.bind)
        name = workloads[proxy]
        return observer(demo).recent_log_lines([name], time.time() - RECENT, TIMEOUT).get(name, ())

    return read
