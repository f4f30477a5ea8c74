# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of a demo that an author's configuration refers to by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.meshlab.envoy.plugins.module_utils._demo import topology
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import Demo
from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.author_config.content import (
    AuthorConfig,
    HostUse,
)

LOOPBACKS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class NamedPort:
    """A port of the demo that `use` refers to. `replica` is None for all replicas of `group`."""

    use: HostUse
    group: str
    name: str
    replica: int | None = None


def author_targets(demo: Demo, group: str) -> Iterator[NamedPort]:
    """Yield the ports of the demo that the configuration of the proxy of `group` refers to. Other hosts are left out.

    The name of a host is that of a service, a proxy or the exporter, or of one instance of a service, such as `web-2`. In a
    sidecar, a loopback address with the port of the service is the service itself.

    Raises:
        DemoError: The demo has the name, but no port with that number.
    """
    proxy = topology.proxy_of(demo, group)
    config: AuthorConfig | None = proxy["config"] if proxy else None
    for use in config.hosts if config else ():
        found = _group_of(demo, use.host)
        if found is None:
            service = demo["services"].get(group)
            if service and use.host in LOOPBACKS and use.port == service["port"]:
                yield NamedPort(use, group, topology.APP)
            continue
        target, replica = found
        yield NamedPort(use, target, _port_of(demo, target, use, config), replica)


def _group_of(demo: Demo, host: str) -> tuple[str, int | None] | None:
    if host in demo["services"] or host in demo["proxies"]:
        return host, None
    if demo[topology.EXPORTER] is not None and host.replace("-", "_") == topology.EXPORTER:
        return topology.EXPORTER, None
    instance = re.fullmatch(r"(.+)-(\d+)", host)
    if instance and instance[1] in demo["services"]:
        return instance[1], int(instance[2])
    return None


def _port_of(demo: Demo, group: str, use: HostUse, config: AuthorConfig | None) -> str:
    own = list(topology.ports_of(demo, group))
    for port in own:
        if port.number == use.port:
            return port.name
    source = config.source(use.file) if config else use.file
    known = ", ".join(f"{port.number} ({port.name})" for port in own)
    raise DemoError(
        f"{source} line {use.host_span.line}",
        f"{use.host}:{use.port}: '{group}' of {demo['file']} does not listen on port {use.port}. Its ports are {known}."
        " Correct the port, or set 'port' in the demo.",
    )
