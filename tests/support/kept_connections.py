# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests on connections that are kept while a demo changes: what is answered, what is lost, and what Envoy closes."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates.serial_number import (
    serial_number,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._kube_client.errors import ClusterError

CONNECTIONS = 4
PAUSE = 0.002  # seconds between the requests of one connection


@dataclass
class Answers:
    """The responses to requests on kept connections, and to requests on connections of their own.

    Attributes:
        bodies: Number of responses by body.
        lost: A text for each request without a response of status 200.
        closed: Number of kept connections that Envoy closed after a response.
        serials: Number of handshakes by the serial number of the server's certificate.
    """

    bodies: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    closed: int = 0
    serials: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """The number of responses."""
        return sum(self.bodies.values())


class _Client(threading.Thread):
    def __init__(
        self, connect: Callable[[], socket.socket], kept: bool, answers: Answers, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(daemon=True)
        self._connect, self._kept, self._answers, self._tls = connect, kept, answers, tls
        self.stopped = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self.stopped.wait(PAUSE):
            try:
                self._request()
            except (OSError, http.client.HTTPException, ClusterError) as error:
                self._answers.lost.append(repr(error))
                self._connection = None
        if self._connection is not None:
            self._connection.close()

    def _request(self) -> None:
        if self._connection is None:
            self._connection = self._opened()
        self._connection.request("GET", "/")
        response = self._connection.getresponse()
        body = response.read().decode()
        if response.status != 200:
            self._answers.lost.append(f"{response.status} {body[:80]}")
        self._answers.bodies[body] += 1
        self._answers.closed += self._kept and response.will_close
        if response.will_close or not self._kept:
            self._connection.close()
            self._connection = None

    def _opened(self) -> http.client.HTTPConnection:
        sock = self._connect()
        sock.settimeout(30)
        connection = http.client.HTTPConnection("edge")
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock)
            self._answers.serials[serial_of(sock)] += 1
        connection.sock = sock
        return connection


def serial_of(sock: ssl.SSLSocket) -> int:
    """Return the serial number of the certificate of a server."""
    return serial_number(ssl.DER_cert_to_PEM_cert(sock.getpeercert(binary_form=True) or b"").encode())


@contextmanager
def requests_on(
    port: int,
    tls: ssl.SSLContext | None = None,
    least: int = 50,
    connect: Callable[[], socket.socket] | None = None,
) -> Iterator[Answers]:
    """Send requests during the block, on kept connections and on new ones.

    The block begins, and its end waits, until `least` further requests have been answered.

    Args:
        port: A port of this host.
        tls: The context of a client of TLS.
        least: Number of requests before and after the block.
        connect: Returns a connected socket, in place of one to `port`.
    """
    answers = Answers()
    connect = connect or partial(socket.create_connection, ("127.0.0.1", port))
    clients = [_Client(connect, number > 0, answers, tls) for number in range(CONNECTIONS + 1)]
    for client in clients:
        client.start()
    try:
        _wait_for(answers, least)
        yield answers
        _wait_for(answers, least)
    finally:
        for client in clients:
            client.stopped.set()
        for client in clients:
            client.join(60)
    assert not any(client.is_alive() for client in clients)


def _wait_for(answers: Answers, more: int) -> None:
    """Wait until `more` requests are answered, or one is lost."""
    enough, deadline = answers.total + more, time.monotonic() + 60
    while answers.total < enough and not answers.lost:
        assert time.monotonic() < deadline, f"{answers.total} of {enough} requests were answered"
        time.sleep(0.01)
