# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports of this collection's shared code with Python's byte-code cache.

Ansible's loader of collections compiles each imported file in each process, which took a third of a second of CPU in a playbook
that deploys a demo. Ansible loads the plugins themselves with Python's loader, which reads and writes `__pycache__`. Within
`cached_imports`, the modules that plugins share are loaded in the same way. Where the cache cannot be written, they are compiled as before.

A plugin imports its modules within `plugin_imports`, which also keeps the garbage collector away from them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

# meta/runtime.yml redirects nothing in these packages, which is a task of Ansible's loader only.
_PLUGINS = __name__.rpartition(".plugin_utils.")[0]
_SHARED = (f"{_PLUGINS}.module_utils.", f"{_PLUGINS}.plugin_utils.")
_ANSIBLE_FINDER = "_AnsibleCollectionFinder"


class _SourceFinder:
    """A finder of the standard import system that finds only the shared modules of this collection."""

    def __init__(self) -> None:
        self._folders: dict[str, FileFinder] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a shared module; None for everything else, which Ansible's finder finds."""
        if not fullname.startswith(_SHARED):
            return None
        for folder in path or ():
            if folder not in self._folders:
                self._folders[folder] = FileFinder(folder, (SourceFileLoader, [".py"]))
            found = self._folders[folder].find_spec(fullname, target)
            if found is not None and found.loader is not None:
                return found
        return None


_finder = _SourceFinder()


@contextmanager
def cached_imports() -> Iterator[None]:
    """Import shared modules of this collection from byte code while the context is open.

    The context changes `sys.meta_path`, and undoes the change. Without Ansible's finder, Python caches the modules anyway.
    """
    names = [type(one).__name__ for one in sys.meta_path]
    if _finder in sys.meta_path or _ANSIBLE_FINDER not in names:
        yield
        return
    sys.meta_path.insert(names.index(_ANSIBLE_FINDER), _finder)
    try:
        yield
    finally:
        sys.meta_path.remove(_finder)


@contextmanager
def plugin_imports() -> Iterator[None]:
    """Import what a plugin needs while Ansible loads it, with `cached_imports` and without the garbage collector.

    Modules live as long as their process. Each search for garbage among them was in vain, and took a third of the time of the
    imports and 0.17 s at the end of a playbook. Ansible forks a process for each task, where a search would also copy the memory
    of the parent. The documentation of `gc.freeze` recommends this for a process that forks.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with cached_imports():
            yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()
