# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the collection's tarball, looks into it, installs it, and asks Ansible for what was installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from checkout import BUILD, ROOT, alone, files, stop

FOLDER = BUILD / "package"
# Galaxy's own limit, and what an installed collection must have to be of use.
MOST_BYTES = 20_000_000
MADE_BY_BUILD = {"MANIFEST.json", "FILES.json"}
NEEDED = {"LICENSE", "meta/runtime.yml", "README.md"}
# What is for those who work on the collection: a user of it needs none of these.
NOT_FOR_USERS = ("tests/", "molecule/", "extensions/molecule/", "requirements/", ".")
# Checked as it would be called by a user: by its full name, from a folder that has nothing of the checkout.
PLAYBOOKS = ("site", "verify", "render", "teardown")


def ansible(program: str, *arguments: str, **environment: str) -> str:
    """Run one of Ansible's programs, and return what it printed; end with its words when it fails."""
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    values = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**values, **environment},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        stop(f"{program} {' '.join(arguments)} failed:\n{done.stdout}")
    return done.stdout


def build() -> Path:
    """Build the tarball as a user would, from the checkout itself with all that has gathered there."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ansible("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(FOLDER))
    (tarball,) = FOLDER.glob("meshlab-envoy-*.tar.gz")
    return tarball


def check_content(tarball: Path) -> None:
    """Complain about files that are not the repository's or not for users, and about those that are missing."""
    with tarfile.open(tarball) as archive:
        names = {member.name for member in archive if member.isfile()} - MADE_BY_BUILD
    mine = set(files())
    problems = [
        f"{name}: is no file of the repository (galaxy.yml, build_ignore)" for name in sorted(names - mine)
    ]
    problems += [
        f"{name}: nobody who installs the collection needs it (galaxy.yml, build_ignore)"
        for name in sorted(names & mine)
        if name.startswith(NOT_FOR_USERS)
    ]
    wanted = NEEDED | {name for name in mine if name.startswith(("plugins/", "roles/", "playbooks/"))}
    problems += [f"{name}: is missing" for name in sorted(wanted - names)]
    size = tarball.stat().st_size
    if size > MOST_BYTES:
        problems.append(f"it has {size} bytes, and Galaxy takes {MOST_BYTES}")
    if problems:
        stop(f"{tarball.name}:\n  " + "\n  ".join(problems))


def check_installed(tarball: Path) -> None:
    """Install it where nothing else is, and find its modules and playbooks by their full names."""
    collections = FOLDER / "collections"
    # Without its dependencies: whether these exist is Galaxy's to say, and Galaxy is not needed here.
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
    there = {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    modules = {
        path.stem for path in (installed / "plugins" / "modules").glob("*.py") if path.stem != "__init__"
    }
    known = json.loads(
        ansible("ansible-doc", "--json", "--list", "--type", "module", "meshlab.envoy", **there)
    )
    unknown = sorted(modules - {name.rpartition(".")[2] for name in known})
    if unknown:
        stop(f"installed, ansible-doc does not know: {', '.join(unknown)}")
    for name in PLAYBOOKS:
        if (installed / "playbooks" / f"{name}.yml").exists():
            ansible(
                "ansible-playbook", "--syntax-check", "-i", "localhost,", f"meshlab.envoy.{name}", **there
            )


def main() -> None:
    tarball = build()
    check_content(tarball)
    check_installed(tarball)


if __name__ == "__main__":
    with alone(BUILD / "locks" / "package"):
        main()
