# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with fixed responses, and with port-forwards to ports of this host. For what a real API server does not do on demand."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.websocket_handshake import (
    accept_key,
)


class FakeApiServer:
    """An HTTP server on a free port.

    Attributes:
        responses: Status, body and headers by request: `{"GET /version": (200, {"major": "1"}, {})}`.
        ports: The port of this host for a port of a pod: `{"web-1:9901": 41234}`.
        requests: Method and path, query, body and headers of all requests so far.
        forwards: The connections of all port-forwards so far.
        close_before_response: The number of next requests whose connection is closed without a response.
        accept_key: Replaces the Sec-WebSocket-Accept of port-forwards if it is not empty.
    """

    def __init__(self) -> None:
        self.responses: dict[str, tuple[int, Any, dict[str, str]]] = {}
        self.ports: dict[str, int] = {}
        self.requests: list[tuple[str, dict[str, list[str]], bytes, dict[str, str]]] = []
        self.forwards: list[socket.socket] = []
        self.close_before_response = 0
        self.accept_key = ""
        handler = type("Handler", (_Handler,), {"server_state": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def respond(self, request: str, body: Any, status: int = 200, **headers: str) -> None:
        """Set the response to a request such as `GET /version`."""
        self.responses[request] = (status, body, headers)

    def set_pods(self, namespace: str, *pods: dict[str, Any]) -> None:
        """Set the responses to the list of pods, and to the requests for each of them."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        self.respond(f"GET {path}", {"kind": "PodList", "items": list(pods)})
        for one in pods:
            self.respond(f"GET {path}/{one['metadata']['name']}", one)

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the option `cluster` for this server."""
        return {"host": self.url, "api_key": "secret-token", "namespace": "demo", **more}

    def close(self) -> None:
        """Stop the server, and close all port-forwards."""
        self.server.shutdown()
        self.server.server_close()
        for one in self.forwards:
            with contextlib.suppress(OSError):
                one.close()


@contextlib.contextmanager
def fake_api_server() -> Iterator[FakeApiServer]:
    """Start a server, and close it at the end of the block."""
    server = FakeApiServer()
    try:
        yield server
    finally:
        server.close()


def pod(name: str, *, ready: bool = True, uid: str = "", **metadata: Any) -> dict[str, Any]:
    """Return a pod with one container `envoy`, as the API returns it."""
    state = (
        {"running": {}} if ready else {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    )
    return {
        "metadata": {"name": name, "namespace": "demo", "uid": uid or f"uid-{name}", **metadata},
        "spec": {"containers": [{"name": "envoy", "ports": [{"name": "admin", "containerPort": 9901}]}]},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [{"name": "envoy", "ready": ready, "state": state}],
        },
    }


class _Handler(BaseHTTPRequestHandler):
    server_state: FakeApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: Any) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        self.server_state.requests.append(
            (f"{self.command} {parts.path}", parse_qs(parts.query), body, headers)
        )
        if self.server_state.close_before_response:
            self.server_state.close_before_response -= 1
            self.close_connection = True
            return
        if (
            parts.path.endswith("/portforward")
            and f"{self.command} {parts.path}" not in self.server_state.responses
        ):
            with contextlib.suppress(OSError):  # the client may close the connection at any time
                self._forward(parts.path.split("/")[-2], int(parse_qs(parts.query)["ports"][0]))
            return
        status, body_data, more = self.server_state.responses.get(
            f"{self.command} {parts.path}",
            (404, {"kind": "Status", "message": f'pods "{parts.path.rsplit("/", 1)[-1]}" not found'}, {}),
        )
        data = body_data if isinstance(body_data, bytes) else json.dumps(body_data).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = _handle

    def _forward(self, name: str, port: int) -> None:
        """Forward a port as the kubelet does: its number on both channels, then data on the first and errors on the second."""
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header(
            "sec-websocket-accept",
            self.server_state.accept_key or accept_key(self.headers["sec-websocket-key"]),
        )
        self.end_headers()
        self.close_connection = True
        number = port.to_bytes(2, "little")
        remote = self.connection
        self.server_state.forwards.append(remote)
        _send(remote, websocket_frames.BINARY, b"\0" + number)
        _send(remote, websocket_frames.BINARY, b"\1" + number)
        try:
            local = socket.create_connection(("127.0.0.1", self.server_state.ports[f"{name}:{port}"]), 5)
        except (OSError, KeyError):
            text = f"error forwarding port {port} to pod x: failed to connect: connect: connection refused"
            _send(remote, websocket_frames.BINARY, b"\1" + text.encode())
            _send(remote, websocket_frames.CLOSE, (1000).to_bytes(2, "big"))
            return
        local.settimeout(None)

        def send_to_client() -> None:
            with contextlib.suppress(OSError):
                while data := local.recv(30_000):
                    _send(remote, websocket_frames.BINARY, b"\0" + data)
                _send(remote, websocket_frames.CLOSE, (1000).to_bytes(2, "big"))
                remote.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=send_to_client, daemon=True).start()
        inbox = bytearray()
        with contextlib.suppress(OSError), local:
            while data := remote.recv(65_536):
                inbox += data
                for opcode, payload in websocket_frames.frames(inbox):
                    if opcode != websocket_frames.CLOSE:
                        local.sendall(payload[1:])
            local.shutdown(socket.SHUT_RDWR)  # wakes the other thread


def _send(connection: socket.socket, opcode: int, payload: bytes) -> None:
    """Send a frame without a mask, as servers do."""
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
    connection.sendall(bytes([0x80 | opcode]) + size + payload)
