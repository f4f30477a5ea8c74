# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the systemd unit with systemd's own verification."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import boot_unit


def verify(path: Path) -> str:
    """Return what systemd-analyze prints about a unit; nothing if the unit is correct."""
    command = ["systemd-analyze", "--user", "verify", "--man=no", str(path)]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(path.parent),
        "XDG_RUNTIME_DIR": str(path.parent),
    }
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)
    return ran.stderr + ran.stdout


needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing")


@needs_systemd
@pytest.mark.parametrize("folder", ["/srv/demo", "~/demo", '/srv/100% of "demos"', "/srv/$HOME\\x"])
def test_unit_is_valid_for_systemd(tmp_path: Path, folder: str) -> None:
    path = tmp_path / boot_unit.unit_name("shop")
    path.write_text(boot_unit.unit_text("shop", folder, sys.executable, "supervisord.conf"))
    assert verify(path) == ""


@needs_systemd
def test_verification_finds_a_missing_executable(tmp_path: Path) -> None:
    path = tmp_path / boot_unit.unit_name("shop")
    path.write_text(boot_unit.unit_text("shop", "/srv/demo", "/nonexistent/supervisord", "supervisord.conf"))
    assert "/nonexistent/supervisord is not executable" in verify(path)


def test_home_directory_becomes_a_specifier() -> None:
    text = boot_unit.unit_text("shop", "~/a%b", "~/bin/supervisord", "supervisord.conf")
    assert 'ExecStart="%h/bin/supervisord" --nodaemon --configuration "%h/a%%b/supervisord.conf"\n' in text
