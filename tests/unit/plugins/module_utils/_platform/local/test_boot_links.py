# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Test the links that enable a systemd unit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployer import (
    PlatformFailed,
    PlatformRefused,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local import boot_unit
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.local.boot_links import BootLinks


@pytest.fixture(autouse=True)
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def links(folder: Path, *files: str) -> BootLinks:
    return BootLinks("shop", folder, files)


def test_listed_unit_is_linked_twice(tmp_path: Path, configuration: Path) -> None:
    path = tmp_path / "meshlab-envoy-shop.service"
    links(tmp_path, path.name).apply()
    units = configuration / "systemd" / "user"
    paths = [units / path.name, units / "default.target.wants" / path.name]
    assert [link.readlink() for link in paths] == [path, path]
    links(tmp_path, path.name).apply()
    assert links(tmp_path).is_enabled()


def test_unit_that_is_no_longer_listed_has_no_link(tmp_path: Path, configuration: Path) -> None:
    links(tmp_path).enable()
    links(tmp_path, "supervisord.conf").apply()
    assert [path for path in configuration.rglob("*") if not path.is_dir()] == []
    assert not links(tmp_path).is_enabled()


def test_unit_of_another_folder_is_refused_and_stays(tmp_path: Path) -> None:
    links(tmp_path / "first").enable()
    second = links(tmp_path / "second", "meshlab-envoy-shop.service")
    with pytest.raises(PlatformRefused, match=r"meshlab-envoy-shop\.service is the unit of another"):
        second.check()
    second.disable()
    assert links(tmp_path / "first").is_enabled()


def test_unit_file_of_the_user_is_refused_and_stays(tmp_path: Path, configuration: Path) -> None:
    own = configuration / "systemd" / "user" / boot_unit.unit_name("shop")
    own.parent.mkdir(parents=True)
    own.write_text("[Unit]\n")
    with pytest.raises(PlatformRefused):
        links(tmp_path, own.name).check()
    links(tmp_path).disable()
    assert own.read_text() == "[Unit]\n"


def test_link_that_cannot_be_created_is_an_error(tmp_path: Path, configuration: Path) -> None:
    configuration.write_text("a file, not a directory")
    with pytest.raises(PlatformFailed, match="the link cannot be created"):
        links(tmp_path).enable()
