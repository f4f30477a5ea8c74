# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of an Envoy whose configuration the author wrote: the copies that it reads, and the copy that is validated."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import (
    NamedPort,
    author_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import candidate
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorConfig,
    ConfigFile,
    FileUse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import FileError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.rewriting import (
    Edit,
    edited,
    host_edits,
    path_edit,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.envoys.author_files_layout import (
    AuthorFilesLayout,
    is_at,
    layout_files,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.generated_files import File
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import netloc
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform


@dataclass(frozen=True)
class AuthorFiles:
    """The files of one Envoy, and what its author should know.

    Attributes:
        layout: The places of the files.
        files: The copies that Envoy reads.
        config_path: The path of the bootstrap for the option --config-path.
        candidate: The text that Envoy validates.
        replacements: Each replaced address or path: the place in the author's file, and both texts.
        warnings: Facts about the files that the author should know.
    """

    layout: AuthorFilesLayout
    files: list[File]
    config_path: str
    candidate: str
    replacements: list[str]
    warnings: list[str]


def author_files(proxy: Proxy, platform: Platform) -> AuthorFiles:
    """Return the files of a proxy with `config`.

    Raises:
        DemoError: The configuration refers to a port that the demo does not have, or to a file that cannot be deployed.
    """
    config: AuthorConfig = proxy.spec["config"]
    layout = layout_files(config, proxy.name)
    copies = _Copies(config, layout, proxy, platform)
    live = {file.name: copies.live(file) for file in config.files}
    is_sensitive = proxy.spec["sensitive"]
    # All watched files are sensitive if one is: a platform can keep the watched files of a proxy in one object.
    is_live_sensitive = is_sensitive or any(file.sensitive and live[file.name] for file in config.files)
    files = [
        _file(
            layout.deployed(path),
            copies.deployed(file),
            live[file.name],
            is_live_sensitive if live[file.name] else is_sensitive or file.sensitive,
            file.source,
            proxy,
            platform,
        )
        for file in config.files
        for path in layout.paths[file.name]
        if not (config.in_image and platform.runs_images and file is config.bootstrap)
    ]
    return AuthorFiles(
        layout=layout,
        files=files,
        config_path=copies.path(layout.paths[config.bootstrap.name][0]),
        candidate=copies.candidate(),
        replacements=copies.replacements,
        warnings=[*_exposed_admin(proxy), *copies.warnings],
    )


def _file(
    path: str,
    content: str | bytes,
    live: str | None,
    sensitive: bool,
    source: str,
    proxy: Proxy,
    platform: Platform,
) -> File:
    mode = platform.key_mode if sensitive else "0644"
    return File(path, content, mode, live, proxy.host, sensitive, source)


class _Copies:
    """The copies of the files of one proxy."""

    def __init__(
        self, config: AuthorConfig, layout: AuthorFilesLayout, proxy: Proxy, platform: Platform
    ) -> None:
        self._config, self._layout, self._proxy, self._platform = config, layout, proxy, platform
        self._targets = list(author_targets(platform.demo, proxy.group))
        self.replacements: list[str] = []
        self.warnings: list[str] = []

    def path(self, path: str) -> str:
        """Return the path by which Envoy opens a file that it reads at `path` in a container."""
        return path if self._platform.runs_images else self._relative(path)

    def _relative(self, path: str) -> str:
        """Return the path of a file relative to the working directory, in the deployment folder."""
        relative = posixpath.relpath(self._layout.deployed(path), self._layout.working_directory)
        # Envoy cannot watch a path without a directory (observed with 1.40).
        return relative if "/" in relative else f"./{relative}"

    def deployed(self, file: ConfigFile) -> str | bytes:
        """Return the content of the copy that Envoy reads, and record each replacement."""
        if not isinstance(file.content, str):
            return file.content
        edits = [edit for target in self._targets for edit in self._host_edits(file, target)]
        for use, path in self._uses(file):
            new = self.path(path)
            if not self._platform.runs_images and use.path != new:
                self._record(file, use.position.line, use.path, new)
                edits.append(path_edit(use, new))
        return edited(file.content, edits)

    def live(self, file: ConfigFile) -> str | None:
        """Return the name of the proxy if its Envoy applies a change of the file while it runs."""
        watched = [use for use in self._config.uses_of(file.name) if use.watched]
        if file is self._config.bootstrap or not watched:
            return None
        if self._platform.watches_directory and not all(use.by_directory for use in watched):
            use = watched[0]
            self.warnings.append(
                f"{self._config.source(use.file)} line {use.position.line}: Envoy does not notice a change of {use.path} in a mounted"
                " ConfigMap, so a change restarts its pods. Add 'watched_directory: {path:"
                f" {posixpath.dirname(use.path)}}}' beside 'path'."
            )
            return None
        return self._proxy.name

    def candidate(self) -> str:
        """Return the bootstrap, with the listeners and clusters of watched files, and with paths relative to the working directory."""
        texts = {
            one.name: edited(
                one.text, [path_edit(use, self._relative(path)) for use, path in self._uses(one)]
            )
            for one in self._config.files
        }
        kinds = {use.kind: self._name_at(use) for use in self._config.file_uses if use.kind}
        bootstrap = self._config.bootstrap.name
        if not kinds:
            return texts[bootstrap]
        try:
            return candidate({"name": self._proxy.name, "bootstrap": bootstrap, **kinds}, texts)
        except FileError as error:
            raise DemoError(self._config.bootstrap.source, f"{str(error).rstrip('.')}.") from None

    def _uses(self, file: ConfigFile) -> Iterator[tuple[FileUse, str]]:
        """Yield each path of a file that refers to another file, with that file's path in a container."""
        for use in self._config.file_uses:
            if use.file != file.name:
                continue
            for path in self._layout.paths[self._name_at(use)]:
                if is_at(use, path):
                    yield use, path

    def _name_at(self, use: FileUse) -> str:
        return next(one.name for one in self._config.files if one.name == posixpath.basename(use.path))

    def _host_edits(self, file: ConfigFile, target: NamedPort) -> Sequence[Edit]:
        if target.use.file != file.name:
            return ()
        addresses = self._platform.author_addresses(target, self._proxy)
        if addresses is None:
            return ()
        if not addresses:
            raise DemoError(
                self._platform.demo["file"],
                f"services.{target.group}: has no replicas, but {self._config.source(file.name)} line"
                f" {target.use.host_span.line} refers to it. Give it at least one.",
            )
        old, line = netloc(target.use.host, target.use.port), target.use.host_span.line
        used = addresses[:1] if target.use.only_one or target.use.item is None else addresses
        self._record(file, line, old, ", ".join(_netloc(one) for one in used))
        return host_edits(file.text, target.use, addresses)

    def _record(self, file: ConfigFile, line: int, old: str, new: str) -> None:
        self.replacements.append(
            f"{file.source} line {line}: {old} is {new} in the copy for {self._proxy.name}"
        )


def _netloc(address: Address) -> str:
    return netloc(*address)


def _exposed_admin(proxy: Proxy) -> Iterator[str]:
    config: AuthorConfig = proxy.spec["config"]
    admin = config.admin
    if admin and admin.address in ("0.0.0.0", "::"):
        yield (
            f"{config.bootstrap.source} line {admin.line}: the admin interface listens on {admin.address}:{admin.port}. It has no"
            f" authentication, and everyone who reaches it can stop {proxy.name}. Use 'address: 127.0.0.1', or a Unix socket."
        )
