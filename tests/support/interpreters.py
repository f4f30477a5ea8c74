# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Python interpreters of other versions, for tests of code that runs on managed hosts."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def interpreter(version: str) -> str:
    """Return the path of `python<version>`, from PATH or from pyenv.

    If it is missing, the test is skipped; in CI, where the environment has all versions, it fails.
    """
    found = shutil.which(f"python{version}")
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    # pyenv's own python3.x in PATH is a script that fails for a version that is not selected.
    if candidates and (found is None or "shims" in found):
        found = str(candidates[-1])
    if found is None or "shims" in found:
        message = f"python{version} is neither in PATH nor in {root}/versions"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found
