# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run antsibull-docs' lint on the documentation of the collection, with all references.

The lint reads a copy of the checkout's files, because antsibull-docs copies the folder that it gets, and a checkout contains virtual
environments. The only other collections that Ansible finds are the dependencies. So a reference to any other collection is an error, and
the lint does not read all collections of the `ansible` package, which takes three minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml
from checkout import BUILD, exclusive, export, stop

FOLDER = BUILD / "docs-lint"
COMMAND = (
    "lint-collection-docs",
    "--plugin-docs",
    "--validate-collection-refs",
    "all",
    "--disallow-unknown-collection-refs",
)


def add_dependencies(folder: Path, collection: str, seen: set[str]) -> None:
    """Link the direct and indirect dependencies of a collection from the `ansible` package."""
    path = folder.joinpath("ansible_collections", *collection.split("."))
    manifest = path / "MANIFEST.json"
    if manifest.is_file():
        dependencies = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["dependencies"]
    else:
        dependencies = yaml.safe_load((path / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"]
    for name in sorted(set(dependencies) - seen):
        seen.add(name)
        source = Path(sysconfig.get_path("purelib"), "ansible_collections", *name.split("."))
        if not source.is_dir():
            stop(
                f"{collection} depends on {name}, but {source} does not exist. Run `make lint-docs`, which installs it."
            )
        link = folder.joinpath("ansible_collections", *name.split("."))
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
        add_dependencies(folder, name, seen)


def antsibull_docs(folder: Path, *arguments: str) -> int:
    """Run antsibull-docs in a copy of the collection below a folder, and return its exit status."""
    collection = export(folder)
    add_dependencies(folder, "meshlab.envoy", set())
    binaries = Path(sys.executable).parent
    environment = {
        **os.environ,
        # antsibull-docs calls ansible-doc and ansible-galaxy.
        "PATH": os.pathsep.join([str(binaries), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }
    return subprocess.run(
        [binaries / "antsibull-docs", *arguments], cwd=collection, check=False, env=environment
    ).returncode


if __name__ == "__main__":
    with exclusive(FOLDER):
        sys.exit(antsibull_docs(FOLDER, *COMMAND, *sys.argv[1:], "."))
