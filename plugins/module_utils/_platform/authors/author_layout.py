# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of a layout for Envoys whose configuration an author wrote: their names, addresses and admin interfaces.

The base class describes containers: the names and paths in the files of an author apply as they are.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.authors.author_targets import (
    NamedPort,
    author_targets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.clusters import Address
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.instances import Instance, Proxy
from ansible_collections.meshlab.envoy.plugins.module_utils._platform.layout import Layout


class AuthorLayout(Layout):
    """The names, addresses and admin interfaces of Envoys whose configuration an author wrote."""

    # Whether workloads run in containers, which see files at the paths of the author and resolve the names of the demo.
    runs_images: ClassVar[bool] = True

    def aliases(self, instance: Instance) -> tuple[str, ...]:
        """Return the names by which other workloads reach an instance.

        The files of an author refer to a group by its name, which resolves to all its replicas.
        """
        return tuple(dict.fromkeys([instance.name, *([instance.group] if self.has_author_config else [])]))

    @cached_property
    def has_author_config(self) -> bool:
        """Whether a proxy of the demo has a configuration that its author wrote."""
        return any(proxy.spec["config"] is not None for proxy in self.proxies())

    def author_addresses(self, target: NamedPort, proxy: Proxy) -> list[Address] | None:
        """Return the addresses that replace a host in the files of an author. None: the host's own name and port are correct."""
        instances = self._named_instances(target)
        if all(one.host == proxy.host for one in instances):
            return None
        return [self.address(one, target.name, proxy) for one in instances]

    def _named_instances(self, target: NamedPort) -> list[Instance]:
        if target.replica is not None:
            return [self.instance(target.group, target.replica)]
        return self.instances(target.group)

    def name_warnings(self) -> list[str]:
        """Return facts about the names of the demo that its author should know."""
        return []

    def starts_after(self, proxy: Proxy) -> tuple[str, ...]:
        """Return the workloads that start before `proxy`, so that their names resolve at its first attempt.

        A generated cluster resolves names every `dns_refresh`, a cluster of an author at its own interval.
        """
        if not self.runs_images:
            return ()
        groups = dict.fromkeys(one.group for one in author_targets(self.demo, proxy.group))
        return tuple(
            topology.network_workload(self.demo, one.group, one.name)
            for group in groups
            if group != proxy.group and self.demo["services"].get(group)
            for one in self.instances(group)
            if one.host == proxy.host
        )

    def author_socket(self, proxy: Proxy, path: str) -> str:
        """Return the path on the host of the admin's Unix socket, which the author placed at `path`."""
        return f"{self.context.folder}/{proxy.name}/run/{path.rpartition('/')[2]}"

    def container_name(self, proxy: Proxy) -> str:
        """Return the name of a container in the network of `proxy`."""
        return proxy.workload

    def admin_relay(self, proxy: Proxy) -> int | None:
        """Return the port of the workload that relays to the Unix socket of an author's admin. None: the host opens the socket."""
        del proxy
        return None
