# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to the admin interface of a pod, without an event loop of the caller.

It is imported only when a pod is connected to: asyncio takes 60 ms.
"""

from __future__ import annotations

import asyncio

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.run_in_thread import (
    run_in_thread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.admin_client import AdminClient
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import (
    PodStream,
    scrape_error,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.cluster_client import Cluster
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.port_forward import PortForward
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError


class PodConnector(Connector):
    """Opens port-forwards to one port of a pod, and keeps the error of the last one."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        """Keep the target; nothing is connected to yet."""
        super().__init__()
        self._cluster, self._pod, self._port = cluster, pod, port
        self._forward: PortForward | None = None
        self._error: ClusterError | None = None
        self.timeout = 0.0  # seconds to open a port-forward

    @property
    def error(self) -> ClusterError | None:
        """Return why the last port-forward could not be opened, or ended."""
        return self._error or (self._forward.failure if self._forward is not None else None)

    async def open(self, endpoint: Endpoint) -> Stream:  # noqa: ARG002
        """Return a stream to the port. Raises ScrapeError."""
        self._error = self._forward = None

        def forward() -> PortForward:
            return self._cluster.forward(self._pod, self._port, timeout=self.timeout)

        try:
            self._forward = await run_in_thread(forward, lambda late: late.close())
        except ClusterError as error:
            self._error = error
            raise scrape_error(error) from None
        return PodStream(self._forward)


class PodConnection:
    """An admin client with its own event loop, which keeps its port-forward between requests."""

    def __init__(self, cluster: Cluster, pod: str, port: int) -> None:
        """Create the client; nothing is connected to yet."""
        self._connector = PodConnector(cluster, pod, port)
        endpoint = Endpoint(f"pod {pod}", "http", "127.0.0.1", port)
        self._client = AdminClient(endpoint, self._connector)
        self._loop = asyncio.new_event_loop()

    def get(self, path: str, timeout: float) -> str:
        """Return the body of a GET, whatever its status.

        Args:
            path: The path and the query.
            timeout: Seconds for the whole exchange.

        Raises:
            ClusterError: The port-forward failed.
            ScrapeError: There was no response in time, or it cannot be parsed.
        """
        self._connector.timeout = timeout
        request = self._client.request(path, "GET")
        try:
            response = self._loop.run_until_complete(self._client.call(request, timeout))
        except ScrapeError:
            if self._connector.error is not None:
                raise self._connector.error from None
            raise
        return response.body.decode(errors="replace")

    def close(self) -> None:
        """Close the port-forward and the event loop."""
        self._client.close()
        self._loop.close()
