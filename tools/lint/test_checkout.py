# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the copy of the checkout that sanity and antsibull-docs read."""

from __future__ import annotations

import subprocess
from pathlib import Path

from checkout import BUILD, export


def test_git_lists_the_files_of_a_copy_below_build(tmp_path: Path) -> None:
    folder = BUILD / "tests" / tmp_path.name
    copy = export(folder)
    listed = subprocess.run(
        ["git", "ls-files"], cwd=copy, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert {"galaxy.yml", "meta/runtime.yml", "plugins/filter/plan.py"} <= set(listed)
    assert not [name for name in listed if name.startswith((".venv", "build/"))]
