# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names for the listeners of a watched file that have none."""

from __future__ import annotations

from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.nodes import (
    at,
    is_block,
    is_mapping,
    items,
    mapping_node,
    span,
    text_at,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.rewriting import (
    Edit,
    edited,
)


def with_listener_names(path: str, text: str) -> tuple[str, list[str]]:
    """Return a watched file in which each listener has a name, and a sentence about each added name.

    Envoy names a listener without a name at random, and rejects a watched file with two of them. All other text stays.

    Args:
        path: Path of the file, for the sentences.
        text: Content of the file.

    Raises:
        FileError: The text is not YAML.

    Example:
        >>> with_listener_names("lds.yaml", "resources: [{address: {socket_address: {port_value: 80}}}]")[0]
        'resources: [{"name": "port-80", address: {socket_address: {port_value: 80}}}]'
    """
    listeners = [
        one for one in items(at(mapping_node(path, text), "resources")) if is_mapping(one) and one.value
    ]
    names = {text_at(one, "name") for one in listeners}
    edits, notes = [], []
    for listener in listeners:
        if text_at(listener, "name") or at(listener, "name") is not None:
            continue
        name = _free_name(listener, names)
        names.add(name)
        start, line = span(listener).start, span(listener).line
        if is_block(listener):
            edits.append(Edit(start, start, f"name: {name}\n{' ' * listener.start_mark.column}"))
        else:
            edits.append(Edit(start + 1, start + 1, f'"name": "{name}", '))
        notes.append(
            f"{path} line {line}: a listener of a watched file needs a name, so it is deployed with the name {name!r}. Add 'name'."
        )
    return edited(text, edits), notes


def _free_name(listener: Any, taken: set[str]) -> str:
    address = at(listener, "address", "socket_address")
    protocol = "-udp" if text_at(address, "protocol").upper() == "UDP" else ""
    name = f"port-{text_at(address, 'port_value') or 'none'}{protocol}"
    number, free = 1, name
    while free in taken:
        number, free = number + 1, f"{name}-{number + 1}"
    return free
