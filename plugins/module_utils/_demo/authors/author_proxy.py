# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy whose configuration the author wrote (`config`): its files, and the topology that they state.

The listeners of the files become the listeners of the proxy, with the keys of generated ones. So ports, addresses and targets of
the demo need no case for such a proxy.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile, author_file
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.schema import LISTENER, PROXY, TLS
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.config_reader import (
    read_config,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorConfig,
    AuthorListener,
    ConfigFile,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import FileError

DEFAULT_NAME = "envoy.yaml"
ENVOY_HOME = "/etc/envoy"
KEYS = ("source", "content", "sensitive", "name", "path", "in_image")
# Keys of a proxy that become parts of a generated configuration.
GENERATED_KEYS = ("listeners", "clusters", "access_log", "statsd", "stats_config", "bootstrap")
# Names of ports that every proxy can have, and that a listener of the author cannot have in the demo.
RESERVED_PORTS = ("admin", "app")


def author_config(value: Any, file: str, where: str, source: DemoSource) -> AuthorConfig:
    """Return the configuration that the key `config` of a proxy describes.

    Args:
        value: A path or the text of a file, a mapping with the keys KEYS, or a list of these. The first file is the bootstrap.
        file: Name of the demo file.
        where: The key that holds `value`.
        source: Reads the files beside the demo file.

    Raises:
        DemoError: A file cannot be read, or Envoy could not read it.
    """
    entries = value if isinstance(value, (list, tuple)) else [value]
    if not entries:
        raise DemoError(file, f"{where}: empty. Add the path of the configuration, such as {DEFAULT_NAME}.")
    names = [where] if entries is not value else [f"{where}[{position}]" for position in range(len(entries))]
    files = [_file(entry, file, name, source) for entry, name in zip(entries, names)]
    for position, one in enumerate(files):
        if one.name in [other.name for other in files[:position]]:
            raise DemoError(
                file,
                f"{names[position]}: two files have the name '{one.name}'. Give one of them another 'name'.",
            )
    in_image = _text(entries[0], "in_image", file, names[0]) if isinstance(entries[0], Mapping) else ""
    try:
        return read_config(files, in_image)
    except FileError as error:
        raise DemoError(file, f"{where}: {str(error).rstrip('.')}.") from None


def add_author_topology(proxy: dict[str, Any], file: str, where: str) -> None:
    """Add the `files` of a proxy with `config` to its configuration, and the listeners of the configuration to the proxy.

    Raises:
        DemoError: A file is wrong, or `publish` names no listener.
    """
    if proxy["files"]:
        proxy["config"] = with_files(proxy["config"], proxy["files"], file, f"{where}.files")
        proxy["files"] = {}
    proxy["listeners"] = author_listeners(proxy["config"], proxy["publish"], file, where)


def with_files(config: AuthorConfig, files: Mapping[str, AuthorFile], file: str, where: str) -> AuthorConfig:
    """Return a configuration with the `files` of its proxy, whose paths are relative to /etc/envoy, the working directory.

    Raises:
        DemoError: Two files have the same name.
    """
    more = [
        ConfigFile(
            posixpath.basename(path),
            one.source or f"{where}.{path}",
            one.content,
            f"{ENVOY_HOME}/{path}",
            one.sensitive,
        )
        for path, one in files.items()
    ]
    names = [one.name for one in config.files]
    for one in more:
        if one.name in names:
            raise DemoError(file, f"{where}: two files have the name '{one.name}'. Rename one of them.")
        names.append(one.name)
    try:
        return read_config([*config.files, *more], config.in_image)
    except FileError as error:
        raise DemoError(file, f"{where}: {str(error).rstrip('.')}.") from None


def author_listeners(
    config: AuthorConfig, publish: Mapping[str, Any], file: str, where: str
) -> dict[str, Any]:
    """Return the listeners of a configuration by name, with the keys of the listeners of a demo.

    A listener without a name is `port-NUMBER`. A listener is published on its own port, unless `publish` has another one for
    its name, or null, or only its own network reaches its address.
    """
    found: dict[str, Any] = {}
    for listener in config.listeners:
        name = listener.name or f"port-{listener.port}"
        if name in (*RESERVED_PORTS, *found):
            name = f"{name}-{listener.port}"
        found[name] = _listener(listener, publish.get(name, listener.port))
    for name, port in publish.items():
        check_known(name, found, file, f"{where}.publish", "listener")
        if port is not None and not (isinstance(port, int) and 0 < port < 65536):
            raise DemoError(file, f"{where}.publish.{name}: expected a port, got '{port}'.")
    return found


def check_author_proxy(proxy: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if a proxy has keys that contradict its `config`, or keys that need one."""
    config: AuthorConfig | None = proxy["config"]
    if config is None:
        if proxy["publish"]:
            raise DemoError(
                file, f"{where}.publish: applies to 'config' only. Write 'publish' in each listener instead."
            )
        return
    for key in GENERATED_KEYS:
        if proxy[key] not in (None, PROXY.options[key].get("default")):
            raise DemoError(
                file,
                f"{where}.{key}: 'config' is the whole configuration. Move the setting to {config.bootstrap.source}, or remove"
                " 'config'.",
            )
    if (proxy["admin"] or {}).get("publish"):
        _check_published_admin(config, file, f"{where}.admin.publish")


def _check_published_admin(config: AuthorConfig, file: str, where: str) -> None:
    source, admin = config.bootstrap.source, config.admin
    if admin is None or admin.pipe:
        state = (
            "has no 'admin'" if admin is None else f"has its admin interface on the Unix socket {admin.pipe}"
        )
        raise DemoError(
            file,
            f"{where}: {source} {state}, so there is no port to publish. Remove the key, or set a socket_address there.",
        )
    if is_private(admin.address):
        raise DemoError(
            file,
            f"{where}: the admin interface in {source} listens on {admin.address}, which no published port reaches."
            " Remove the key: expectations read it there.",
        )


def is_private(address: str) -> bool:
    """Return whether only programs in the network of a proxy reach an address that it listens on."""
    return address.startswith("127.") or address == "::1"


def _listener(listener: AuthorListener, publish: int | None) -> dict[str, Any]:
    is_quic = listener.udp and listener.http
    kind = "routes" if listener.http else "udp_filters" if listener.udp else "filters"
    encrypted = {key: deepcopy(option.get("default")) for key, option in TLS.options.items()}
    return {
        **{key: deepcopy(option.get("default")) for key, option in LISTENER.options.items()},
        "port": listener.port,
        "publish": None if is_private(listener.address) else publish,
        "protocol": "http3" if is_quic else None,
        "tls": encrypted if is_quic or (listener.encrypted and not listener.udp) else None,
        kind: [],
        "bound_to": listener.address,
    }


def _file(entry: Any, file: str, where: str, source: DemoSource) -> ConfigFile:
    if isinstance(entry, str):
        entry = {"content" if "\n" in entry else "source": entry}
    if not isinstance(entry, Mapping):
        raise DemoError(file, f"{where}: expected a path, a text, or a mapping with 'source', got '{entry}'.")
    for key in entry:
        check_known(str(key), KEYS, file, where, "key of a configuration file")
    own = {key: value for key, value in entry.items() if key in ("source", "content", "sensitive")}
    read = author_file(own, file, where, source)
    name = _text(entry, "name", file, where) or posixpath.basename(read.source) or DEFAULT_NAME
    if posixpath.basename(name) != name or name in (".", ".."):
        raise DemoError(file, f"{where}.name: expected the name of a file without a folder, got '{name}'.")
    path = _text(entry, "path", file, where)
    return ConfigFile(name, read.source or f"{where} of {file}", read.content, path, read.sensitive)


def _text(entry: Mapping[str, Any], key: str, file: str, where: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or (key != "name" and not value.startswith("/")):
        expected = "text" if key == "name" else "an absolute path"
        raise DemoError(file, f"{where}.{key}: expected {expected}, got '{value}'.")
    return value
