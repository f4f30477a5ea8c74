# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text from data: the one way in which this collection writes YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

try:
    import yaml
except ImportError:  # on a managed host, where nothing is planned
    yaml = None  # type: ignore[assignment]

# libyaml's emitter, where PyYAML was built with it, is ten times as fast and writes the same text.
_Fastest: Any = getattr(yaml, "CSafeDumper", None) or getattr(yaml, "SafeDumper", object)


class _Dumper(_Fastest):  # type: ignore[misc]
    """Block style, no aliases: as people write it; and strings that Envoy leaves strings."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: Any, text: str) -> Any:
    """A text of several lines is written as lines, where it does not start with space, which would need an indicator."""
    style = "|" if "\n" in text.rstrip("\n") and not text[0].isspace() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


if yaml:
    _Dumper.add_representer(str, _text)
    # Envoy's parser (yaml-cpp) takes these for true and false; PyYAML does not, and so would not quote them.
    _Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN"))


def to_yaml(data: Any) -> str:
    """Return `data` as YAML, keys in their order, no line folded."""
    return str(yaml.dump(plain(data), Dumper=_Dumper, sort_keys=False, width=4096, allow_unicode=True))


def plain(value: Any) -> Any:
    """Return a copy of `value` in the types of JSON, and of no others.

    Ansible hands over subclasses of str, dict and list that YAML's representers do not know, YAML dates.
    """
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
