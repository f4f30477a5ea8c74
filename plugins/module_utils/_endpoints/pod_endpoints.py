# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Endpoints that are pods of a cluster: one entry becomes an endpoint for each pod that is ready, looked up anew at each look."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible_collections.meshlab.envoy.plugins.module_utils._common.run_in_thread import run_in_thread
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, Pods
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure, ScrapeError

# Nothing of cluster/ is imported where nobody asks for a pod.
if TYPE_CHECKING:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import SelectedPods
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward

# Seconds. The caller's own bound is mostly shorter; these are for what goes on in a thread after that.
_CONNECTING = 10.0
_EXPLAINING = 2.0
# What no waiting mends.
_LASTING = ("unauthorized", "forbidden", "invalid")


class PodStream(Stream):
    """A stream through the API server: an end that it was cut by is told from one that the pod chose."""

    def __init__(self, connection: PortForward) -> None:
        connection.setblocking(False)
        super().__init__(connection)
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await super().send(data)
        except OSError as error:
            raise self._why() or error from None

    async def receive(self) -> bytes:
        try:
            data = await super().receive()
        except OSError:
            data = b""
        if not data:
            why = self._why()
            if why is not None:
                raise why
        return data

    def _why(self) -> OSError | None:
        failure = self._connection.failure
        return ConnectionAbortedError(failure.message) if failure is not None else None


async def open_in_pod(endpoint: Endpoint, pods: Pods) -> Stream:
    """A stream to a port of a pod. Raises ScrapeError."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    access = pods.access

    def connect() -> PortForward:
        return access.forward(endpoint.pod, endpoint.port, pods.namespace, _CONNECTING)

    try:
        return PodStream(await run_in_thread(connect, lambda late: late.close()))
    except ClusterError as error:
        raise scrape_error(error) from None


async def why_gone(endpoint: Endpoint, pods: Pods) -> str:
    """Whether the pod of an endpoint that failed is gone, in words; empty where it is not, or nobody can tell."""
    try:
        async with asyncio.timeout(_EXPLAINING):
            return await run_in_thread(
                lambda: pods.access.missing_reason(endpoint.pod, pods.namespace, endpoint.uid)
            )
    except TimeoutError:
        return ""


async def find(endpoint: Endpoint, pods: Pods, timeout: float) -> SelectedPods | Failure:
    """The pods of one entry, or why there are none that can be asked."""
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

    try:
        async with asyncio.timeout(timeout):
            return await run_in_thread(
                lambda: pods.access.pods(pods.selector, pods.namespace, pods.container)
            )
    except TimeoutError:
        return Failure("timeout", f"{endpoint.name}: its pods could not be looked up within {timeout:.3g} s")
    except ClusterError as error:
        failure = scrape_error(error)
        return Failure(failure.kind, failure.message, lasting=error.reason in _LASTING)


def expand(
    entries: Sequence[Endpoint], found: Mapping[str, SelectedPods | Failure]
) -> tuple[list[Endpoint], list[str]]:
    """The endpoints to ask in place of `entries`, and remarks about pods that are not asked. `found` is by an entry's name.

    A pod's endpoint is named as the pod; where that name is taken already, as by an entry for another port of it, the entry's name comes
    first. An entry without a pod stays one endpoint, which fails with the reason.
    """
    endpoints: list[Endpoint] = []
    remarks: list[str] = []
    taken = {one.name for one in entries if one.pods is None}
    for entry in entries:
        if entry.pods is None:
            endpoints.append(entry)
            continue
        answer = found[entry.name]
        if isinstance(answer, Failure):
            endpoints.append(replace(entry, group=entry.name, lack=answer))
            taken.add(entry.name)
            continue
        remarks += [f"{entry.name}: pod {name} is not asked, since {why}" for name, why in answer.unready]
        for endpoint in _pods(entry, entry.pods, answer):
            name = endpoint.pod if endpoint.pod not in taken else f"{entry.name}/{endpoint.pod}"
            taken.add(name)
            endpoints.append(replace(endpoint, name=name))
    return endpoints, remarks


def _pods(entry: Endpoint, pods: Pods, found: SelectedPods) -> list[Endpoint]:
    from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.pod_status import (
        pod_identity,
        port_number,
    )

    endpoints = []
    for pod in found.ready:
        name, uid = pod_identity(pod)
        port = port_number(pod, pods.port, pods.container)
        one = replace(entry, group=entry.name, pod=name, uid=uid, port=port or 0)
        if port is None:
            words = f"pod {name} has no port named {pods.port}; give the number of one, or name it in the pod"
            one = replace(one, lack=Failure("unreachable", words, lasting=True))
        endpoints.append(one)
    return endpoints


def scrape_error(error: ClusterError) -> ScrapeError:
    return ScrapeError("timeout" if error.reason == "timeout" else "unreachable", error.message)
