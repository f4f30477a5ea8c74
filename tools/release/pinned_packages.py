# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages of a tool, in a folder of their own beside the virtual environments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def installed(requirements: Path, folder: Path) -> Path:
    """Return `folder`, with the packages of a file of requirements with hashes. They are installed if the folder is missing."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
        ]
        hashed = ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
        subprocess.run([*pip, *hashed, "--target", str(unfinished)], check=True)
        unfinished.rename(folder)
    return folder
