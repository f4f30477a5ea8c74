# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executable of the compose plugin. It also runs alone, without the two processes by which the docker command finds it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = "docker-compose"
# The folders of the docker command, in its order, after the one of the user.
SYSTEM_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
# Keys of Docker's config.json that change which plugin the docker command runs, and how.
PLUGIN_KEYS = ("cliPluginsExtraDirs", "aliases", "plugins")
_ELF = b"\x7fELF"


def compose_program(
    environment: Mapping[str, str] | None = None, folders: Sequence[str] = SYSTEM_FOLDERS
) -> str:
    """Return the path of the plugin that `docker compose` runs. Empty: only the docker command finds it.

    A `docker` that is a script, such as Podman's, and a plugin that is one can do anything else.

    Args:
        environment: The environment of the docker command; that of this process by default.
        folders: The folders of plugins that all users share.
    """
    environment = os.environ if environment is None else environment
    docker = shutil.which("docker", path=environment.get("PATH"))
    if not docker or os.path.basename(os.path.realpath(docker)) != "docker" or not _is_binary(Path(docker)):
        return ""
    user_folder = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or "/", ".docker"))
    if not _has_default_plugins(user_folder / "config.json"):
        return ""
    for folder in (user_folder / "cli-plugins", *map(Path, folders)):
        plugin = folder / NAME
        if os.path.lexists(plugin):
            return str(plugin) if _is_binary(plugin) and os.access(plugin, os.X_OK) else ""
    return ""


def _has_default_plugins(config: Path) -> bool:
    try:
        data = json.loads(config.read_bytes())
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and not any(data.get(key) for key in PLUGIN_KEYS)


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False
