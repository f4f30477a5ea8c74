# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the systemd unit with systemd's own verification, and its links."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import boot_unit
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_unit import BootUnit


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


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


def unit(folder: Path, *files: str) -> BootUnit:
    return BootUnit("shop", folder, files)


def test_listed_unit_is_linked_twice(tmp_path: Path, configuration: Path) -> None:
    path = tmp_path / "meshlab-envoy-shop.service"
    unit(tmp_path, path.name).apply()
    units = configuration / "systemd" / "user"
    links = [units / path.name, units / "default.target.wants" / path.name]
    assert [link.readlink() for link in links] == [path, path]
    unit(tmp_path, path.name).apply()
    assert unit(tmp_path).is_enabled()


def test_unit_that_is_no_longer_listed_has_no_link(tmp_path: Path, configuration: Path) -> None:
    unit(tmp_path).enable()
    unit(tmp_path, "supervisord.conf").apply()
    assert [path for path in configuration.rglob("*") if not path.is_dir()] == []
    assert not unit(tmp_path).is_enabled()


def test_unit_of_another_folder_is_refused_and_stays(tmp_path: Path) -> None:
    unit(tmp_path / "first").enable()
    second = unit(tmp_path / "second", "meshlab-envoy-shop.service")
    with pytest.raises(PlatformRefused, match=r"meshlab-envoy-shop\.service is the unit of another"):
        second.check()
    second.disable()
    assert unit(tmp_path / "first").is_enabled()


def test_unit_file_of_the_user_is_refused_and_stays(tmp_path: Path, configuration: Path) -> None:
    own = configuration / "systemd" / "user" / boot_unit.unit_name("shop")
    own.parent.mkdir(parents=True)
    own.write_text("[Unit]\n")
    with pytest.raises(PlatformRefused):
        unit(tmp_path, own.name).check()
    unit(tmp_path).disable()
    assert own.read_text() == "[Unit]\n"


def test_link_that_cannot_be_created_is_an_error(tmp_path: Path, configuration: Path) -> None:
    configuration.write_text("a file, not a directory")
    with pytest.raises(PlatformFailed, match="the link cannot be created"):
        unit(tmp_path).enable()
