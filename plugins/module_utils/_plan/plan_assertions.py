# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The assertions of a plan: the expectations of the demo with names of endpoints, as module demo_verify takes them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._assertions import value_references
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    KEYS as ASSERTION_KEYS,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion import (
    is_stat_value,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._assertions.assertion_parser import (
    parse_assertions,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError, check_known
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_schema import StatsEndpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._plan.plan_traffic import replace_replicas
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.platform import Platform

Entry = dict[str, Any]
WHERE = "expectations"


def plan_assertions(
    entries: Sequence[Mapping[str, Any]],
    traffic: Sequence[Mapping[str, Any]],
    endpoints: Sequence[StatsEndpoint],
    platform: Platform,
) -> list[Entry]:
    """Return `entries` as module demo_verify takes them.

    `at` becomes the names of endpoints, and `value: {replicas: SERVICE}` a number. `value: {traffic: NAME}` stays: it is
    resolved after the requests.

    Args:
        entries: Expectations of the demo.
        traffic: Requests of the plan, which expectations can refer to by name.
        endpoints: Stats endpoints of the plan.
        platform: The platform with the demo.

    Raises:
        DemoError: demo_verify would refuse an entry, or its endpoints do not exist.
    """
    planner = _AssertionPlanner(platform, [one["name"] for one in endpoints])
    found = [planner.plan(dict(entry), f"{WHERE}[{position}]") for position, entry in enumerate(entries)]
    try:
        value_references.check_references(found, traffic)
        parse_assertions([value_references.with_placeholder(one) for one in found])
    except ValueError as error:
        message = str(error).removeprefix("assertions").removeprefix(WHERE)
        raise DemoError(platform.demo["file"], WHERE + message) from None
    return found


@dataclass(frozen=True)
class _AssertionPlanner:
    platform: Platform
    endpoints: list[str]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.endpoints)}

    def plan(self, entry: Entry, where: str) -> Entry:
        for key in entry:
            check_known(str(key), ("at", *ASSERTION_KEYS), self.platform.demo["file"], where, "key")
        entry = self._with_endpoints(entry, where)
        value: Any = entry.get("value")
        if is_stat_value(value):
            entry["value"] = self._with_endpoints(dict(value), f"{where}.value")
        return replace_replicas(entry, self.platform, where)

    def _with_endpoints(self, entry: Entry, where: str) -> Entry:
        """Return `entry` with names of endpoints in place of `at`."""
        at = entry.pop("at", None)
        if at is None:
            return entry
        patterns = [at] if isinstance(at, str) else at
        found = [name for pattern in patterns for name in self._matching(str(pattern), f"{where}.at")]
        return {**entry, "endpoint": list(dict.fromkeys(found))}

    def _require_admin(self, group: str, where: str) -> None:
        """Raise DemoError if the proxy of a group has a configuration without an admin interface."""
        demo = self.platform.demo
        proxy = topology.proxy_of(demo, group)
        if proxy is not None and not topology.has_admin(proxy):
            raise DemoError(
                demo["file"],
                f"{where}: {proxy['config'].bootstrap.source} has no admin interface, where stats are read. Add"
                " 'admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}' to it.",
            )

    def _matching(self, pattern: str, where: str) -> list[str]:
        """Return the endpoints of a service, or those whose names match a pattern."""
        demo = self.platform.demo
        group, slash, port = pattern.partition("/")
        if group in demo["services"]:
            names = [f"{one.name}{slash}{port}" for one in self.platform.instances(group)]
            found = sorted(self._positions.keys() & names, key=self._positions.__getitem__)
        else:
            found = fnmatch.filter(self.endpoints, pattern)
        if not found:
            self._require_admin(group, where)
            known = [*demo["services"], *self.endpoints]
            check_known(pattern, known, demo["file"], where, "service or endpoint")
            raise DemoError(
                demo["file"], f"{where}: '{pattern}' has no Envoy. Add a sidecar, or name another endpoint."
            )
        return found
