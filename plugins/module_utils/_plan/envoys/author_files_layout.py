# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the files of an author's configuration are: in the deployment folder, and where Envoy reads them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_proxy import ENVOY_HOME
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorConfig,
    FileUse,
)

FOLDER = "config"
# Directories whose content an image needs.
SYSTEM_DIRECTORIES = (
    *(
        "/",
        "/bin",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/sys",
        "/usr",
        "/var",
    ),
    "/tmp",  # noqa: S108  (in the container)
)


@dataclass(frozen=True)
class AuthorFilesLayout:
    """The places of the files of one proxy.

    Attributes:
        paths: The absolute paths at which Envoy reads each file in a container, by name of the file.
        folders: The folder of the deployment folder that a container sees at each directory, by directory.
    """

    paths: Mapping[str, tuple[str, ...]]
    folders: Mapping[str, str]

    def deployed(self, path: str) -> str:
        """Return the path in the deployment folder of a file that Envoy reads at `path` in a container."""
        root = next(one for one in self.folders if path.startswith(f"{one}/"))
        return f"{self.folders[root]}/{path.removeprefix(f'{root}/')}"

    @property
    def working_directory(self) -> str:
        """The folder that relative paths in the files are relative to."""
        return self.folders[ENVOY_HOME]


def layout_files(config: AuthorConfig, proxy: str) -> AuthorFilesLayout:
    """Return the places of the files of the proxy named `proxy`.

    The bootstrap is in /etc/envoy, the working directory. Any other file is where the files refer to it.

    Raises:
        DemoError: No file refers to a file, or its directory cannot be mounted.
    """
    bootstrap = config.bootstrap
    paths: dict[str, tuple[str, ...]] = {
        bootstrap.name: (bootstrap.path or config.in_image or f"{ENVOY_HOME}/{bootstrap.name}",)
    }
    for file in config.files[1:]:
        used = [file.path] if file.path else [one.path for one in config.uses_of(file.name)]
        if not used:
            raise DemoError(
                file.source,
                f"no path in {bootstrap.source} ends with '{file.name}', so Envoy never reads the file."
                " Correct the path or 'name', or set 'path'.",
            )
        paths[file.name] = tuple(dict.fromkeys(absolute(one) for one in used))
    roots = [ENVOY_HOME]
    for path in sorted(path for all_paths in paths.values() for path in all_paths):
        directory = posixpath.dirname(path)
        if directory in SYSTEM_DIRECTORIES or directory.startswith(("/usr/", "/dev/", "/proc/", "/sys/")):
            raise DemoError(
                bootstrap.source,
                f"the path {path} is directly in {directory}, which the image needs. Put the file into a folder of its own.",
            )
        if not any(directory == root or directory.startswith(f"{root}/") for root in roots):
            roots.append(directory)
    folders = {root: f"{proxy}/{FOLDER}{f'-{number}' if number else ''}" for number, root in enumerate(roots)}
    return AuthorFilesLayout(paths, folders)


def absolute(path: str) -> str:
    """Return the path in a container of a path in the files, which can be relative to the working directory."""
    return posixpath.normpath(posixpath.join(ENVOY_HOME, path))


def is_at(use: FileUse, path: str) -> bool:
    """Return whether a path in a file refers to `path`."""
    return absolute(use.path) == path
