# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placeholders such as `${edge/http}` in the texts of a demo: their names, their values and their checks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

# Shell variables and `${env:X}` do not match; `$${edge/http}` escapes the text `${edge/http}`.
# A name of the collection, or the name of a group and that of a listener, which follows Envoy's rules (_demo/names.py).
_PLACEHOLDER = re.compile(r"\$(\$?)\{([a-z0-9][a-z0-9_.-]*(?:/[\x21-\x7a|~]+)?)\}")
_PART = re.compile(r"\.(host|port)$")


def placeholder_names(text: str) -> list[str]:
    """Return the names of the placeholders in `text`, in order."""
    return [found[2] for found in _PLACEHOLDER.finditer(text) if not found[1]]


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the value of each placeholder in its position."""
    return _PLACEHOLDER.sub(lambda found: found[0][1:] if found[1] else values[found[2]], text)


def address_name(name: str) -> str:
    """Return the address that a placeholder refers to: `edge/http` for `edge/http.port`."""
    return _PART.sub("", name)


def address_values(name: str, scheme: str, netloc: str, host: str, port: int | str) -> dict[str, str]:
    """Return the placeholders of one address, with their values."""
    return {name: f"{scheme}://{netloc}", f"{name}.host": host, f"{name}.port": str(port)}


def check_placeholders(
    text: str, addresses: Collection[str], further: Collection[str], file: str, where: str
) -> None:
    """Raise DemoError for a placeholder that refers neither to one of `addresses` nor to one of `further`."""
    for name in placeholder_names(text):
        if address_name(name) not in addresses and name not in further:
            raise DemoError(
                file,
                f"{where}: unknown placeholder '${{{name}}}'. Use one of: {', '.join([*further, *addresses])};"
                f" or write $${{{name}}} for that text itself.",
            )
