# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The texts of a demo: the placeholders of proxies, and the texts in which no placeholder is available."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import AuthorFile
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.placeholders import fill, placeholder_names

# The directory of the proxy's files, and a directory that it can write to.
FILES, DATA = "files", "data"
PROXY_PLACEHOLDERS = (FILES, DATA)
# The keys of a service, and of a demo, whose texts can contain placeholders. Others check these.
_FILLED_BELOW_SERVICE = ("server", "sidecar")
_FILLED_IN_SERVER = ("command", "environment", "files")
_FILLED_IN_DEMO = ("notes", "proxies", "services", "changes")


def texts_below(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of each text below a value of a demo that contains `${`."""
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, AuthorFile):
        yield from texts_below(value.template, path)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from texts_below(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, (list, tuple)):
        for position, one in enumerate(value):
            yield from texts_below(one, f"{path}[{position}]")


def proxy_placeholders(proxy: Mapping[str, Any] | None) -> set[str]:
    """Return the names of all placeholders in the texts of a proxy."""
    return {name for _path, text in texts_below(proxy or {}, "") for name in placeholder_names(text)}


def with_values(value: Any, values: Mapping[str, str]) -> Any:
    """Return a value of a demo with the value of each placeholder in its texts."""
    if isinstance(value, str):
        return fill(value, values) if "${" in value else value
    if isinstance(value, AuthorFile):
        template = value.template
        return AuthorFile(fill(template, values), "", value.sensitive) if "${" in template else value
    if isinstance(value, Mapping):
        return {key: with_values(one, values) for key, one in value.items()}
    return [with_values(one, values) for one in value] if isinstance(value, list) else value


def refuse_placeholders(demo: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return a demo whose texts without placeholders have `${...}` in place of the escaped text `$${...}`.

    Raises:
        DemoError: A placeholder is in a text that has none.
    """
    found = {
        key: value if key in _FILLED_IN_DEMO else _unescaped(value, file, key) for key, value in demo.items()
    }
    found["services"] = {
        name: _service(service, file, f"services.{name}") for name, service in demo["services"].items()
    }
    found["changes"] = {
        name: {
            **_change(change, file, f"changes.{name}"),
            "steps": [
                _change(step, file, f"changes.{name}.steps[{position}]")
                for position, step in enumerate(change["steps"])
            ],
        }
        for name, change in demo["changes"].items()
    }
    return found


def _change(change: Mapping[str, Any], file: str, where: str) -> dict[str, Any]:
    return {
        key: value if key in ("set", "steps") else _unescaped(value, file, f"{where}.{key}")
        for key, value in change.items()
    }


def _service(service: Mapping[str, Any], file: str, where: str) -> dict[str, Any]:
    found = {
        key: value if key in _FILLED_BELOW_SERVICE else _unescaped(value, file, f"{where}.{key}")
        for key, value in service.items()
    }
    if service["server"] is not None:
        found["server"] = {
            key: value if key in _FILLED_IN_SERVER else _unescaped(value, file, f"{where}.server.{key}")
            for key, value in service["server"].items()
        }
    return found


def _unescaped(value: Any, file: str, where: str) -> Any:
    for path, text in texts_below(value, where):
        if names := placeholder_names(text):
            raise DemoError(
                file,
                f"{path}: this text has no placeholders, but it contains '${{{names[0]}}}'. Write the value itself,"
                f" or $${{{names[0]}}} for that text. Placeholders are for notes, proxies and servers.",
            )
    return with_values(value, {})
