# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executable of the compose plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.compose_plugin import (
    NAME,
    compose_program,
)

BINARY, SCRIPT = b"\x7fELF...", b"#!/bin/sh\n"


def program(path: Path, content: bytes = BINARY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def found(folder: Path, docker: str = "docker", content: bytes = BINARY, config: Any = None) -> str:
    """Return the plugin of a host with a docker command in `folder`, and with two folders of plugins."""
    program(folder / "bin" / docker, content)
    if docker != "docker":
        (folder / "bin" / "docker").symlink_to(folder / "bin" / docker)
    if config is not None:
        (folder / ".docker").mkdir(exist_ok=True)
        (folder / ".docker" / "config.json").write_text(json.dumps(config))
    environment = {"PATH": str(folder / "bin"), "HOME": str(folder)}
    return compose_program(environment, (str(folder / "first"), str(folder / "second")))


def test_first_folder_with_a_plugin_counts(tmp_path: Path) -> None:
    assert found(tmp_path) == ""
    second = program(tmp_path / "second" / NAME)
    assert found(tmp_path) == str(second)
    first = program(tmp_path / "first" / NAME)
    assert found(tmp_path) == str(first)
    own = program(tmp_path / ".docker" / "cli-plugins" / NAME)
    assert found(tmp_path, config={"auths": {}}) == str(own)


@pytest.mark.parametrize("key", ["cliPluginsExtraDirs", "aliases", "plugins"])
def test_settings_of_plugins_are_left_to_docker(tmp_path: Path, key: str) -> None:
    program(tmp_path / "first" / NAME)
    assert found(tmp_path, config={key: {"x": "y"}}) == ""


def test_script_as_docker_or_as_plugin_is_left_to_docker(tmp_path: Path) -> None:
    program(tmp_path / "first" / NAME, SCRIPT)
    program(tmp_path / "second" / NAME)
    assert found(tmp_path) == ""
    program(tmp_path / "first" / NAME)
    assert found(tmp_path, content=SCRIPT) == ""


def test_link_to_podman_is_left_to_docker(tmp_path: Path) -> None:
    program(tmp_path / "first" / NAME)
    assert found(tmp_path, docker="podman") == ""
