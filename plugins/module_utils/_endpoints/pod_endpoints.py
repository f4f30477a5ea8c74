# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints that are pods: each entry becomes one endpoint for each ready pod, looked up again for each snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.async_timeout import time_limit
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.run_in_thread import (
    run_in_thread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, EndpointPods
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure, ScrapeError

# The package of the cluster client is imported only when an endpoint is a pod.
if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodPort
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import SelectedPods
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward

# Seconds. The caller's timeout is mostly shorter; these limit threads that continue after it.
_CONNECT_TIMEOUT = 10.0
_LOOKUP_TIMEOUT = 2.0
# Reasons that waiting cannot change.
_LASTING = ("unauthorized", "forbidden", "invalid")


class PodStream(Stream):
    """A stream through a port-forward. It raises an error if the port-forward fails, but not if the pod closes the stream."""

    def __init__(self, connection: PortForward) -> None:
        connection.setblocking(False)
        super().__init__(connection)
        self.connection = connection

    async def send(self, data: bytes) -> None:
        """Send all of `data`. Raises OSError with the reason of the port-forward's failure."""
        try:
            await super().send(data)
        except OSError as error:
            raise self._failure() or error from None

    async def receive(self) -> bytes:
        """Wait for bytes and return them; return nothing at the end of the stream. Raises OSError as `send` does."""
        try:
            data = await super().receive()
        except OSError:
            data = b""
        if not data:
            failure = self._failure()
            if failure is not None:
                raise failure
        return data

    def _failure(self) -> OSError | None:
        failure = self.connection.failure
        return ConnectionAbortedError(failure.message) if failure is not None else None


async def open_in_pod(endpoint: Endpoint, pods: EndpointPods) -> Stream:
    """Return a stream to the endpoint's port in its pod. Raises ScrapeError."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    access = pods.access

    def connect() -> PortForward:
        return access.forward(endpoint.pod, endpoint.port, pods.namespace, _CONNECT_TIMEOUT)

    try:
        return PodStream(await run_in_thread(connect, lambda late: late.close()))
    except ClusterError as error:
        raise scrape_error(error) from None


def kept_stream(endpoint: Endpoint) -> Stream | None:
    """Return a stream over a connection that an earlier client of the endpoint kept; None if there is none."""
    if endpoint.pods is None:
        return None
    kept = endpoint.pods.access.take(_target(endpoint, endpoint.pods))
    return PodStream(kept) if kept is not None else None


def keep_stream(endpoint: Endpoint, stream: Stream) -> None:
    """Keep the connection of a stream without an open request for later clients of the endpoint, or close it."""
    if endpoint.pods is not None and isinstance(stream, PodStream):
        endpoint.pods.access.keep(_target(endpoint, endpoint.pods), stream.connection)
    else:
        stream.close()


def _target(endpoint: Endpoint, pods: EndpointPods) -> PodPort:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodPort

    return PodPort(endpoint.pod, endpoint.port, pods.namespace, endpoint.uid)


async def missing_pod(endpoint: Endpoint, pods: EndpointPods) -> str:
    """Return why the pod of a failed endpoint no longer exists; empty if it exists, or if the API server does not answer within 2 s."""
    try:
        async with time_limit(_LOOKUP_TIMEOUT):
            return await run_in_thread(
                lambda: pods.access.missing_reason(endpoint.pod, pods.namespace, endpoint.uid)
            )
    except TimeoutError:
        return ""


async def find(
    entries: Sequence[tuple[Endpoint, EndpointPods]], timeout: float
) -> dict[str, SelectedPods | Failure]:
    """Return, by the name of the entry, the pods that it selects, or the failure to look them up within `timeout` seconds."""
    by_access: dict[int, list[tuple[Endpoint, EndpointPods]]] = {}
    for entry, pods in entries:
        by_access.setdefault(id(pods.access), []).append((entry, pods))
    results = await asyncio.gather(*[_find(group, timeout) for group in by_access.values()])
    return {name: result for found in results for name, result in found.items()}


async def _find(
    entries: Sequence[tuple[Endpoint, EndpointPods]], timeout: float
) -> dict[str, SelectedPods | Failure]:
    """Look up the pods of entries with the same access."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_access import PodSelection

    access = entries[0][1].access
    selections = {
        entry.name: PodSelection(pods.selector, pods.namespace, pods.container) for entry, pods in entries
    }
    try:
        async with time_limit(timeout):
            found = await run_in_thread(lambda: access.select(selections.values()))
    except TimeoutError:
        return {
            name: Failure("timeout", f"{name}: the API server did not list the pods within {timeout:.3g} s")
            for name in selections
        }
    except ClusterError as error:
        return dict.fromkeys(selections, _lookup_failure(error))
    results = {name: found[selection] for name, selection in selections.items()}
    return {
        name: _lookup_failure(result) if isinstance(result, ClusterError) else result
        for name, result in results.items()
    }


def _lookup_failure(error: ClusterError) -> Failure:
    failure = scrape_error(error)
    return Failure(failure.kind, failure.message, lasting=error.reason in _LASTING)


def expand(
    entries: Sequence[Endpoint], found: Mapping[str, SelectedPods | Failure]
) -> tuple[list[Endpoint], list[str]]:
    """Return the endpoints that take the place of `entries`, and a remark for each pod that is not ready.

    A pod's endpoint has the name of the pod. If that name is taken, for example by an entry for another port of the pod, it is
    `<entry>/<pod>`. An entry without a pod stays one endpoint, whose failure is the reason.

    Args:
        entries: All endpoints as configured.
        found: The result of `find` for the entries that are pods.
    """
    endpoints: list[Endpoint] = []
    remarks: list[str] = []
    taken = {entry.name for entry in entries if entry.pods is None}
    for entry in entries:
        if entry.pods is None:
            endpoints.append(entry)
            continue
        result = found[entry.name]
        if isinstance(result, Failure):
            endpoints.append(replace(entry, group=entry.name, known_failure=result))
            taken.add(entry.name)
            continue
        remarks += [f"{entry.name}: pod {name} is left out: {reason}" for name, reason in result.unready]
        for endpoint in _pods(entry, entry.pods, result):
            name = endpoint.pod if endpoint.pod not in taken else f"{entry.name}/{endpoint.pod}"
            taken.add(name)
            endpoints.append(replace(endpoint, name=name))
    return endpoints, remarks


def _pods(entry: Endpoint, pods: EndpointPods, found: SelectedPods) -> list[Endpoint]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
        pod_identity,
        port_number,
    )

    endpoints = []
    for pod in found.ready:
        name, uid = pod_identity(pod)
        port = port_number(pod, pods.port, pods.container)
        endpoint = replace(entry, group=entry.name, pod=name, uid=uid, port=port or 0)
        if port is None:
            text = f"pod {name} has no port named {pods.port}; give the port's number, or name the port in the pod's spec"
            endpoint = replace(endpoint, known_failure=Failure("unreachable", text, lasting=True))
        endpoints.append(endpoint)
    return endpoints


def scrape_error(error: ClusterError) -> ScrapeError:
    """Return the same error as one of reading an endpoint."""
    return ScrapeError("timeout" if error.reason == "timeout" else "unreachable", error.message)
