# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Python packages with hashes on this host: in a virtual environment, or in a folder for the Python of an image.

pip verifies the hash of each file, and reads its own configuration, so a private index or a folder of wheels works as for the other
packages of the host. Only wheels are installed, because other archives run programs of the package during the installation.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import run
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.user_folder import user_folder

INSTALL_TIMEOUT = 900.0  # seconds
_LAST_LINES = 5  # of pip, in an error
_VERSION = "import sys; print('python%d.%d' % sys.version_info[:2])"


class PackagesFailed(Exception):
    """Packages that cannot be installed: one sentence with the reason, and what to do."""


def cache_folder() -> Path:
    """Return the folder of the user for what can be downloaded again."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "meshlab.envoy"


def check_folder(folder: Path) -> None:
    """Create a folder that only its user can write to. Raises PackagesFailed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise PackagesFailed(f"{folder} cannot be created: {error.strerror}.") from None
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PackagesFailed(
            f"{folder} belongs to another user, or others can write to it, so its programs are not run. Correct its owner and mode."
        )


def create_environment(target: Path, requirements: str, python: str = sys.executable) -> str:
    """Return the Python of the virtual environment `target`, and create the environment if it does not exist.

    It is created under another name in the same folder and then renamed, so an interrupted installation leaves no half of it.

    Args:
        target: The path of the environment. Its folder must belong to the user.
        requirements: The text of a requirements file with hashes.
        python: The Python that the environment has, by path or by name.

    Raises:
        PackagesFailed: The folder is not private to the user, or the packages cannot be installed.
    """
    check_folder(target.parent)
    program = target / "bin" / "python"
    if program.exists():
        return str(program)
    candidate = Path(tempfile.mkdtemp(prefix=f".{target.name[:20]}-", dir=target.parent))
    try:
        _make_environment(candidate, python)
        install(candidate, requirements, ())
        try:
            candidate.rename(target)
        except OSError:
            if not program.exists():  # another run created it meanwhile
                raise
    except OSError as error:
        raise PackagesFailed(f"{target} cannot be created: {error}") from None
    finally:
        shutil.rmtree(candidate, ignore_errors=True)
    return str(program)


def is_usable(target: Path) -> bool:
    """Return whether the environment `target` exists, and its Python is of the version that its packages are for."""
    try:
        found = run([str(target / "bin" / "python"), "-IS", "-c", _VERSION], timeout=60)
    except OSError:
        return False
    return not found.exit_code and (target / "lib" / found.stdout.strip() / "site-packages").is_dir()


def install_for_image(
    target: Path, requirements: str, version: str, platforms: Sequence[str], scratch: Path
) -> None:
    """Install packages into the folder `target`, for another Python than that of this host.

    Args:
        target: The folder, which PYTHONPATH of that Python contains.
        requirements: The text of a requirements file with hashes.
        version: Version of that Python, such as `3.11`.
        platforms: The platform tags of wheels that it accepts, the best one first.
        scratch: An empty folder for pip.

    Raises:
        PackagesFailed: The packages cannot be installed.
    """
    _make_environment(scratch, sys.executable)
    options = [
        *("--target", str(target), "--python-version", version, "--implementation", "cp", "--no-compile"),
        *(option for platform in platforms for option in ("--platform", platform)),
    ]
    install(scratch, requirements, options)


def install(environment: Path, requirements: str, options: Sequence[str]) -> None:
    """Run pip of `environment` with the text of a requirements file. Raises PackagesFailed."""
    listed = environment / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    _run(
        str(environment / "bin" / "python"),
        "pip",
        *("install", "--quiet", "--disable-pip-version-check", "--no-input"),
        *("--only-binary", ":all:", "--require-hashes", *options, "--requirement", str(listed)),
    )


def _make_environment(target: Path, python: str) -> None:
    _run(python, "venv", str(target))


def _run(python: str, module: str, *arguments: str) -> None:
    """Run a module of Python. Raises PackagesFailed."""
    try:
        done = run([python, "-m", module, *arguments], timeout=INSTALL_TIMEOUT)
    except OSError as error:
        raise PackagesFailed(f"{python} cannot be started: {error.strerror}. Install Python.") from None
    if done.timed_out:
        raise PackagesFailed(f"`python3 -m {module}` did not end within {INSTALL_TIMEOUT:g} s.")
    if done.exit_code:
        lines = f"{done.stdout}\n{done.stderr}".strip().splitlines()[-_LAST_LINES:]
        raise PackagesFailed(
            f"`python3 -m {module}` failed: {' '.join(lines)}. Install python3-venv, or set a package index in pip.conf"
            " (docs/private-networks.md)."
        )
