# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an endpoint is reached: each kind gives a stream to its admin, and the rest does not know which it was.

Another kind of endpoint (a host behind SSH) is one more function that ends in
a `Stream`, and one more line in `Connector.open`.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import dataclass, field

from ansible_collections.meshlab.envoy.plugins.module_utils._common.run_in_thread import run_in_thread
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

_QUEUE_FULL = 0.01  # seconds
_PATIENCE = 1.0  # seconds, with an address that says nothing while its name has others
_LONGEST_SOCKET_PATH = 107  # sun_path, less the byte that ends it

_Address = tuple[int, tuple[object, ...]]  # its family, and what connect takes


@dataclass
class Connector:
    """What may be used again by later connections."""

    addresses: dict[tuple[str, int], list[_Address]] = field(default_factory=dict)
    contexts: dict[Tls, ssl.SSLContext] = field(default_factory=dict)

    async def open(self, endpoint: Endpoint) -> Stream:
        """A stream to an endpoint; the caller bounds the time."""
        try:
            if endpoint.pods is not None:
                return await open_in_pod(endpoint, endpoint.pods)
            if endpoint.container:
                return open_in_container(endpoint)
            if endpoint.scheme == "unix":
                return await _open_unix(endpoint.socket)
            return await self._open_tcp(endpoint)
        except ssl.SSLError as error:
            raise ScrapeError("unreachable", f"TLS failed: {_ssl_words(error)}") from None
        except OSError as error:
            raise ScrapeError("unreachable", _os_words(error)) from None

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
        """A connection to the first address that takes one, which is tried first from then on. Raises what the last one did."""
        addresses = await self._addresses(host, port)
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(_PATIENCE):
                    connection = await _connect(address)
            except OSError:  # a timeout is one
                continue
            self.addresses[host, port] = [address, *(one for one in addresses if one != address)]
            return connection
        connection = await _connect(addresses[-1])
        if len(addresses) > 1:
            self.addresses[host, port] = [addresses[-1], *addresses[:-1]]
        return connection

    async def _addresses(self, host: str, port: int) -> list[_Address]:
        """Looks a name up beside the loop: a resolver may take longer than the deadline."""
        known = self.addresses.get((host, port)) or _numeric(host, port)
        if known:
            return known

        def look_up() -> list[_Address]:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except UnicodeError:
                raise OSError(f"{host!r} is no name of a host") from None
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
                context = _context(tls)
            except (OSError, ValueError) as error:  # an SSLError is an OSError
                raise ScrapeError(
                    "unreachable", f"a file of ca_path, client_cert or client_key cannot be used: {error}"
                ) from None
            self.contexts[tls] = context
        return context


async def _connect(address: _Address) -> socket.socket:
    family, place = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await connect(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=os.path.expanduser(tls.ca_path) if tls.ca_path else None)
    if not tls.validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert:
        context.load_cert_chain(
            os.path.expanduser(tls.client_cert),
            os.path.expanduser(tls.client_key) if tls.client_key else None,
        )
    return context


async def _open_unix(path: str) -> Stream:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = -1
    try:
        connection.setblocking(False)
        address = "\0" + path[1:] if path.startswith("@") else path
        if len(os.fsencode(address)) > _LONGEST_SOCKET_PATH and not path.startswith("@"):
            # The kernel takes 107 bytes; its folder's descriptor is a shorter way to the same socket.
            folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            address = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
        # Such a socket connects at once, or says that its queue is full: then waiting for it to become writable tells nothing.
        while True:
            try:
                connection.connect(address)
                break
            except BlockingIOError:
                await asyncio.sleep(_QUEUE_FULL)
    except BaseException:
        connection.close()
        raise
    finally:
        if folder >= 0:
            os.close(folder)
    return Stream(connection)


def _numeric(host: str, port: int) -> list[_Address]:
    """An address that needs no looking up."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port, *rest))]
    return []


def _ssl_words(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message}); give ca_path, or validate_certs: false"
        )
    if "WRONG_VERSION_NUMBER" in str(error):
        return "it does not speak TLS; use http:// instead of https://"
    return error.reason or str(error)


def _os_words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such socket; is Envoy running?"
    if isinstance(error, PermissionError):
        return "no permission to use its socket; become the user that Envoy runs as"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is Envoy running?"
    return error.strerror or str(error)
