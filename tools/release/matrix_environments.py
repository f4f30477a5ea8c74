# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the packages of `make demo` with each supported Python into .venv-matrix/<Python>, for the tests of all supported versions.

A missing Python is printed; where CI=true it is an error.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from checkout import ROOT, exclusive, stop

FOLDER = ROOT / ".venv-matrix"
REQUIREMENTS = ROOT / "requirements" / "demo.txt"


def pythons() -> list[str]:
    """Return the Pythons of the controller that the tests run."""
    versions = yaml.safe_load((ROOT / "meta" / "versions.yml").read_text(encoding="utf-8"))
    return [str(version) for version in versions["pythons"]["controller"]]


def interpreter(version: str) -> str | None:
    """Return the path of a Python of this version, from PATH or from pyenv."""
    found = shutil.which(f"python{version}")
    if found and "shims" not in found:
        return found
    # The python3.x of pyenv in PATH is a script that fails for a version that is not selected.
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    return str(candidates[-1]) if candidates else None


def install(python: str, home: Path) -> None:
    """Install the requirements into a virtual environment, unless it has them."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    stamp = home / ".has-demo"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return
    print(f"installing {REQUIREMENTS.relative_to(ROOT)} into {home.relative_to(ROOT)}", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--requirement", str(REQUIREMENTS)], check=True)
    stamp.write_text(digest, encoding="utf-8")


def main() -> None:
    """Install the environments of all Pythons of this machine."""
    for version in pythons():
        python = interpreter(version)
        if python:
            with exclusive(ROOT / "build" / "locks" / f"matrix-{version}"):
                install(python, FOLDER / version)
            continue
        message = (
            f"python{version} is neither in PATH nor in pyenv. Install it to test the collection with it."
        )
        if os.environ.get("CI") == "true":
            stop(message)
        print(message, file=sys.stderr)


if __name__ == "__main__":
    main()
