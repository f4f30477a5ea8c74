# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a stream to an endpoint: over TCP, TLS, a Unix socket, a container or a pod.

Another kind of endpoint (for example a host behind SSH) needs one more function that returns a `Stream`, and one more line in
`Connector.open`.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._common.async_timeout import time_limit
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.run_in_thread import (
    run_in_thread,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.tls import (
    TlsError,
    client_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.unix_socket import (
    QUEUE_FULL_PAUSE,
    socket_address,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.byte_stream import (
    Stream,
    TlsStream,
    connect,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.container_exec import (
    open_in_container,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.endpoint import Endpoint, Tls
from ansible_collections.meshlab.envoy.plugins.module_utils._endpoints.pod_endpoints import open_in_pod
from ansible_collections.meshlab.envoy.plugins.module_utils._readings.errors import ScrapeError

# Seconds for one address of a name that has more addresses.
_ADDRESS_TIMEOUT = 1.0

_TLS_OPTIONS = {"ca": "ca_path", "certificate": "client_cert", "key": "client_key"}

_Address = tuple[int, tuple[object, ...]]  # the address family, and the argument of socket.connect


@dataclass
class Connector:
    """Opens streams, and keeps the addresses and TLS contexts that later connections use again."""

    addresses: dict[tuple[str, int], list[_Address]] = field(default_factory=dict)
    contexts: dict[Tls, ssl.SSLContext] = field(default_factory=dict)

    async def open(self, endpoint: Endpoint) -> Stream:
        """Return a stream to the endpoint. The caller limits the time. Raises ScrapeError."""
        try:
            if endpoint.pods is not None:
                return await open_in_pod(endpoint, endpoint.pods)
            if endpoint.container:
                return open_in_container(endpoint)
            if endpoint.scheme == "unix":
                return await _open_unix(endpoint.socket)
            return await self._open_tcp(endpoint)
        except OSError as error:  # ssl.SSLError is one
            raise _unreachable(error) from None

    async def _open_tcp(self, endpoint: Endpoint) -> Stream:
        connection = await self._connected(endpoint.host, endpoint.port)
        try:
            if endpoint.scheme == "https":
                context = self._context(endpoint.tls)
                reader, writer = await asyncio.open_connection(
                    sock=connection, ssl=context, server_hostname=endpoint.host
                )
                return TlsStream(connection, reader, writer)
        except BaseException:
            connection.close()
            raise
        return Stream(connection)

    async def _connected(self, host: str, port: int) -> socket.socket:
        """Return a connection to the first address that accepts one; later connections try that address first.

        Raises the error of the last address.
        """
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            try:
                async with time_limit(_ADDRESS_TIMEOUT):
                    connection = await _connect(address)
            except OSError:  # TimeoutError is one
                continue
            self.addresses[host, port] = [address, *(other for other in addresses if other != address)]
            return connection
        connection = await _connect(addresses[-1])
        if len(addresses) > 1:
            self.addresses[host, port] = [addresses[-1], *addresses[:-1]]
        return connection

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        """Return the addresses of a name. The lookup runs in a thread: it may take longer than the deadline."""
        known = self.addresses.get((host, port)) or _numeric(host, port)
        if known:
            return known

        def look_up() -> list[_Address]:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except UnicodeError:
                raise OSError(f"{host!r} is not a host name") from None
            return list(
                dict.fromkeys((family, address) for family, _kind, _protocol, _name, address in found)
            )

        found = await run_in_thread(look_up)
        self.addresses[host, port] = found
        return found

    def _context(self, tls: Tls) -> ssl.SSLContext:
        context = self.contexts.get(tls)
        if context is None:
            try:
                context = client_context(
                    ca=tls.ca_path or None,
                    verify=tls.validate,
                    certificate=tls.client_cert or None,
                    key=tls.client_key or None,
                )
            except TlsError as error:
                option = _TLS_OPTIONS.get(error.setting, error.setting)
                raise ScrapeError("unreachable", f"{option}: {error}; correct the path or the file") from None
            self.contexts[tls] = context
        return context


async def _connect(address: _Address) -> socket.socket:
    family, target = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await connect(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection


async def _open_unix(path: str) -> Stream:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        with socket_address(path) as address:
            # The kernel connects at once or reports a full queue; a wait for "writable" would end at once in both cases.
            while True:
                try:
                    connection.connect(address)
                    break
                except BlockingIOError:
                    await asyncio.sleep(QUEUE_FULL_PAUSE)
    except BaseException:
        connection.close()
        raise
    return Stream(connection)


def _numeric(host: str, port: int) -> list[_Address]:
    """Return the address if `host` is an IP address, which needs no lookup."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port, *rest))]
    return []


def _unreachable(error: OSError) -> ScrapeError:
    text, denied = error_text(error), False
    if isinstance(error, ssl.SSLCertVerificationError):
        text += "; set ca_path, or validate_certs: false"
    elif isinstance(error, ssl.SSLError):
        text = f"TLS failed: {text}"
        if "WRONG_VERSION_NUMBER" in str(error):
            text += "; use http:// instead of https://"
    elif isinstance(error, FileNotFoundError):
        text = "the socket does not exist; is Envoy running?"
    elif isinstance(error, PermissionError):
        text, denied = (
            "no permission to connect to the socket; use become with the user that Envoy runs as",
            True,
        )
    elif isinstance(error, ConnectionRefusedError):
        text += "; is Envoy running?"
    return ScrapeError("unreachable", text, denied)
