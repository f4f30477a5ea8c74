# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the tarball of the collection, check its content, install it, and look up the modules and playbooks of the installed collection."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
from pathlib import Path

from checkout import BUILD, ROOT, exclusive, files, output_of, stop

FOLDER = BUILD / "package"
# The limit of Galaxy for a tarball.
MAXIMUM_BYTES = 20_000_000
# Files that `ansible-galaxy collection build` adds.
ADDED_BY_BUILD = {"MANIFEST.json", "FILES.json"}
REQUIRED = {"LICENSE", "meta/runtime.yml", "README.md"}
# Paths for the development of the collection. Users of the collection need none of them.
DEVELOPMENT = ("tests/", "tools/", "molecule/", "extensions/molecule/", "requirements/", ".")
# Playbooks that the check runs by their full names, from a folder outside the checkout.
PLAYBOOKS = ("site", "verify", "render", "teardown")


def ansible(program: str, *arguments: str, **environment: str) -> str:
    """Run a program of Ansible, and return its output; end with its output if it fails."""
    return output_of([Path(sys.executable).with_name(program), *arguments], FOLDER, environment)


def build() -> Path:
    """Build the tarball from the checkout itself, with all untracked files, and return its path."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ansible("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(FOLDER))
    (tarball,) = FOLDER.glob("meshlab-envoy-*.tar.gz")
    return tarball


def check_content(tarball: Path) -> None:
    """End with an error if the tarball has files of the development or untracked files, or lacks files."""
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive if member.isfile()} - ADDED_BY_BUILD
    tracked = set(files())
    problems = [
        f"{name}: is not a file of the repository. Add it to build_ignore in galaxy.yml."
        for name in sorted(names - tracked)
    ]
    problems += [
        f"{name}: is only for the development. Add it to build_ignore in galaxy.yml."
        for name in sorted(names & tracked)
        if name.startswith(DEVELOPMENT)
    ]
    expected = REQUIRED | {name for name in tracked if name.startswith(("plugins/", "roles/", "playbooks/"))}
    problems += [
        f"{name}: is missing in the tarball. Remove it from build_ignore in galaxy.yml."
        for name in sorted(expected - names)
    ]
    size = tarball.stat().st_size
    if size > MAXIMUM_BYTES:
        problems.append(f"the tarball has {size} bytes, but Galaxy accepts at most {MAXIMUM_BYTES}")
    if problems:
        stop(f"{tarball.name}:\n  " + "\n  ".join(problems))


def check_installed(tarball: Path) -> None:
    """Install the tarball into an empty folder, and look up its modules and playbooks by their full names."""
    collections = FOLDER / "collections"
    # Without dependencies, because the check must not need Galaxy.
    ansible(
        "ansible-galaxy",
        "collection",
        "install",
        "--no-deps",
        "--offline",
        "--collections-path",
        str(collections),
        str(tarball),
    )
    installed = collections / "ansible_collections" / "meshlab" / "envoy"
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    modules = {
        path.stem for path in (installed / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
    }
    listed = json.loads(
        ansible("ansible-doc", "--json", "--list", "--type", "module", "meshlab.envoy", **environment)
    )
    missing = sorted(modules - {name.rpartition(".")[2] for name in listed})
    if missing:
        stop(f"ansible-doc does not find these modules of the installed collection: {', '.join(missing)}")
    for name in PLAYBOOKS:
        if (installed / "playbooks" / f"{name}.yml").exists():
            ansible(
                "ansible-playbook",
                "--syntax-check",
                "-i",
                "localhost,",
                f"meshlab.envoy.{name}",
                **environment,
            )


def main() -> None:
    """Build, check and install the tarball."""
    tarball = build()
    check_content(tarball)
    check_installed(tarball)


if __name__ == "__main__":
    with exclusive(BUILD / "locks" / "package"):
        main()
