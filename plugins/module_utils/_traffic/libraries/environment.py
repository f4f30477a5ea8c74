# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environment with the libraries of HTTP/2, HTTP/3 and gRPC on the host that sends the traffic.

It is created when traffic needs it for the first time, below the cache folder of the user, and used from then on.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.progress import (
    Progress,
    no_progress,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.python_environment import (
    PackagesFailed,
    cache_folder,
    create_environment,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.libraries.locked_packages import (
    REQUIREMENTS,
)


def library_python(
    requirements: str = REQUIREMENTS, cache: Path | None = None, progress: Progress = no_progress
) -> str:
    """Return the Python of the environment with these requirements, and create the environment if it does not exist.

    Args:
        requirements: The text of a requirements file with hashes.
        cache: The folder for environments; that of the user by default.
        progress: Receives that the packages are installed.

    Raises:
        ArgumentError: The folder is not private to the user, or the packages cannot be installed.
    """
    target = (cache or cache_folder()) / f"traffic-{environment_key(requirements)}"
    if not target.exists():
        progress("installing the libraries of HTTP/2, HTTP/3 and gRPC, once on this host")
    try:
        return create_environment(target, requirements)
    except PackagesFailed as error:
        raise ArgumentError(
            "protocol",
            f"the libraries of HTTP/2, HTTP/3 and gRPC cannot be installed on the host that sends the traffic: {error}",
        ) from None


def environment_key(requirements: str) -> str:
    """Return the name of an environment: it differs for other packages and for another Python."""
    python = f"{sys.implementation.cache_tag} {os.path.realpath(sys.executable)}"
    return hashlib.sha256(f"{python}\n{requirements}".encode()).hexdigest()[:16]
