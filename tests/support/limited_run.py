# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions in a process of their own, with resource limits and in a mount namespace with a small file system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from collection_hooks import collections_folder

PROGRAM = """
import json, os, resource, sys
from pathlib import Path
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import DesiredFiles, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused
from ansible_collections.meshlab.envoy.plugins.module_utils._config.prepare import prepare
steps = json.load(sys.stdin)
answers = []
for step in steps:
    folder = Path(step["folder"])
    if "mount" in step:
        folder.mkdir(exist_ok=True)
        assert os.system(f"mount {step['mount']} {folder}") == 0
        if "remount" not in step["mount"]:
            folder.chmod(0o700)
        continue
    if "fill" in step:
        with open(folder / "fill", "wb") as file:
            file.truncate(0)
            try:
                while True:
                    os.write(file.fileno(), b"x" * 4096)
            except OSError:
                pass
        continue
    if "free" in step:
        (folder / "fill").unlink()
        continue
    for name, value in step.get("limits", {}).items():
        resource.setrlimit(getattr(resource, name), (value, resource.getrlimit(getattr(resource, name))[1]))
    files = tuple(File(path, content.encode()) for path, content in step["files"].items())
    try:
        with prepare(folder, DesiredFiles(files)) as transaction:
            if transaction.changed:
                transaction.write()
                transaction.finish()
        error = ""
    except ConfigRefused as refused:
        error = str(refused)
    for name in step.get("limits", {}):
        resource.setrlimit(getattr(resource, name), (resource.getrlimit(getattr(resource, name))[1],) * 2)
    found = {str(one.relative_to(folder)): one.read_text()[:5] for one in folder.rglob("*") if one.is_file() and one.name != "fill"}
    answers.append([error, found])
print(json.dumps(answers))
"""


def run_transactions(*steps: dict[str, Any], namespace: bool = False) -> list[tuple[str, dict[str, str]]]:
    """Run transactions in order; return the error of each, and the first 5 characters of each file of its folder after it."""
    command = [sys.executable, "-c", PROGRAM]
    if namespace:
        command = ["unshare", "--mount", "--propagation", "private", *command]
    done = subprocess.run(
        command,
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(collections_folder())},
    )
    assert done.returncode == 0, done.stderr
    return [tuple(step) for step in json.loads(done.stdout)]


def can_mount(folder: Path) -> bool:
    """Return whether this user can mount a file system in a namespace of its own."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
