# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks in this folder share: where the checkout is, and which files belong to it."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def stop(message: str) -> None:
    """End with a message, without a traceback."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def files() -> list[str]:
    """The files of the checkout: those that git knows, and new ones that it does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"cannot list the checkout's files with git: {error}")
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def alone(folder: Path) -> IO[str]:
    """Wait until nobody else is at work in a folder; until the file that is returned is closed, others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def export(folder: Path) -> Path:
    """Copy the checkout's files to folder/ansible_collections/meshlab/envoy, where Ansible's tools want a collection to be."""
    shutil.rmtree(folder / "ansible_collections", ignore_errors=True)
    target = folder / "ansible_collections" / "meshlab" / "envoy"
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    # A repository of its own: the tools ask git which files there are, and the checkout's would say 'none', because build/ is ignored.
    for command in (["git", "init", "--quiet"], ["git", "add", "--all", "--force"]):
        subprocess.run(command, cwd=target, check=True)
    return target
