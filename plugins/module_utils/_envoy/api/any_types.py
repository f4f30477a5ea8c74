# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of messages that contain their own type (`@type`): missing and misspelt ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.api_types import (
    extension_types,
    field_named,
    is_message,
    packages,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.api.field_names import shown

TYPE_URL = "type.googleapis.com/"
# The ratio of difflib from which on a type is the meant one. Types of other builds of Envoy, such as contrib, are less alike.
NEAR = 0.94
SUGGESTED = 3


def type_name(url: Any) -> str:
    """Return the full name of the type in a type URL."""
    return str(url).rpartition("/")[2]


def missing_type(message: Mapping[str, Any], extension: str) -> str:
    """Return the problem of a message without `@type`, with the type that fits the name of its extension and its fields."""
    found = suggested_types(message, extension)
    if len(found) == 1:
        return f"'@type' is missing. Add '\"@type\": {TYPE_URL}{found[0]}'."
    if found:
        return f"'@type' is missing. Add one of these types: {', '.join(TYPE_URL + one for one in found)}."
    example = f'"@type": {TYPE_URL}envoy.extensions.filters.http.router.v3.Router'
    return f"'@type' is missing. Add the type of the extension, such as '{example}'."


def suggested_types(message: Mapping[str, Any], extension: str) -> list[str]:
    """Return the types that have all fields of a message, in the package that the name of its extension has.

    `envoy.filters.http.buffer` has the package `envoy.extensions.filters.http.buffer.v3`.
    """
    words = re.sub(r"^envoy\.", "", extension)
    last = words.rpartition(".")[2]
    candidates = [
        one
        for one in extension_types()
        if one.startswith("envoy.extensions.") and all(field_named(one, str(key)) for key in message)
    ]
    for part in (f".{words}.", f".{last}."):
        if words and (found := [one for one in candidates if part in one]):
            return found if len(found) <= SUGGESTED else []
    return []


def type_fault(url: Any) -> str:
    """Return the fault of an `@type`, or an empty string: also for a type that this collection does not know."""
    if not isinstance(url, str) or not url:
        return f"expected the URL of a type, got {shown(url)}. Write {TYPE_URL} and the name of the type."
    name = type_name(url)
    if "/" not in url:
        return f"{shown(url)} is no type URL. Write {TYPE_URL}{url}."
    if is_message(name) or not name.startswith("envoy."):
        return ""
    import difflib  # only here: it costs 2 ms, and most runs have no mistake

    package = name.rpartition(".")[0]
    if package in packages():
        near = difflib.get_close_matches(
            name, [one for one in extension_types() if one.startswith(f"{package}.")], 1, 0.6
        )
    else:
        near = difflib.get_close_matches(name, extension_types(), 1, NEAR)
    return f"unknown type '{name}'. Did you mean '{near[0]}'?" if near else ""
