# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of the docker command that a user has in a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def docker_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the user's settings and plugins."""
    return Path(
        environment.get("DOCKER_CONFIG")
        or Path(environment.get("HOME") or os.path.expanduser("~"), ".docker")
    )


def user_settings(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the content of the user's config.json, {} without this file. None: the file cannot be read."""
    try:
        data = json.loads((docker_folder(environment) / "config.json").read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
