# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual environment with the libraries of HTTP/2, HTTP/3 and gRPC on the host that sends the traffic.

It is created when traffic needs it for the first time, below the cache folder of the user, and used from then on. pip verifies the hash of
each file, and reads its own configuration, so a private index or a folder of wheels works as for the other packages of the host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import user_folder
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.libraries.locked_packages import (
    REQUIREMENTS,
)

INSTALL_TIMEOUT = 900.0  # seconds
_LAST_LINES = 5  # of pip, in an error


def library_python(requirements: str = REQUIREMENTS, cache: Path | None = None) -> str:
    """Return the Python of the environment with these requirements, and create the environment if it does not exist.

    Args:
        requirements: The text of a requirements file with hashes.
        cache: The folder for environments; that of the user by default.

    Raises:
        ArgumentError: The folder is not private to the user, or the packages cannot be installed.
    """
    folder = cache or cache_folder()
    _check_folder(folder)
    target = folder / f"traffic-{environment_key(requirements)}"
    python = target / "bin" / "python"
    if python.exists():
        return str(python)
    candidate = Path(tempfile.mkdtemp(prefix=".traffic-", dir=folder))
    try:
        _install(candidate, requirements)
        try:
            candidate.rename(target)
        except OSError:
            if not python.exists():  # another run created it meanwhile
                raise
    except OSError as error:
        raise ArgumentError("protocol", f"{target} cannot be created: {error}") from None
    finally:
        shutil.rmtree(candidate, ignore_errors=True)
    return str(python)


def cache_folder() -> Path:
    """Return the folder of the user for what can be downloaded again."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "meshlab.envoy"


def environment_key(requirements: str) -> str:
    """Return the name of an environment: it differs for other packages and for another Python."""
    python = f"{sys.implementation.cache_tag} {os.path.realpath(sys.executable)}"
    return hashlib.sha256(f"{python}\n{requirements}".encode()).hexdigest()[:16]


def _check_folder(folder: Path) -> None:
    """Create a folder that only its user can write to. Raises ArgumentError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise ArgumentError("protocol", f"{folder} cannot be created: {error.strerror}.") from None
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ArgumentError(
            "protocol",
            f"{folder} belongs to another user, or others can write to it, so its programs are not run. Correct its owner and mode.",
        )


def _install(folder: Path, requirements: str) -> None:
    """Create a virtual environment and install the requirements into it. Raises ArgumentError."""
    listed = folder / "requirements.txt"
    pip = [
        str(folder / "bin" / "python"),
        *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--only-binary", ":all:", "--require-hashes", "--requirement", str(listed)),
    ]
    listed.write_text(requirements, encoding="utf-8")
    for command in ([sys.executable, "-m", "venv", str(folder)], pip):
        done = run(command, timeout=INSTALL_TIMEOUT)
        if done.timed_out:
            raise ArgumentError(
                "protocol", f"the libraries were not installed within {INSTALL_TIMEOUT:g} s: {command[2]}."
            )
        if done.exit_code:
            lines = f"{done.stdout}\n{done.stderr}".strip().splitlines()[-_LAST_LINES:]
            raise ArgumentError(
                "protocol",
                "the libraries of HTTP/2, HTTP/3 and gRPC cannot be installed on the host that sends the traffic."
                f" `python3 -m {command[2]}` failed: {' '.join(lines)}. Install python3-venv, or set a package index in pip.conf"
                " (docs/private-networks.md).",
            )
