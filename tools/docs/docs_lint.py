# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs antsibull-docs' lint on the documentation of the collection, with what it refers to.

On a copy of the checkout's files: antsibull-docs copies the folder that it is given, and a checkout holds virtual environments. Beside the
copy are the collections that it depends on, and Ansible looks for no others: a reference to one that is no dependency is a mistake,
and to read the documentation of all that are in the `ansible` package takes three minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml
from checkout import BUILD, alone, export, stop

FOLDER = BUILD / "docs-lint"
COMMAND = (
    "lint-collection-docs",
    "--plugin-docs",
    "--validate-collection-refs",
    "all",
    "--disallow-unknown-collection-refs",
)


def add_dependencies(folder: Path, collection: str, seen: set[str]) -> None:
    """Link a collection's dependencies, and theirs, from the `ansible` package."""
    here = folder.joinpath("ansible_collections", *collection.split("."))
    manifest = here / "MANIFEST.json"
    if manifest.is_file():
        dependencies = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["dependencies"]
    else:
        dependencies = yaml.safe_load((here / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    for name in sorted(set(dependencies) - seen):
        seen.add(name)
        source = Path(sysconfig.get_path("purelib"), "ansible_collections", *name.split("."))
        if not source.is_dir():
            stop(f"{name}, on which {collection} depends, is not in {source}")
        link = folder.joinpath("ansible_collections", *name.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
        add_dependencies(folder, name, seen)


def antsibull_docs(folder: Path, *arguments: str) -> int:
    """Run antsibull-docs in a copy of the collection below a folder."""
    collection = export(folder)
    add_dependencies(folder, "meshlab.envoy", set())
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        # It calls ansible-doc and ansible-galaxy.
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    return subprocess.run(
        [binaries / "antsibull-docs", *arguments], cwd=collection, check=False, env=environment
    ).returncode


if __name__ == "__main__":
    with alone(FOLDER):
        sys.exit(antsibull_docs(FOLDER, *COMMAND, *sys.argv[1:], "."))
