# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The origin of a demo's data: the line and the written text of each value, and the files relative to the demo file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

# The beginning of a message of `check_known`, with the name that is a key of the file.
_UNKNOWN = re.compile(r"unknown key(?: of a file)? '([^']*)'")


def _no_files(path: str) -> bytes:
    raise OSError(0, "this demo has no folder, because its data does not come from a file", path)


@dataclass(frozen=True)
class DemoSource:
    """Where the data of a demo comes from. The default is data without a file.

    Attributes:
        lines: Line of each key and list item, by path such as `proxies.edge.listeners.http` or `traffic[0].to`.
        written: Text of each value that YAML does not read as text, such as `0644` or `yes`, by path.
        read: Returns the content of a file whose path is relative to the demo file. Raises OSError.
        prefixes: Paths that precede a path, in the order in which they are searched.
        secrets: Values from Ansible Vault and from templates.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[str], bytes] = _no_files
    prefixes: tuple[str, ...] = ("",)
    secrets: frozenset[str] = frozenset()

    def of_change(self, change: str, step: int = 0) -> DemoSource:
        """Return the source of the demo with a change: its values are in the change, or else in the demo.

        The values of a step are in the step, or else in a previous step or in the change. Step 0 is the whole change.
        """
        own = f"changes.{change}.steps[{step - 1}]." if step else f"changes.{change}."
        last = step or self._steps(change)
        set_by = [f"changes.{change}.steps[{position}].set." for position in reversed(range(last))]
        return replace(self, prefixes=(*set_by, f"changes.{change}.set.", own, ""))

    def _steps(self, change: str) -> int:
        """Return the number of steps of a change that the file has."""
        number = 0
        while f"changes.{change}.steps[{number}]" in self.lines:
            number += 1
        return number

    def written_text(self, path: str) -> str | None:
        """Return the text of a value as the file has it, or None if YAML reads it as text or if it is unknown."""
        for prefix in self.prefixes:
            if f"{prefix}{path}" in self.lines:
                return self.written.get(f"{prefix}{path}")
        return None

    def lines_below(self, path: str) -> dict[str, int]:
        """Return the lines of the keys below a path, relative to it. Its own line is that of the empty key."""
        found: dict[str, int] = {}
        for prefix in reversed(self.prefixes):
            whole = f"{prefix}{path}"
            for key, line in self.lines.items():
                if key == whole or key.startswith((f"{whole}.", f"{whole}[")):
                    found[key[len(whole) :].lstrip(".")] = line
        return found

    def line(self, path: str) -> int | None:
        """Return the line of a path, or of the longest part of it that the file has. None: no part is in the file."""
        while path:
            for prefix in self.prefixes:
                if f"{prefix}{path}" in self.lines:
                    return self.lines[f"{prefix}{path}"]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


def with_line(error: DemoError, source: DemoSource) -> str:
    """Return the text of an error, with the line of its key after the name of the file.

    Example:
        >>> source = DemoSource(lines={"proxies": 3, "proxies.edge": 4})
        >>> with_line(DemoError("shop.yml", "proxies.edge.listeners: empty. Add one."), source)
        'shop.yml, line 4: proxies.edge.listeners: empty. Add one.'
    """
    _file, separator, change = error.where.partition(" with change ")
    name, _at, step = change.partition(" at step ")
    found = source.of_change(name.strip("'"), int(step or 0)) if separator else source
    where, colon, rest = error.problem.partition(": ")
    if not colon or " " in where:
        where, rest = "", error.problem
    unknown = _UNKNOWN.match(rest)
    line = found.line(".".join(part for part in (where, unknown and unknown[1]) if part))
    return f"{error.where}, line {line}: {error.problem}" if line else str(error)
