# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Unix sockets of programs outside the demo: the sockets that a proxy connects to, and their mounts in its container."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.any_message import UNIX
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.nested_messages import messages_in
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.reachability.socket_layout import (
    SOCKETS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.workload import Mount

# Directories of many programs, of which a container gets only the socket itself. It keeps the socket of a program that restarts
# only if it gets the directory.
SHARED_DIRECTORIES = ("/", "/etc", "/home", "/root", "/run", "/tmp", "/var", "/var/lib", "/var/run")  # noqa: S108
# Directories that a container has itself.
OWN_DIRECTORIES = (SOCKETS, "/etc/envoy")


def outside_sockets(proxy: Proxy) -> Iterator[tuple[str, str]]:
    """Yield (key of the demo, path) of each Unix socket outside its own directories that a proxy connects to.

    The path of an abstract socket begins with `@`.
    """
    for name, cluster in proxy.spec["clusters"].items():
        where = f"{proxy.key}.clusters.{name}"
        if (cluster["address"] or "").startswith(UNIX):
            yield from _outside(f"{where}.address", cluster["address"].removeprefix(UNIX))
        for key, path in _pipes(cluster["cluster"], f"{where}.cluster"):
            yield from _outside(key, path)
    static = (proxy.spec["bootstrap"].get("static_resources") or {}).get("clusters")
    for key, path in _pipes(static, f"{proxy.key}.bootstrap.static_resources.clusters"):
        yield from _outside(key, path)


def socket_mounts(proxy: Proxy) -> tuple[Mount, ...]:
    """Return the mounts by which the container of a proxy has the Unix sockets of the host that it connects to."""
    paths = (path for _key, path in outside_sockets(proxy) if path.startswith("/"))
    folders = {path: posixpath.dirname(path) for path in paths}
    sources = [path if folder in SHARED_DIRECTORIES else folder for path, folder in folders.items()]
    return tuple(Mount(source, source) for source in dict.fromkeys(sources))


def check_no_outside_sockets(proxy: Proxy, file: str, remedy: str) -> None:
    """Raise DemoError if a proxy connects to a Unix socket of its host, which its container cannot have."""
    for key, path in outside_sockets(proxy):
        if not (path.startswith("@") and proxy.kind == "sidecar"):
            raise DemoError(
                file, f"{key}: '{path}' is a Unix socket outside the pod of {proxy.name}. {remedy}"
            )


def _outside(key: str, path: str) -> Iterator[tuple[str, str]]:
    if path.startswith("@") or (
        path.startswith("/") and not path.startswith(tuple(f"{one}/" for one in OWN_DIRECTORIES))
    ):
        yield key, path


def _pipes(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield (key, path) of each config.core.v3.Pipe below an author's fields."""
    for path, message in messages_in(value, where):
        pipe = message.get("pipe")
        if isinstance(pipe, Mapping) and isinstance(pipe.get("path"), str):
            yield f"{path}.pipe.path", pipe["path"]
