# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout that the checks of this folder read: its path, its files, and a copy as an installed collection."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def stop(message: str) -> None:
    """End the program with an error message, without a traceback."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def files() -> list[str]:
    """Return the paths of the files of the checkout: the tracked files, and new files that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"git cannot list the files of {ROOT}: {error}")
    return sorted(name for name in set(listed.split("\0")) if name and (ROOT / name).is_file())


def output_of(command: Sequence[str | Path], cwd: Path, variables: Mapping[str, str]) -> str:
    """Run a program without the user's settings of Ansible, and return its output; end with its output if it fails.

    `variables` are added to the environment.
    """
    values = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**values, **variables},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        words = [Path(command[0]).name, *map(str, command[1:])]
        stop(f"{' '.join(words)} failed:\n{done.stdout}")
    return done.stdout


def exclusive(folder: Path) -> IO[str]:
    """Wait for the lock of a folder, and return the open lock file; another process waits until the file is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def export(folder: Path) -> Path:
    """Copy the files of the checkout to folder/ansible_collections/meshlab/envoy, the layout that the tools of Ansible require."""
    shutil.rmtree(folder / "ansible_collections", ignore_errors=True)
    target = folder / "ansible_collections" / "meshlab" / "envoy"
    for name in files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)
    # The tools list files with git. The checkout ignores build/, so the copy needs its own repository.
    for command in (["git", "init", "--quiet"], ["git", "add", "--all", "--force"]):
        subprocess.run(command, cwd=target, check=True)
    return target
