# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an author's configuration contains: its listeners, its admin interface, the hosts and the files that it refers to."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, which reads no configuration
    yaml = None  # type: ignore[assignment]

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.candidate import (
    LISTENER,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorAdmin,
    AuthorConfig,
    AuthorListener,
    ConfigFile,
    FileUse,
    HostUse,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.named_clusters import (
    check_named_clusters,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import (
    FileError,
    Span,
    at,
    column,
    fields,
    is_block,
    is_mapping,
    is_scalar,
    items,
    mapping_node,
    parsed,
    span,
    text_at,
    walk,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.secret_values import secret_values

HTTP_MANAGER = "http_connection_manager"
YAML_ENDINGS = (".yaml", ".yml", ".json")


def read_config(files: Sequence[ConfigFile], in_image: str = "") -> AuthorConfig:
    """Return the content of an author's files.

    Args:
        files: The files, the bootstrap first.
        in_image: Path of the bootstrap in an image that contains it.

    Raises:
        FileError: A file is not YAML, no file refers to it, or a listener has no fixed port.

    Example:
        >>> text = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}"
        >>> read_config([ConfigFile("envoy.yaml", "envoy.yaml", text)]).admin
        AuthorAdmin(address='127.0.0.1', port=9901, pipe='', line=1)
    """
    roots = {one.name: mapping_node(one.source, one.text) for one in files if _is_yaml(one)}
    if files[0].name not in roots:
        raise FileError(
            files[0].source, "Envoy reads the format of a file from its ending. Use .yaml or .json"
        )
    files = [
        replace(one, sensitive=True) if one.name in roots and _has_secrets(one) else one for one in files
    ]
    bootstrap = roots[files[0].name]
    names = {posixpath.basename(one.name) for one in files[1:]}
    check_named_clusters(
        files[0].source,
        {one.source: one.text for one in files if one.name in roots},
        has_other_clusters=_watches_other_clusters(bootstrap, names),
    )
    listeners = [
        _listener(node, name, _source(files, name))
        for name, root in roots.items()
        for node in _resources(root, name == files[0].name, "listeners", LISTENER)
        if at(node, "address", "socket_address")
    ]
    binds = {id(one) for root in roots.values() for one in _bind_addresses(root)}
    return AuthorConfig(
        files=tuple(files),
        listeners=tuple(listeners),
        admin=_admin(bootstrap, files[0].source),
        hosts=tuple(use for name, root in roots.items() for use in _hosts(name, root, binds)),
        file_uses=tuple(use for name, root in roots.items() for use in _file_uses(name, root, names)),
        has_node_id=bool(text_at(bootstrap, "node", "id")),
        has_node_cluster=bool(text_at(bootstrap, "node", "cluster")),
        in_image=in_image,
    )


def _watches_other_clusters(bootstrap: Any, names: set[str]) -> bool:
    """Return whether Envoy watches a file of clusters that is not one of the author's files."""
    source = at(bootstrap, "dynamic_resources", "cds_config")
    path = text_at(source, "path_config_source", "path") or text_at(source, "path")
    return bool(path) and posixpath.basename(path) not in names


def _is_yaml(file: ConfigFile) -> bool:
    return isinstance(file.content, str) and file.name.endswith(YAML_ENDINGS)


def _has_secrets(file: ConfigFile) -> bool:
    data = parsed(file.source, file.text, lambda: yaml.safe_load(file.text))
    return bool(secret_values(data))


def _source(files: Sequence[ConfigFile], name: str) -> str:
    return next(one.source for one in files if one.name == name)


def _resources(root: Any, is_bootstrap: bool, kind: str, type_url: str) -> list[Any]:
    """Return the listeners or clusters of a bootstrap, or of a watched file."""
    if is_bootstrap:
        return items(at(root, "static_resources", kind))
    return [one for one in items(at(root, "resources")) if text_at(one, "@type") == type_url]


def _listener(node: Any, file: str, source: str) -> AuthorListener:
    address = at(node, "address", "socket_address")
    line = span(address).line
    port = text_at(address, "port_value")
    if not port.isdecimal() or port == "0":
        raise FileError(
            source,
            f"a listener has {'port_value: ' + port if port else 'no port_value'}, so its port is unknown before it runs."
            " Give it a fixed port",
            line,
        )
    chains = items(at(node, "filter_chains")) or items(at(node, "default_filter_chain"))
    filters = items(at(chains[0], "filters")) if chains else []
    types = [text_at(one, "typed_config", "@type") for one in filters]
    return AuthorListener(
        name=text_at(node, "name"),
        address=text_at(address, "address"),
        port=int(port),
        udp=text_at(address, "protocol").upper() == "UDP",
        encrypted="tls" in text_at(chains[0], "transport_socket", "typed_config", "@type").lower()
        if chains
        else False,
        http=any(HTTP_MANAGER in one for one in types),
        file=file,
        line=line,
    )


def _admin(bootstrap: Any, source: str) -> AuthorAdmin | None:
    address = at(bootstrap, "admin", "address")
    if not is_mapping(address):
        return None
    line = span(address).line
    if pipe := text_at(address, "pipe", "path"):
        return AuthorAdmin("", 0, pipe, line)
    port = text_at(address, "socket_address", "port_value")
    if not port.isdecimal() or port == "0":
        raise FileError(source, "the admin interface has no fixed port. Set port_value", line)
    return AuthorAdmin(text_at(address, "socket_address", "address"), int(port), "", line)


def _bind_addresses(root: Any) -> Iterator[Any]:
    """Yield the addresses that Envoy listens on, which are not upstream addresses."""
    yield at(root, "admin", "address", "socket_address")
    for listener in [*items(at(root, "static_resources", "listeners")), *items(at(root, "resources"))]:
        yield at(listener, "address", "socket_address")
        for more in items(at(listener, "additional_addresses")):
            yield at(more, "address", "socket_address")


def _hosts(file: str, root: Any, binds: set[int]) -> Iterator[HostUse]:
    for node, above in walk(root):
        known = fields(node)
        address = known.get("socket_address")
        if is_mapping(address) and id(address) not in binds:
            host, port = at(address, "address"), at(address, "port_value")
            if is_scalar(host) and is_scalar(port) and str(port.value).isdecimal():
                yield HostUse(
                    file, str(host.value), int(port.value), span(host), span(port), *_item((node, *above))
                )
        target = text_at(node, "target_uri")
        host_name, colon, number = target.rpartition(":")
        if colon and number.isdecimal() and "/" not in host_name:
            yield HostUse(file, host_name, int(number), span(known["target_uri"]), None)


def _item(above: tuple[Any, ...]) -> tuple[Span | None, int | None, bool, str]:
    """Return the fields `item`, `indent`, `only_one` and `cluster` of an address that the nodes `above` contain."""
    for position, node in enumerate(above[:-1]):
        parent: Any = above[position + 1]
        holder = above[position + 2] if position + 2 < len(above) else None
        if fields(holder).get("lb_endpoints") is parent:
            cluster = next((one for one in above[position:] if "load_assignment" in fields(one)), None)
            only_one = text_at(cluster, "type").upper() == "LOGICAL_DNS"
            indent = column(parent) if is_block(parent) else None
            return span(node), indent, only_one, text_at(cluster, "name")
    return None, None, False, ""


def _file_uses(file: str, root: Any, names: set[str]) -> Iterator[FileUse]:
    sources = {"lds_config": "listeners", "cds_config": "clusters"}
    kinds = {id(at(root, "dynamic_resources", key)): kind for key, kind in sources.items()}
    for node, above in walk(root):
        if not is_scalar(node) or posixpath.basename(str(node.value)) not in names:
            continue
        parent = above[0] if above else None
        in_source = fields(parent).get("path") is node and len(above) > 1
        watched = in_source and (fields(above[1]).get("path_config_source") is parent or id(parent) in kinds)
        yield FileUse(
            file,
            str(node.value),
            span(node),
            watched=watched,
            by_directory=watched and at(parent, "watched_directory") is not None,
            kind=next((kinds[id(one)] for one in above[:2] if id(one) in kinds), ""),
        )
