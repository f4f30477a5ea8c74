# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One text for each error of the operating system and of TLS."""

from __future__ import annotations

import doctest
import socket
import ssl
import threading

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network import error_text as module
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (FileNotFoundError(2, "No such file or directory", "/a"), "no such file or directory"),
        (TimeoutError("timed out"), "timed out"),
        (TimeoutError(), "timed out"),
        (TimeoutError(110, "Connection timed out"), "connection timed out"),
        (OSError("AF_UNIX path too long"), "AF_UNIX path too long"),
        (OSError("TLS is over"), "TLS is over"),
        (EOFError(), "EOFError"),
        (ValueError("Expecting value"), "expecting value"),
        (
            ssl.SSLError(1, "[SSL: NO_PROTOCOLS_AVAILABLE] no protocols available (_ssl.c:1)"),
            "[SSL: NO_PROTOCOLS",
        ),
    ],
)
def test_text_of_an_error(error: BaseException, expected: str) -> None:
    assert error_text(error).startswith(expected)


def handshake(answer: bytes) -> ssl.SSLError:
    """Return the error of a client whose server sends `answer`."""
    client, server = socket.socketpair()
    with client, server:
        threading.Thread(target=server.sendall, args=(answer,), daemon=True).start()
        with pytest.raises(ssl.SSLError) as raised:
            ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
    return raised.value


def test_text_of_a_server_without_tls() -> None:
    assert error_text(handshake(b"HTTP/1.1 400 Bad Request\r\n\r\n")) == "the server does not use TLS"


def test_text_of_a_refused_handshake() -> None:
    assert "alert handshake failure" in error_text(handshake(b"\x15\x03\x03\x00\x02\x02\x28"))


def test_text_of_an_untrusted_certificate() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    assert error_text(error) == "the certificate is not trusted (self-signed certificate)"


def test_examples() -> None:
    assert doctest.testmod(module).failed == 0
