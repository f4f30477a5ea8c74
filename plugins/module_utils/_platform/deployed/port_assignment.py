# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers of the ports that the planner chooses: those of the record stay, and new ports get free numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    HIGHEST_PORT,
    LOWEST_BLOCK,
)

BLOCK = 100  # ports that a demo uses first, starting at its `ports`


class NoFreePort(ValueError):
    """No number is left for a port."""


@dataclass
class PortAssignment:
    """The numbers of the ports of one demo, by key `<instance>/<name of the port>`.

    A port of the record keeps its number. A new port gets the number that its position in the block of the demo suggests. If that
    number is not free or is beyond the block, the port gets the next free number of the block, and then of the numbers after it. The
    numbers of the record that leave the demo are not free yet: their programs still listen while the new ones start.

    Attributes:
        first: The first number of the block.
        recorded: The numbers of the record that stay.
        stated: The numbers that the demo states, which no other port can have.
        leaving: Further numbers of the record.
        used: The numbers that programs of the host use. The block of a demo is its own, so a suggested number does not depend on them.

    Example:
        >>> assignment = PortAssignment(20000, {"web-1/app": 20007}, stated={20001})
        >>> assignment.assign({"web-1/app": 20000, "edge/http": 20001, "edge/admin": 20002})
        >>> assignment.numbers
        {'web-1/app': 20007, 'edge/admin': 20002, 'edge/http': 20000}
    """

    first: int
    recorded: Mapping[str, int] = field(default_factory=dict)
    stated: Collection[int] = ()
    leaving: Collection[int] = ()
    used: Collection[int] = ()
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Reserve the numbers that are not free."""
        self._reserved = {*self.stated, *self.recorded.values(), *self.leaving}
        self._taken: set[int] = set(self.stated)
        self._next = self.first

    def assign(self, suggested: Mapping[str, int]) -> None:
        """Assign a number to each key of `suggested`, whose values are the numbers of a demo without a record.

        Raises:
            NoFreePort: All numbers are taken.
        """
        self._keep(suggested)
        for key, number in suggested.items():
            if key not in self.numbers and self.first <= number < self.first + BLOCK:
                self._take(key, number)
        for key in suggested:
            if key not in self.numbers:
                self._take_next(key)

    def assign_from_end(self, keys: Iterable[str]) -> None:
        """Assign the last free numbers of the block, so that the suggested numbers of further ports stay free. Raises NoFreePort."""
        keys = list(keys)
        self._keep(keys)
        number = self.first + BLOCK
        for key in keys:
            while key not in self.numbers and number > self.first:
                number -= 1
                if number not in self.used:
                    self._take(key, number)
            if key not in self.numbers:
                self._take_next(key)

    def _keep(self, keys: Iterable[str]) -> None:
        for key in keys:
            number = self.recorded.get(key)
            if number is not None and number not in self._taken:
                self._set(key, number)

    def _take(self, key: str, number: int) -> None:
        if LOWEST_BLOCK <= number <= HIGHEST_PORT and number not in self._reserved:
            self._set(key, number)

    def _take_next(self, key: str) -> None:
        while key not in self.numbers:
            if self._next > HIGHEST_PORT:
                raise NoFreePort(key)
            if self._next not in self.used:
                self._take(key, self._next)
            self._next += 1

    def _set(self, key: str, number: int) -> None:
        self.numbers[key] = number
        self._taken.add(number)
        self._reserved.add(number)
