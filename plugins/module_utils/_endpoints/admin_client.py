# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of one Envoy admin interface: over HTTP, a Unix socket, a container or a pod.

`AdminClient` is for asyncio and keeps its connection. `BlockingAdminClient` does the same without an event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.meshlab.envoy.plugins.module_utils._common.async_timeout import time_limit
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.run_in_thread import (
    run_in_thread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import Stream
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.container_exec import explain
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint_parser import (
    parse_endpoints,
    without_secrets,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.http_response import (
    HttpResponse,
    StopWhen,
    send_request,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import (
    keep_stream,
    kept_stream,
    missing_pod,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.response_size import (
    require_parsable_size,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.transport import Connector
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.envoy_stats_json import glimpse, load
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import Failure, ScrapeError

MAX_BYTES = 12 * 1024 * 1024
# The kinds of failure that the end of a pod can cause.
_POD_END_KINDS = ("unreachable", "timeout", "unparsable")

T = TypeVar("T")


@dataclass
class AdminClient:
    """One endpoint and the connection to it. Use it in one event loop, for one request at a time."""

    endpoint: Endpoint
    connector: Connector
    max_bytes: int = MAX_BYTES
    reads: int = 0
    """How many snapshots of the endpoint were taken."""
    transferred: int = 0
    """Bytes of all response bodies so far, before decompression."""
    _stream: Stream | None = field(default=None, repr=False)
    _awaits_response: bool = field(default=False, repr=False)

    async def call(self, requests: Coroutine[Any, Any, T], timeout: float) -> T:
        """Await `requests`, which uses this client, for at most `timeout` seconds, and return its result.

        After an error, the connection is closed.

        Raises:
            ScrapeError: Every error of the endpoint, with a message that begins with the endpoint's address.
        """
        if self.endpoint.known_failure is not None:
            requests.close()
            known = self.endpoint.known_failure
            raise ScrapeError(known.kind, known.message)
        failure = ScrapeError(
            "timeout", f"{self.endpoint.where}: no complete response within {timeout:.3g} s"
        )
        try:
            async with time_limit(timeout):
                return await requests
        except TimeoutError:
            pass
        except ScrapeError as error:
            failure = ScrapeError(error.kind, f"{self.endpoint.where}: {error.message}", error.denied)
        except (OSError, EOFError) as error:
            text = await self._container_error()
            if not text:
                closed = isinstance(error, EOFError)
                text = "the connection was closed without a response" if closed else error_text(error)
            failure = ScrapeError("unreachable", f"{self.endpoint.where}: {text}")
        except Exception as error:  # one endpoint's response never ends the reading of the others
            text = f"the response cannot be parsed ({type(error).__name__}: {str(error)[:200]})"
            failure = ScrapeError("unparsable", f"{self.endpoint.where}: {text}")
        self.close()
        if self.endpoint.pods is not None and failure.kind in _POD_END_KINDS:
            missing = await missing_pod(self.endpoint, self.endpoint.pods)
            if missing:
                raise ScrapeError("unreachable", missing)
        raise failure

    async def failure_of(self, requests: Coroutine[Any, Any, None], timeout: float) -> Failure | None:
        """Await `requests` as `call` does, and return its error instead of raising it."""
        try:
            await self.call(requests, timeout)
        except ScrapeError as error:
            return self.endpoint.known_failure or Failure(error.kind, error.message)
        return None

    async def get(
        self, path: str, accept: tuple[int, ...] = (200,), stop_when: StopWhen | None = None
    ) -> HttpResponse:
        """Return the response to a GET of `path`.

        Raises ScrapeError (kind `http_status`) unless its status is in `accept`.
        """
        response = await self.request(path, "GET", stop_when)
        if response.status not in accept:
            raise ScrapeError("http_status", _status_text(response, path or self.endpoint.path))
        return response

    async def request(
        self, path: str, method: str = "POST", stop_when: StopWhen | None = None
    ) -> HttpResponse:
        """Return the response, whatever its status.

        Args:
            path: Path and query, added to the path of the endpoint's URL.
            method: The method, in capitals. Envoy's admin requires POST for requests that change its state.
            stop_when: Called with the part of the body that has arrived; reading ends when it returns true.
        """
        response = await self._send(self.endpoint.path + path, method, stop_when)
        self.transferred += response.transferred
        require_parsable_size(response.body, self.max_bytes)
        if not response.reusable:
            self.close()
        return response

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def release(self) -> None:
        """End the use of this client. The connection stays open for later clients of the endpoint if its access keeps it."""
        if self._stream is not None and self._stream.is_consumed and not self._awaits_response:
            keep_stream(self.endpoint, self._stream)
            self._stream = None
        self.close()

    async def _send(self, path: str, method: str, stop_when: StopWhen | None) -> HttpResponse:
        """Send one request; if the kept connection was closed meanwhile, send it again on a new connection."""
        if self._stream is None:
            self._stream = kept_stream(self.endpoint)
        kept = self._stream is not None
        try:
            return await self._send_once(path, method, stop_when)
        except (OSError, EOFError):
            if not kept:
                raise
            self.close()
            return await self._send_once(path, method, stop_when)

    async def _send_once(self, path: str, method: str, stop_when: StopWhen | None) -> HttpResponse:
        if self._stream is None:
            self._stream = await self.connector.open(self.endpoint)
        endpoint = self.endpoint
        self._awaits_response = True
        response = await send_request(
            self._stream, path, endpoint.authority, endpoint.headers, self.max_bytes, stop_when, method
        )
        self._awaits_response = False
        return response

    async def _container_error(self) -> str:
        if self._stream is None or not self.endpoint.container:
            return ""
        return explain(await run_in_thread(self._stream.error_output), self.endpoint.container)


@dataclass(frozen=True)
class BlockingAdminClient:
    r"""One Envoy admin interface, for code without an event loop. Each request opens and closes a connection.

    Example:
        >>> admin = BlockingAdminClient.at("unix:///run/envoy/admin.sock")
        >>> admin.get_text("/ready", timeout=5)
        'LIVE\n'
        >>> admin.get_json("/stats?format=json&filter=^server.live$", timeout=5)
        {'stats': [{'name': 'server.live', 'value': 1}]}
        >>> admin.post("/healthcheck/fail", timeout=5)
        'OK\n'
    """

    endpoint: Endpoint
    max_bytes: int = MAX_BYTES

    @classmethod
    def at(cls, url: str, container: str = "") -> BlockingAdminClient:
        """Return the client for a URL: `http://host:port`, `https://…`, `unix:///path`, `unix://~/path` or `unix://@name`.

        With `container`, the URL is that of a port on the loopback of a Docker container.

        Raises:
            ArgumentError: The URL is wrong.
        """
        entry = {"name": "envoy", "url": url, "container": container}
        (endpoint,) = parse_endpoints([entry])
        return cls(endpoint)

    def request(self, path: str, timeout: float, method: str = "GET") -> HttpResponse:
        """Return the response, whatever its status.

        Args:
            path: Path and query.
            timeout: Seconds for the whole exchange, from the connection to the end of the body.
            method: The method, in capitals.

        Raises:
            ScrapeError: Kind `unreachable` (with `denied` if this user may not open the socket), `timeout`, `unparsable` or
                `too_large`. The message begins with the endpoint's address.
        """
        return asyncio.run(self._run(lambda client: client.request(path, method), timeout))

    def get_text(self, path: str, timeout: float, accept: tuple[int, ...] = (200,)) -> str:
        """Return the body of a GET as text. Raises ScrapeError as `request` does, and if the status is not in `accept`."""
        response = asyncio.run(self._run(lambda client: client.get(path, accept), timeout))
        return response.body.decode("utf-8", "replace")

    def get_json(self, path: str, timeout: float) -> Any:
        """Return the decoded JSON body of a GET. Raises ScrapeError as `get_text` does, and if the body is not JSON."""

        async def get(client: AdminClient) -> Any:
            return load((await client.get(path)).body)

        return asyncio.run(self._run(get, timeout))

    def post(self, path: str, timeout: float) -> str:
        """Return the body of a POST as text. Raises ScrapeError as `request` does, and if the status is not 200."""
        response = self.request(path, timeout, "POST")
        if response.status != 200:
            message = f"{self.endpoint.where}: {_status_text(response, path)}"
            raise ScrapeError("http_status", message)
        return response.body.decode("utf-8", "replace")

    async def _run(self, use: Callable[[AdminClient], Coroutine[Any, Any, T]], timeout: float) -> T:
        client = AdminClient(self.endpoint, Connector(), self.max_bytes)
        try:
            return await client.call(use(client), timeout)
        finally:
            client.close()


def _status_text(response: HttpResponse, path: str) -> str:
    """Return what a status means and what to do about it."""
    page = path.partition("?")[0]
    status = f"{page} returned status {response.status}"
    if response.status == 403:
        return f"{status}; add the page to admin.allow_paths, as a prefix match, since the query is part of the matched path"
    if 300 <= response.status < 400:
        target = without_secrets(response.headers.get("location", "nowhere"))[:100]
        return f"{status}, a redirect to {target!r}, which is not followed; give that address as url"
    if response.status == 404:
        return f"{status}; is this Envoy's admin interface, and not a listener?"
    body = f": {glimpse(response.body)}" if response.body and response.status == 400 else ""
    return f"{status}{body}"
