# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for an API server: fixed answers, and port-forwards to ports of this machine. For what a real one does not do on demand."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.meshlab.envoy.plugins.module_utils._common import websocket_frames
from ansible_collections.meshlab.envoy.plugins.module_utils._common.websocket_handshake import accept_key


class FakeApiServer:
    """`answers` are (status, body, headers) by 'METHOD path'; `ports` say where a pod's port is, as {'pod:port': number}."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any, dict[str, str]]] = {}
        self.ports: dict[str, int] = {}
        self.asked: list[tuple[str, dict[str, list[str]], bytes, dict[str, str]]] = []
        self.forwards: list[socket.socket] = []
        self.close_before_answer = 0
        self.accept_key = ""  # answers a handshake in place of the right one
        handler = type("Handler", (_Handler,), {"stub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: str, body: Any, status: int = 200, **headers: str) -> None:
        self.answers[request] = (status, body, headers)

    def pods(self, namespace: str, *pods: dict[str, Any]) -> None:
        """What is listed, and got one by one."""
        place = f"/api/v1/namespaces/{namespace}/pods"
        self.answer(f"GET {place}", {"kind": "PodList", "items": list(pods)})
        for one in pods:
            self.answer(f"GET {place}/{one['metadata']['name']}", one)

    def options(self, **more: Any) -> dict[str, Any]:
        """The option `cluster` for it."""
        return {"host": self.url, "api_key": "secret-token", "namespace": "demo", **more}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        for one in self.forwards:
            with contextlib.suppress(OSError):
                one.close()


@contextlib.contextmanager
def fake_api_server() -> Iterator[FakeApiServer]:
    stub = FakeApiServer()
    try:
        yield stub
    finally:
        stub.close()


def pod(name: str, *, ready: bool = True, uid: str = "", **metadata: Any) -> dict[str, Any]:
    """A pod with one container `envoy`, as the API tells it."""
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
    stub: FakeApiServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: Any) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        self.stub.asked.append((f"{self.command} {parts.path}", parse_qs(parts.query), body, headers))
        if self.stub.close_before_answer:
            self.stub.close_before_answer -= 1
            self.close_connection = True
            return
        if parts.path.endswith("/portforward") and f"{self.command} {parts.path}" not in self.stub.answers:
            self._forward(parts.path.split("/")[-2], int(parse_qs(parts.query)["ports"][0]))
            return
        status, answer, more = self.stub.answers.get(
            f"{self.command} {parts.path}",
            (404, {"kind": "Status", "message": f'pods "{parts.path.rsplit("/", 1)[-1]}" not found'}, {}),
        )
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = _handle

    def _forward(self, name: str, port: int) -> None:
        """As the kubelet: the port's number on both channels, then data; what goes wrong on the second."""
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "Upgrade")
        self.send_header(
            "sec-websocket-accept", self.stub.accept_key or accept_key(self.headers["sec-websocket-key"])
        )
        self.end_headers()
        self.close_connection = True
        number = port.to_bytes(2, "little")
        remote = self.connection
        self.stub.forwards.append(remote)
        _send(remote, websocket_frames.BINARY, b"\0" + number)
        _send(remote, websocket_frames.BINARY, b"\1" + number)
        try:
            local = socket.create_connection(("127.0.0.1", self.stub.ports[f"{name}:{port}"]), 5)
        except (OSError, KeyError):
            words = f"error forwarding port {port} to pod x: failed to connect: connect: connection refused"
            _send(remote, websocket_frames.BINARY, b"\1" + words.encode())
            _send(remote, websocket_frames.CLOSE, (1000).to_bytes(2, "big"))
            return
        local.settimeout(None)

        def down() -> None:
            with contextlib.suppress(OSError):
                while data := local.recv(30_000):
                    _send(remote, websocket_frames.BINARY, b"\0" + data)
                _send(remote, websocket_frames.CLOSE, (1000).to_bytes(2, "big"))
                remote.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=down, daemon=True).start()
        inbox = bytearray()
        with contextlib.suppress(OSError), local:
            while data := remote.recv(65_536):
                inbox += data
                for opcode, payload in websocket_frames.frames(inbox):
                    if opcode != websocket_frames.CLOSE:
                        local.sendall(payload[1:])
            local.shutdown(socket.SHUT_RDWR)  # wakes the other thread


def _send(connection: socket.socket, opcode: int, payload: bytes) -> None:
    """A server's frames are not masked."""
    length = len(payload)
    size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
    connection.sendall(bytes([0x80 | opcode]) + size + payload)
