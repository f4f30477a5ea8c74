# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one YAML writer of the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.yaml_writer import Unusual, YamlWriter

try:
    import yaml
except ImportError:  # on a managed host, which writes no YAML
    yaml = None  # type: ignore[assignment]

# The emitter of libyaml is ten times as fast and writes the same text. PyYAML may be built without it.
_FastestDumper: Any = getattr(yaml, "CSafeDumper", None) or getattr(yaml, "SafeDumper", object)


class _Dumper(_FastestDumper):  # type: ignore[misc]
    """Writes block style without aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    # A literal block that begins with a space needs an indentation indicator, which is hard to read.
    style = "|" if "\n" in text.rstrip("\n") and not text[0].isspace() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


if yaml:
    _Dumper.add_representer(str, _represent_text)
    # Envoy's parser (yaml-cpp) reads these as booleans. PyYAML does not, and would not quote them.
    _Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))


def to_yaml(data: Any) -> str:
    """Return `data` as YAML in block style, with the keys in their order and without folded lines.

    Example:
        >>> print(to_yaml({"name": "edge", "enabled": "y"}), end="")
        name: edge
        enabled: 'y'
    """
    try:
        return _WRITER.write(data)
    except Unusual:
        return _dumped(plain(data))


def _dumped(data: Any) -> str:
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True))


def from_yaml(text: str) -> Any:
    """Return the data of a YAML text.

    Example:
        >>> from_yaml("name: edge")
        {'name': 'edge'}
    """
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def plain(value: Any) -> Any:
    """Return a copy of `value` that has only the types of JSON.

    Ansible passes subclasses of str, dict and list, which PyYAML cannot represent. YAML files can have dates.

    Example:
        >>> import datetime
        >>> plain({1: (datetime.date(2026, 1, 1), True)})
        {'1': ['2026-01-01', True]}
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


_WRITER = YamlWriter(lambda value: _dumped([value])[2:-1], plain)
