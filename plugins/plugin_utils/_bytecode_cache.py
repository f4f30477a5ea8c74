# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the compiled code of this collection's Python between playbooks. An import of this module installs the cache.

Ansible compiles the code of a collection in each process that imports it. Three hundred files take as much CPU as the work of an unchanged
deployment. Python's own loader reads the compiled code from a folder in ANSIBLE_HOME, and compiles a file again when its size or its time
of modification changes. The folder is not `__pycache__` beside the source, which `ansible-galaxy collection verify` would report.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from ansible import constants

COLLECTION = "ansible_collections.meshlab.envoy.plugins"
CACHED = (f"{COLLECTION}.module_utils.", f"{COLLECTION}.plugin_utils.")


class CachedLoader(SourceFileLoader):
    """Python's loader of source files, with the compiled code in another folder."""

    folder = ""

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code of a module, from the cache if its source is unchanged."""
        if sys.pycache_prefix or not self.folder:
            return super().get_code(fullname)
        sys.pycache_prefix = self.folder
        try:
            return super().get_code(fullname)
        finally:
            sys.pycache_prefix = None


class CachedFinder:
    """Finds the modules below the packages in CACHED. Ansible's finder finds all others."""

    def __init__(self, folder: str) -> None:
        self.loader = type("CachedLoader", (CachedLoader,), {"folder": folder})

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module, or None if another finder has to find it."""
        if not fullname.startswith(CACHED):
            return None
        for one in path or ():
            spec = FileFinder(one, (self.loader, SOURCE_SUFFIXES)).find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def private_folder(folder: Path) -> str:
    """Return the path of a folder to which only this user can write, and create it. Empty: it is not such a folder."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return ""
    is_private = (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
    return str(folder) if is_private else ""


def install(folder: Path) -> None:
    """Use a folder for the compiled code, unless Python must not write any or has a folder already."""
    if sys.dont_write_bytecode or sys.pycache_prefix:
        return
    if any(type(one).__name__ == CachedFinder.__name__ for one in sys.meta_path):
        return
    if path := private_folder(folder):
        sys.meta_path.insert(0, CachedFinder(path))


install(Path(constants.config.get_config_value("ANSIBLE_HOME")) / "meshlab.envoy" / "bytecode")
