# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folders of the user that runs this process (XDG Base Directory Specification), and paths from them."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder(variable: str, default: str) -> Path:
    """Return the folder that an environment variable names, or `default` in the home directory. A relative path is ignored.

    Example: `user_folder("XDG_CACHE_HOME", ".cache")`.
    """
    folder = os.environ.get(variable) or ""
    return Path(folder) if os.path.isabs(folder) else Path.home() / default


def expanded_path(text: str) -> str:
    """Return a path with the values of environment variables, and of HOME for `~`, as Ansible's option type `path` expands it."""
    return os.path.expanduser(os.path.expandvars(text))
