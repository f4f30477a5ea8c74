# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages in a message, at any depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def messages_in(value: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (path, message) of each mapping in a value, the value itself included.

    A path has the form of the paths in errors. `path` is that of the value.

    Example:
        >>> list(messages_in({"hosts": [{"port": 1}]}, "cluster"))
        [('cluster', {'hosts': [{'port': 1}]}), ('cluster.hosts[0]', {'port': 1})]
    """
    if isinstance(value, Mapping):
        yield path, value
        for key, one in value.items():
            yield from messages_in(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for position, one in enumerate(value):
            yield from messages_in(one, f"{path}[{position}]")
