# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The content of an author's configuration, as `config_reader` returns it."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import Span


@dataclass(frozen=True)
class ConfigFile:
    """One file of an author.

    Attributes:
        name: Its name in the deployment, such as `envoy.yaml`.
        source: Its path as the author wrote it, for messages.
        content: Its text, or the bytes of a file that is not text.
        path: Where Envoy reads it in a container. Empty: where the other files refer to it.
        sensitive: Whether the content is a secret.
    """

    name: str
    source: str
    content: str | bytes
    path: str = ""
    sensitive: bool = False

    @property
    def text(self) -> str:
        """The content of a file that is text."""
        return self.content if isinstance(self.content, str) else ""


@dataclass(frozen=True)
class HostUse:
    """An upstream address in a file: a `socket_address`, or the `target_uri` of a gRPC service.

    Attributes:
        file: Name of the file.
        host: Host name or IP address.
        port: Port number.
        host_span: Position of the host, or of the whole URI.
        port_span: Position of the port. None: it is part of the host's text.
        item: Position of the entry of `lb_endpoints` that contains the address. None: it is elsewhere.
        indent: Column of that entry's dash in block style. None: flow style.
        only_one: Whether Envoy accepts one endpoint only, as in a LOGICAL_DNS cluster.
        cluster: Name of the cluster that contains the address. Empty: it is elsewhere.
    """

    file: str
    host: str
    port: int
    host_span: Span
    port_span: Span | None
    item: Span | None = None
    indent: int | None = None
    only_one: bool = False
    cluster: str = ""


@dataclass(frozen=True)
class FileUse:
    """A path in a file that refers to another file of the author.

    Attributes:
        file: Name of the file that contains the path.
        path: The path.
        position: Position of the path.
        watched: Whether Envoy watches the file and applies its changes while it runs.
        by_directory: Whether Envoy watches a directory, which notices the replacement of a mounted ConfigMap.
        kind: `listeners` or `clusters` for the source of all listeners or clusters, else empty.
    """

    file: str
    path: str
    position: Span
    watched: bool
    by_directory: bool
    kind: str


@dataclass(frozen=True)
class AuthorListener:
    """A listener of the author. `encrypted` and `http` describe its first filter chain."""

    name: str
    address: str
    port: int
    udp: bool
    encrypted: bool
    http: bool
    file: str
    line: int


@dataclass(frozen=True)
class AuthorAdmin:
    """The admin interface of the author: a TCP port, or the Unix socket `pipe`, which can be abstract (`@name`)."""

    address: str
    port: int
    pipe: str
    line: int


@dataclass(frozen=True)
class AuthorConfig:
    """The content of an author's files. The first one is the bootstrap."""

    files: tuple[ConfigFile, ...]
    listeners: tuple[AuthorListener, ...]
    admin: AuthorAdmin | None
    hosts: tuple[HostUse, ...]
    file_uses: tuple[FileUse, ...]
    has_node_id: bool
    has_node_cluster: bool
    # The path in the image that contains the bootstrap. Empty: the files are mounted.
    in_image: str = ""

    @property
    def bootstrap(self) -> ConfigFile:
        """The file that Envoy starts with."""
        return self.files[0]

    def source(self, name: str) -> str:
        """Return the path of a file as the author wrote it."""
        return next(one.source for one in self.files if one.name == name)

    def uses_of(self, name: str) -> list[FileUse]:
        """Return the paths that refer to a file."""
        return [one for one in self.file_uses if posixpath.basename(one.path) == posixpath.basename(name)]
