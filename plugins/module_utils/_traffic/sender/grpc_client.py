# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""gRPC over HTTP/2, and gRPC-Web: unary calls and streams (grpc's PROTOCOL-HTTP2.md and PROTOCOL-WEB.md)."""

from __future__ import annotations

import gzip
import struct
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_connection import (
    Answer,
    RequestError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.grpc_messages import (
    GrpcMethod,
    descriptor_set,
    file_descriptor,
    reflection_messages,
    well_known,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.http2_client import Http2Client
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.multiplexed_client import (
    Headers,
    Stream,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.sender.protocol_keys import split_path
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.series.grpc_status import (
    status_name,
    status_of_http,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import GRPC_WEB

if TYPE_CHECKING:
    import ssl

    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import Session
    from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import Traffic

HEAD = struct.Struct(">BI")  # flags and length of each message
COMPRESSED, TRAILERS = 0x01, 0x80
LONGEST = 64 * 1_048_576  # bytes of one message
REFLECTION = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


class GrpcStream(Stream):
    """The answer to one call: messages, and a status in the trailers."""

    def __init__(self, kept: int, method: GrpcMethod | None) -> None:
        super().__init__(kept)
        self.messages = 0
        self.raw: list[bytes] = []  # without a method
        self._method = method
        self._buffer = bytearray()

    def add_data(self, data: bytes) -> None:
        """Add a part of the body, and count the messages that are complete."""
        self.size += len(data)
        self._buffer += data
        while len(self._buffer) >= HEAD.size:
            flags, length = HEAD.unpack_from(self._buffer)
            if length > LONGEST:
                self.fail(RequestError("protocol", f"a message is longer than {LONGEST} bytes"))
                return
            if len(self._buffer) < HEAD.size + length:
                return
            message = bytes(self._buffer[HEAD.size : HEAD.size + length])
            del self._buffer[: HEAD.size + length]
            try:
                self._message(flags, message)
            except (ValueError, OSError, EOFError, zlib.error) as error:
                self.fail(RequestError("protocol", f"a response message cannot be decoded: {error}"))
                return

    def _message(self, flags: int, message: bytes) -> None:
        if flags & TRAILERS:
            lines = message.decode("utf-8", "replace").split("\r\n")
            self.trailers = {
                name.strip().lower(): value.strip()
                for name, colon, value in (line.partition(":") for line in lines)
                if colon
            }
            return
        if flags & COMPRESSED:
            message = gzip.decompress(message)
        self.messages += 1
        if self._method is None:
            self.raw.append(message)
        elif len(self.body) < self._kept:
            self.body += f"{self._method.response_text(message)}\n".encode()[: self._kept - len(self.body)]

    def end(self) -> None:
        """Complete the answer. A stream that ends in the middle of a message is an error."""
        if self._buffer and self.status == 200:
            self.fail(RequestError("protocol", "the stream ended in the middle of a message"))
        super().end()

    def answer(self, tls: Session | None) -> Answer:
        """Return the complete answer with its gRPC status."""
        code = self.trailers.get("grpc-status", self.headers.get("grpc-status"))
        status = status_name(code) if code is not None else status_of_http(self.status)
        if not self.trailers and "grpc-status" in self.headers:
            self.trailers = {name: value for name, value in self.headers.items() if name.startswith("grpc-")}
        return super().answer(tls)._replace(messages=self.messages, grpc_status=status)


class GrpcClient(Http2Client):
    """A client that calls one method."""

    def __init__(
        self, traffic: Traffic, context: ssl.SSLContext | None, method: GrpcMethod, body: bytes
    ) -> None:
        super().__init__(traffic._replace(body=body), context)
        self._method = method
        self._headers = call_headers(self._headers, traffic.protocol == GRPC_WEB)

    def new_stream(self) -> Stream:
        """Return the receiver of an answer."""
        return GrpcStream(self._kept, self._method)


class ReflectionClient(Http2Client):
    """A client that queries a server for the descriptors of a service."""

    def __init__(self, traffic: Traffic, context: ssl.SSLContext | None) -> None:
        super().__init__(traffic, context)
        self._request, self._response = reflection_messages()
        self._last: GrpcStream | None = None

    def new_stream(self) -> Stream:
        """Return the receiver of an answer."""
        self._last = GrpcStream(0, None)
        return self._last

    async def files(self, service: str) -> list[Any]:
        """Return the descriptors of a service with everything that they import. Raises RequestError."""
        problem = ""
        for package in REFLECTION:
            found: dict[str, Any] = {}
            missing = [("file_containing_symbol", service)]
            problem = ""
            while missing and not problem:
                key, value = missing.pop()
                received, problem = await self._query(package, key, value)
                found |= {one.name: one for one in received}
                needed = {name for one in found.values() for name in one.dependency} - found.keys()
                pending = {value for _key, value in missing}
                missing += [
                    ("file_by_filename", name)
                    for name in sorted(needed - pending)
                    if well_known(name) is None
                ]
            if not problem:
                return list(found.values())
        raise RequestError("protocol", problem)

    async def _query(self, package: str, key: str, value: str) -> tuple[list[Any], str]:
        """Return the descriptors of one response, or why there are none."""
        path = f"/{package}.ServerReflection/ServerReflectionInfo"
        others = [(name, text) for name, text in self._headers if name != ":path"]
        others.insert(3, (":path", path))
        self._headers = call_headers(others, web=False)
        self.traffic = self.traffic._replace(body=framed(self._request(**{key: value}).SerializeToString()))
        answer = await self.exchange(time.monotonic() + self.traffic.timeout)
        if answer.grpc_status != "OK" or self._last is None or not self._last.raw:
            text = answer.trailers.get("grpc-message", "")
            return [], f"reflection of {value} failed: {answer.grpc_status} {unquote(text)}".strip()
        response = self._response()
        response.ParseFromString(self._last.raw[0])
        if response.HasField("error"):
            return [], f"reflection of {value} failed: {response.error.message}"
        return [file_descriptor(one) for one in response.files.file], ""


async def grpc_call(traffic: Traffic, context: ssl.SSLContext | None) -> tuple[GrpcMethod, bytes]:
    """Return the method of a traffic and the bytes of its request messages. Raises ArgumentError."""
    where = f"{traffic.name}: path"
    service, _method = split_path(traffic.target.path, where)
    if traffic.descriptor_set:
        files = _files_of(traffic.descriptor_set, f"{traffic.name}: descriptor_set")
    else:
        client = ReflectionClient(traffic._replace(reuse=True), context)
        try:
            files = await client.files(service)
        except RequestError as error:
            raise ArgumentError(
                f"{traffic.name}: descriptor_set",
                f"{error}. State a descriptor set, or enable reflection in the server.",
            ) from None
        finally:
            client.close()
    method = GrpcMethod(traffic.target.path, files, where)
    if len(traffic.messages) != 1 and not method.client_streaming:
        raise ArgumentError(
            f"{traffic.name}: messages",
            f"the method takes exactly one message, got {len(traffic.messages)}. State one.",
        )
    messages = [
        framed(method.request(one, f"{traffic.name}: messages[{position}]"))
        for position, one in enumerate(traffic.messages)
    ]
    return method, b"".join(messages)


def _files_of(path: str, where: str) -> list[Any]:
    """Return the descriptors of a file. Raises ArgumentError."""
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ArgumentError(where, f"{path} cannot be read: {error_text(error)}.") from None
    return descriptor_set(data, where)


def framed(message: bytes) -> bytes:
    """Return a message with its length."""
    return HEAD.pack(0, len(message)) + message


def call_headers(headers: Headers, web: bool) -> list[tuple[str, str]]:
    """Return the header fields of a call, from those of an HTTP request."""
    replaced = {"content-type", "content-length", "te", "accept"}
    kept = [
        (name, "POST" if name == ":method" else value)
        for name, value in headers
        if name not in replaced and not (web and name == "x-grpc-web")
    ]
    if web:
        kind = "application/grpc-web+proto"
        return [*kept, ("content-type", kind), ("accept", kind), ("x-grpc-web", "1")]
    return [*kept, ("content-type", "application/grpc+proto"), ("te", "trailers")]
