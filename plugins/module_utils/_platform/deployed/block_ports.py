# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The numbers on the host of the ports of a demo: those that the demo states, and those that the planner chooses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.topology import ListeningPort
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.context import Context
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.deployed.port_assignment import (
    NoFreePort,
    PortAssignment,
)

# The first port of a demo that states no block, if the context has no free one.
DEFAULT_BLOCK = 20000


class BlockPorts(ABC):
    """The part of a layout that numbers ports. A platform overrides which ports need a number on the host."""

    demo: Demo
    context: Context
    ports: dict[tuple[str, str], ListeningPort]
    # The keys of the ports that get other numbers than those of the record.
    _moving: frozenset[str] = frozenset()

    @abstractmethod
    def instance_name(self, group: str, replica: int) -> str:
        """Return the name of a replica of `group`."""

    @abstractmethod
    def planned_replicas(self, group: str) -> int:
        """Return the number of instances that the plan has for `group`."""

    @abstractmethod
    def is_called_across_hosts(self, group: str, name: str, replica: int) -> bool:
        """Return whether an instance on another host connects to a port of this replica."""

    def stated_port(self, port: ListeningPort, replica: int) -> int | None:
        """Return the number on the host that the demo states for `port`, or None."""
        return port.publish if replica == 1 else None

    def needs_block_port(self, port: ListeningPort, replica: int) -> bool:
        """Return whether `port` needs a number on the host, if the demo states none."""
        if port.serves_stats or (port.for_users and replica == 1):
            return True
        return self.is_called_across_hosts(port.group, port.name, replica)

    def block_port(self, port: ListeningPort, replica: int) -> int:
        """Return the number on the host that the planner chose for `port` of one replica.

        Raises:
            DemoError: No number is free.
        """
        key = self.port_key(port, replica)
        if key not in self._chosen.numbers:  # of a replica that the plan does not have
            with self._located():
                self._chosen.assign({key: self._suggested(port, replica)})
        return self._chosen.numbers[key]

    def is_published(self, port: ListeningPort, replica: int) -> bool:
        """Return whether users or other hosts connect to `port` of one replica."""
        return bool(self.stated_port(port, replica)) or self.needs_block_port(port, replica)

    def move_numbers(self, keys: Iterable[str]) -> None:
        """Choose other numbers for ports whose programs are replaced by programs that start next to them."""
        self._moving = frozenset(keys)
        self.__dict__.pop("_chosen", None)

    def port_key(self, port: ListeningPort, replica: int) -> str:
        """Return the name of a port in the record of the deployment."""
        return f"{self.instance_name(port.group, replica)}/{port.name}"

    def replica_ports(self) -> Iterator[tuple[ListeningPort, int]]:
        """Yield each port with the numbers of its replicas. A service without replicas keeps the ports of the first one."""
        for replica in range(1, 1 + max((self._planned(group) for group, _name in self.ports), default=0)):
            for port in self.ports.values():
                if replica <= self._planned(port.group):
                    yield port, replica

    def other_numbers(self) -> list[str]:
        """Return the keys of further numbers that are unique on the host."""
        return []

    def deployed_ports(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return the numbers on the host by key: those that the planner chose, and those that the demo states."""
        return dict(self._chosen.numbers), dict(self._stated)

    def inner_ports(self) -> dict[str, int]:
        """Return the numbers in networks of instances that differ from those of the demo."""
        return {}

    @cached_property
    def block(self) -> int:
        """The first port of the block of the demo: that of the demo file, of the record, or a free one of the host."""
        context = self.context
        return self.demo["ports"] or context.deployed.block or context.free_block or DEFAULT_BLOCK

    @cached_property
    def _stated(self) -> dict[str, int]:
        stated = {self.port_key(*one): self.stated_port(*one) for one in self.replica_ports()}
        return {key: number for key, number in stated.items() if number}

    @cached_property
    def _chosen(self) -> PortAssignment:
        """The numbers that the planner chooses. A demo that states another block than before moves to that block."""
        record, other = self.context.deployed, self.other_numbers()
        stays = set(other if record.block not in (0, self.block) else record.ports) - self._moving
        chosen = PortAssignment(
            self.block,
            {key: record.ports[key] for key in stays if key in record.ports},
            frozenset(self._stated.values()),
            [*record.numbers.values()],
            frozenset(self.context.used_ports),
        )
        suggested = {
            key: self._suggested(port, replica)
            for port, replica in self.replica_ports()
            if (key := self.port_key(port, replica)) not in self._stated
            and self.needs_block_port(port, replica)
        }
        with self._located():
            chosen.assign(suggested)
            chosen.assign_from_end(other)
        return chosen

    @contextmanager
    def _located(self) -> Iterator[None]:
        try:
            yield
        except NoFreePort as error:
            raise DemoError(
                self.demo["file"],
                f"{error}: no port from {self.block} on is free for it. Use fewer replicas or services, or a lower number in 'ports'.",
            ) from None

    def _planned(self, group: str) -> int:
        return max(1, self.planned_replicas(group))

    def _suggested(self, port: ListeningPort, replica: int) -> int:
        """Return the number of a port by its position in the block. Further replicas do not change it."""
        return self.block + (replica - 1) * len(self.ports) + self._positions[port.group, port.name]

    @cached_property
    def _positions(self) -> dict[tuple[str, str], int]:
        return {key: position for position, key in enumerate(self.ports)}
