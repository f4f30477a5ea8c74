# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints: the addresses of Envoy admin interfaces, Prometheus pages and Prometheus servers, and their selection by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure

if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodAccess

FORMATS = ("envoy", "prometheus", "promql")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_NAMES = 20  # in a message


@dataclass(frozen=True)
class Tls:
    """The TLS settings of an https endpoint. Paths are on the managed host."""

    validate: bool = True
    """Whether to verify the server's certificate."""
    ca_path: str = ""
    """The CA certificates that verify the server; empty for those of the system."""
    client_cert: str = ""
    client_key: str = ""
    """The key of `client_cert`; empty if its file contains the key."""


@dataclass(frozen=True)
class EndpointPods:
    """The pods of a cluster that one entry selects."""

    selector: str
    """A label selector."""
    namespace: str
    """Empty for the namespace of the cluster's connection."""
    container: str
    """The container whose readiness counts; empty for the readiness of the pod."""
    port: int | str
    """The port in the pods, by number or by name."""
    access: PodAccess = field(compare=False, repr=False)

    @property
    def where(self) -> str:
        """Return `namespace/selector` for messages."""
        return f"{self.namespace}/{self.selector}" if self.namespace else self.selector


@dataclass(frozen=True)
class Endpoint:
    """One endpoint. `transport` connects to it.

    An entry that selects pods is one endpoint until `pod_endpoints.expand` replaces it by one endpoint for each pod.
    """

    name: str
    scheme: str
    """`http`, `https` or `unix`."""
    host: str = ""
    port: int = 0
    socket: str = ""
    """The absolute path of a Unix socket, or `@name` for an abstract one."""
    path: str = ""
    """For an admin interface, the path before `/stats`; for format `prometheus`, the path of the page."""
    format: str = "envoy"
    """One of FORMATS."""
    container: str = ""
    """The Docker container in which the connection is opened."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Pairs of name and value. They can be secret."""
    tls: Tls = Tls()
    pods: EndpointPods | None = None
    group: str = ""
    """For a pod, the name of the entry that selects it."""
    pod: str = ""
    """The name of the pod."""
    uid: str = ""
    """The UID of the pod, which distinguishes it from an earlier pod of this name."""
    standby: tuple[str, ...] = ()
    """The clusters of an Envoy whose standby host is left out of the readings."""
    known_failure: Failure | None = None
    """Why no connection to the endpoint is possible."""
    whole_host: bool = False
    """Whether it takes the place of all endpoints of the host of this name, whose endpoints are not known."""

    @property
    def authority(self) -> str:
        """Return the value of the `host` header."""
        if self.scheme == "unix":
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def where(self) -> str:
        """Return the address for messages, without secrets."""
        if self.pods is not None and not self.pod:
            return f"pods {self.pods.where}"
        address = f"unix://{self.socket}" if self.scheme == "unix" else f"{self.scheme}://{self.authority}"
        if self.pod:
            return f"{address} in pod {self.pod}"
        return f"{address} in container {self.container}" if self.container else address

    def matches(self, pattern: str) -> bool:
        """Return whether the name, the entry's name, or the name of an endpoint of the whole host matches a shell pattern."""
        if fnmatchcase(self.name, pattern) or (bool(self.group) and fnmatchcase(self.group, pattern)):
            return True
        # An endpoint `host/name` can match if some beginning of the pattern matches `host/`.
        beginnings = (pattern[:end] for end in range(1, len(pattern) + 1)) if self.whole_host else ()
        return any(fnmatchcase(f"{self.name}/", beginning) for beginning in beginnings)


def pick(endpoints: Iterable[Endpoint], patterns: Sequence[str], where: str = "endpoint") -> list[Endpoint]:
    """Return the endpoints whose names match.

    Args:
        endpoints: All endpoints.
        patterns: Names or shell patterns. Without any, the endpoints of format `envoy` are returned, or all if there is none.
        where: The option, for messages.

    Raises:
        ArgumentError: A pattern matches no endpoint, and no endpoint is a pod. Before pods are looked up, such a pattern returns
            all entries for pods, and afterwards none (see `unmatched_patterns`).
    """
    known = list(endpoints)
    if not patterns:
        return [endpoint for endpoint in known if endpoint.format == "envoy"] or known
    picked: dict[str, Endpoint] = {}
    for pattern in patterns:
        found = [endpoint for endpoint in known if pattern in (endpoint.name, endpoint.group)] or [
            endpoint for endpoint in known if endpoint.matches(pattern)
        ]
        pods = [endpoint for endpoint in known if endpoint.pods is not None]
        if not found and pods:
            found = [endpoint for endpoint in pods if not endpoint.group]
        elif not found:
            names = ", ".join(endpoint.name for endpoint in known[:_MAX_NAMES])
            raise ArgumentError(where, f"no endpoint has the name {pattern!r}. Use one of: {names}.")
        picked.update((endpoint.name, endpoint) for endpoint in found)
    return list(picked.values())


def unmatched_patterns(endpoints: Iterable[Endpoint], patterns: Sequence[str]) -> list[str]:
    """Return the patterns that match none of the endpoints, after pods were looked up."""
    known = list(endpoints)
    return [pattern for pattern in patterns if not any(endpoint.matches(pattern) for endpoint in known)]
