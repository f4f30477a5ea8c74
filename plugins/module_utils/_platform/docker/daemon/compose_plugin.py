# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The executable of the compose plugin. It also runs alone, without the two processes by which the docker command finds it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._platform.docker.daemon.user_settings import (
    docker_folder,
    user_settings,
)

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
    settings = user_settings(environment)
    if settings is None or any(settings.get(key) for key in PLUGIN_KEYS):
        return ""
    for folder in (docker_folder(environment) / "cli-plugins", *map(Path, folders)):
        plugin = folder / NAME
        if os.path.lexists(plugin):
            return str(plugin) if _is_binary(plugin) and os.access(plugin, os.X_OK) else ""
    return ""


def _is_binary(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False
