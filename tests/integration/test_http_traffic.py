# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic to real servers that answer, hang, send slowly, reset or close connections, with TLS and without."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.load_generator import (
    TrafficResult,
    send_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

ROOT = Path(__file__).resolve().parents[2]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-served-by: a\r\n\r\nok"
Behaviour = Callable[[socket.socket, int], None]


@contextmanager
def server(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Run a server that passes each connection, with its number from 0, to `behaviour`; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    ended = threading.Event()

    def handle(connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            if context is None:
                behaviour(connection, number)
            else:
                with context.wrap_socket(connection, server_side=True) as wrapped:
                    behaviour(wrapped, number)

    def accept() -> None:
        number = 0
        while not ended.is_set():
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection, number), daemon=True).start()
            number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def request(connection: socket.socket) -> bytes:
    """Return the next request without a body, or no bytes at the end."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        part = connection.recv(1)
        if not part:
            return b""
        data += part
    return data


def answer_each(connection: socket.socket, number: int) -> None:
    while request(connection):
        connection.sendall(OK)


def silent(connection: socket.socket, number: int) -> None:
    """Send nothing until the client closes the connection."""
    while connection.recv(1000):
        pass


def send(port: int, scheme: str = "http", **keys: Any) -> TrafficResult:
    """Return the result of traffic to a port of this machine."""
    url = f"{scheme}://127.0.0.1:{port}" + ("/" if "http" in scheme else "")
    return send_traffic(parse_traffic([{"url": url, "timeout": 60, **keys}])[0])


def test_connections_are_reused_or_new() -> None:
    with server(answer_each) as port:
        kept, new = send(port, requests=20), send(port, requests=20, connections="new")
    assert (kept["statuses"], kept["connections"], kept["hosts"]) == ({"200": 20}, 1, {"a": 20})
    assert (new["statuses"], new["connections"]) == ({"200": 20}, 20)


def test_concurrency_is_the_number_of_open_requests() -> None:
    lock, gauge, highest = threading.Lock(), [0], [0]

    def counting(connection: socket.socket, number: int) -> None:
        while request(connection):
            with lock:
                gauge[0] += 1
                highest[0] = max(highest[0], gauge[0])
            time.sleep(0.01)
            with lock:
                gauge[0] -= 1
            connection.sendall(OK)

    with server(counting) as port:
        result = send(port, requests=63, concurrency=7)
    assert (result["statuses"], result["connections"], highest[0]) == ({"200": 63}, 7, 7)


def test_rate_and_duration_limit_the_requests() -> None:
    with server(answer_each) as port:
        result = send(port, requests=11, rate=100, concurrency=4)
        lasting = send(port, duration=0.3, rate=100)
    assert result["elapsed"] >= 0.1
    assert lasting["elapsed"] >= 0.25
    assert 1 <= lasting["sent"] == lasting["answered"] <= 31


def test_while_file_extends_the_duration(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    served: list[int] = []

    def counting(connection: socket.socket, number: int) -> None:
        while request(connection):
            served.append(number)
            connection.sendall(OK)

    with server(counting) as port, ThreadPoolExecutor(1) as pool:
        lasting = pool.submit(send, port, duration=0.2, rate=100, concurrency=2, while_file=str(flows))
        until(flows.exists)
        assert not lasting.done()
        until(lambda: len(served) >= 60)  # at this rate, three times the duration
        assert not lasting.done(), "the duration alone ended the traffic"
        flows.unlink()
        result = lasting.result(timeout=60)
        assert result["elapsed"] >= 0.5
        assert result["answered"] == result["sent"] >= 60

        # A file that is removed earlier does not shorten the duration.
        lasting = pool.submit(send, port, duration=0.5, rate=100, while_file=str(flows))
        until(flows.exists)
        flows.unlink()
        assert lasting.result(timeout=60)["elapsed"] >= 0.4
    assert not flows.exists()


def test_while_file_is_created_without_any_answer(tmp_path: Path) -> None:
    flows = tmp_path / "flows"
    with ThreadPoolExecutor(1) as pool:
        lasting = pool.submit(send, 1, duration=0.1, while_file=str(flows))
        until(flows.exists)
        flows.unlink()
        assert lasting.result(timeout=60)["answered"] == 0


def test_while_file_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    for name, words in (("there", "exists already"), ("none/flows", "is not a writable folder")):
        with pytest.raises(ArgumentError, match=words):
            send(1, duration=0.1, while_file=str(tmp_path / name))


def until(condition: Callable[[], bool]) -> None:
    """Wait up to 60 s for a condition."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_silent_server_is_a_timeout() -> None:
    with server(silent) as port:
        result = send(port, requests=2, timeout=0.1)
    assert (result["errors"], result["answered"]) == ({"timeout": 2}, 0)
    assert result["elapsed"] >= 0.2


def test_timeout_is_for_the_whole_answer() -> None:
    def send_byte_by_byte(connection: socket.socket, number: int) -> None:
        request(connection)
        for byte in OK:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    with server(send_byte_by_byte) as port:
        assert send(port, timeout=0.3)["errors"] == {"timeout": 1}
        assert send(port, timeout=300)["statuses"] == {"200": 1}


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_first_request_of_a_connection_is_not_repeated() -> None:
    served: list[int] = []

    def resetting(connection: socket.socket, number: int) -> None:
        served.append(number)
        request(connection)
        reset(connection)

    def closing(connection: socket.socket, number: int) -> None:
        served.append(number)
        request(connection)

    for behaviour in (resetting, closing):
        served.clear()
        with server(behaviour) as port:
            result = send(port, requests=3)
        assert (result["errors"], result["retries"], served) == ({"reset": 3}, 0, [0, 1, 2])


def test_closed_kept_connection_is_opened_again() -> None:
    def twice(connection: socket.socket, number: int) -> None:
        for _request in range(2):
            request(connection)
            connection.sendall(OK)

    with server(twice) as port:
        result = send(port, requests=10)
    assert (result["statuses"], result["errors"]) == ({"200": 10}, {})
    assert (result["connections"], result["retries"]) == (5, 4)


def test_request_is_repeated_only_once() -> None:
    served: list[int] = []

    def first_only(connection: socket.socket, number: int) -> None:
        served.append(number)
        if number == 0 and request(connection):
            connection.sendall(OK)
            request(connection)
        else:
            request(connection)

    with server(first_only) as port:
        result = send(port, requests=2)
    assert (result["statuses"], result["errors"], served) == ({"200": 1}, {"reset": 1}, [0, 1])


def test_incomplete_answer_is_not_requested_again() -> None:
    served: list[bytes] = []

    def breaking_off(connection: socket.socket, number: int) -> None:
        while data := request(connection):
            served.append(data)
            if len(served) == 2:
                connection.sendall(OK[:-1])
                return
            connection.sendall(OK)

    with server(breaking_off) as port:
        result = send(port, requests=3)
    assert (result["statuses"], result["errors"], result["retries"], len(served)) == (
        {"200": 2},
        {"reset": 1},
        0,
        3,
    )


def test_connection_close_costs_no_retry() -> None:
    def closing(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))

    with server(closing) as port:
        result = send(port, requests=5)
    assert (result["statuses"], result["connections"], result["retries"]) == ({"200": 5}, 5, 0)


def test_redirect_is_not_followed() -> None:
    def redirecting(connection: socket.socket, number: int) -> None:
        while request(connection):
            connection.sendall(
                b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n"
            )

    with server(redirecting) as port:
        assert send(port, requests=2)["statuses"] == {"302": 2}


def test_large_answer_is_read_to_its_end() -> None:
    def large(connection: socket.socket, number: int) -> None:
        while request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n" + bytes(20_000_000))

    with server(large) as port:
        result = send(port, requests=2, expect=[{"body": "x", "op": "eq", "value": 0}])
    assert (result["bytes_received"], result["connections"]) == (40_000_000, 1)
    assert result["expect"][0]["ok"]


def test_refused_connection_and_unknown_host_are_errors() -> None:
    refused = send(1, requests=2)
    assert (refused["errors"], refused["last_error"]) == (
        {"connect": 2},
        "connect: cannot connect to 127.0.0.1:1: connection refused",
    )
    assert send_traffic(parse_traffic([{"url": "http://nowhere.invalid/"}])[0])["errors"] == {"connect": 1}


def test_refused_connections_are_repeated_with_a_pause() -> None:
    for duration in (0.3, 3, 30):  # longer where a busy machine made no attempt in time
        tries = send(1, duration=duration)["errors"]["connect"]
        assert tries <= 100 * duration + 1
        if tries >= 2:
            break
    assert tries >= 2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two CAs (ca, other) and the certificates that ca signed (server, client)."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for ca in ("ca", "other"):
        openssl(
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{ca}.key",
            "-out",
            f"{ca}.pem",
            "-subj",
            f"/CN={ca}",
            "-days",
            "2",
        )
    for name, names in (("server", "DNS:shop.example.com,IP:127.0.0.1"), ("client", "DNS:client")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text(f"subjectAltName={names}")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-extfile", "names"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
    openssl("ec", "-in", "client.key", "-aes128", "-passout", "pass:secret", "-out", "encrypted.key")
    return folder


def server_context(folder: Path, client_ca: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    if client_ca:
        context.load_verify_locations(folder / client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_server_certificate_is_verified_by_ca_and_name(certificates: Path) -> None:
    server_names: list[str | None] = []
    context = server_context(certificates)
    context.sni_callback = lambda connection, name, _context: server_names.append(name)
    ca = str(certificates / "ca.pem")
    with server(answer_each, context) as port:
        plain = send(port, "https", requests=5, ca=ca)
        named = send(port, "https", server_name="shop.example.com", ca=ca)
        wrong_name = send(port, "https", server_name="www.example.com", ca=ca)
        wrong_ca = send(port, "https", requests=2, ca=str(certificates / "other.pem"))
        no_ca = send(port, "https")
    assert (plain["statuses"], plain["connections"]) == ({"200": 5}, 1)
    assert named["statuses"] == {"200": 1}
    assert server_names[1:3] == ["shop.example.com", "www.example.com"]
    assert (wrong_name["errors"], wrong_ca["errors"], no_ca["errors"]) == ({"tls": 1}, {"tls": 2}, {"tls": 1})
    assert "www.example.com" in wrong_name["last_error"]


def test_tls_session_follows_from_the_options(certificates: Path) -> None:
    ca = str(certificates / "ca.pem")
    with server(answer_each, server_context(certificates)) as port:
        default = send(port, "https", ca=ca, requests=2)["tls"]
        old = send(port, "https", ca=ca, tls_version="TLSv1.2", ciphers="ECDHE+CHACHA20")["tls"]
        expect = [{"tls": {"version": "TLSv1.3", "alpn": "http/1.1"}, "op": "eq", "value": 2}]
        assert send(port, "https", ca=ca, requests=2, expect=expect)["expect"][0]["ok"]
        assert send(port, requests=2, expect=expect)["expect"][0]["ok"] is False
    with server(echoing, server_context(certificates)) as port:
        keys = {"payload": "ping\n", "ca": ca}
        assert set(send(port, "tls", alpn=["h2", "x"], **keys)["tls"]) == {
            "TLSv1.3, h2, TLS_AES_256_GCM_SHA384"
        }
        assert set(send(port, "tls", **keys)["tls"]) == {"TLSv1.3, TLS_AES_256_GCM_SHA384"}
        with pytest.raises(ArgumentError, match="OpenSSL supports none of 'none'"):
            send(port, "tls", ciphers="none", **keys)
    assert default == {"TLSv1.3, http/1.1, TLS_AES_256_GCM_SHA384": 2}
    [session] = old
    assert session.startswith("TLSv1.2, http/1.1, ECDHE-")
    assert session.endswith("CHACHA20-POLY1305")


def test_plain_and_tls_do_not_mix(certificates: Path) -> None:
    with server(answer_each, server_context(certificates)) as port:
        assert set(send(port)["errors"]) <= {"reset", "protocol"}
        assert send(port)["answered"] == 0

    def answer_without_tls(connection: socket.socket, number: int) -> None:
        connection.recv(10)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with server(answer_without_tls) as port:
        assert send(port, "https", ca=str(certificates / "ca.pem"))["errors"] == {"tls": 1}


def test_client_certificate_is_required_by_the_server(certificates: Path) -> None:
    pair = {"certificate": str(certificates / "client.pem"), "key": str(certificates / "client.key")}
    ca = str(certificates / "ca.pem")
    with server(answer_each, server_context(certificates, client_ca="ca.pem")) as port:
        accepted = send(
            port, "https", requests=3, concurrency=2, connections="new", ca=ca, client_certificate=pair
        )
        without = send(port, "https", requests=2, ca=ca)
    with server(answer_each, server_context(certificates, client_ca="other.pem")) as port:
        unknown_ca = send(port, "https", ca=ca, client_certificate=pair)
    assert accepted["statuses"] == {"200": 3}
    # In TLS 1.3 the server refuses after the client's part of the handshake, with an alert or by closing the connection.
    assert sum(without["errors"].values()) == 2
    assert set(without["errors"]) | set(unknown_ca["errors"]) <= {"tls", "reset"}


@pytest.mark.parametrize("key", ["encrypted.key", "server.key", "missing.key"])
def test_unusable_key_is_an_error_before_any_request(certificates: Path, key: str) -> None:
    pair = {"certificate": str(certificates / "client.pem"), "key": str(certificates / key)}
    with pytest.raises(
        ValueError, match=rf"client_certificate: .*client\.pem and its key .*{key} cannot be used"
    ):
        send(1, "https", client_certificate=pair)


def test_home_directory_is_expanded(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(certificates))
    with server(answer_each, server_context(certificates)) as port:
        assert send(port, "https", ca="~/ca.pem")["statuses"] == {"200": 1}


def echoing(connection: socket.socket, number: int) -> None:
    name = f"served-by host-{number % 2}\n".encode()
    while data := connection.recv(1000):
        connection.sendall(name + data)
        name = b""


def test_tcp_counts_replies_and_hosts(certificates: Path) -> None:
    with server(echoing) as port:
        new = send(port, "tcp", requests=6, payload="ping\n", reply="^ping$", connections="new")
        kept = send(port, "tcp", requests=6, payload="ping\n", reply="^ping$")
    assert (new["answered"], new["hosts"], new["connections"]) == (6, {"host-0": 3, "host-1": 3}, 6)
    assert (kept["answered"], kept["connections"], len(kept["hosts"])) == (6, 1, 1)
    with server(echoing, server_context(certificates)) as port:
        assert send(port, "tls", payload="ping\n", reply="^ping$", ca=str(certificates / "ca.pem"))[
            "hosts"
        ] == {"host-0": 1}


def test_tcp_reply_is_read_until_it_matches() -> None:
    def in_pieces(connection: socket.socket, number: int) -> None:
        while connection.recv(1000):
            for piece in (b"po", b"ng", b"\n"):
                connection.sendall(piece)
                time.sleep(0.02)

    def greeting(connection: socket.socket, number: int) -> None:
        connection.sendall(b"220 ready\r\n")
        connection.recv(1)

    with server(silent) as port:
        assert send(port, "tcp", payload="x", timeout=0.1)["errors"] == {"timeout": 1}
    with server(in_pieces) as port:
        assert send(port, "tcp", payload="x", reply="^pong\n", requests=3)["answered"] == 3
        for timeout in (0.3, 5, 60):  # for all three pieces
            wrong = send(port, "tcp", payload="x", reply="^ping", timeout=timeout)
            assert wrong["answered"] == 0
            if "pong" in wrong["last_error"]:
                break
        assert wrong["errors"] == {"reply": 1}
        assert wrong["last_error"] == r"reply: expected a reply that matches '^ping', got b'pong\n'"
    with server(greeting) as port:
        assert send(port, "tcp", reply="^220 ")["answered"] == 1
        assert send(port, "tcp")["answered"] == 1, (
            "without payload and reply, a connection counts as an answer"
        )


def test_udp_counts_replies_and_lost_datagrams() -> None:
    def answer(listener: socket.socket) -> None:
        for number in range(10):
            data, address = listener.recvfrom(1000)
            if number != 4:
                listener.sendto(b"served-by u\n" + data, address)

    for timeout in (0.2, 5, 60):  # for each of the nine replies
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", 0))
            thread = threading.Thread(target=answer, args=(listener,), daemon=True)
            thread.start()
            port = listener.getsockname()[1]
            result = send(port, "udp", payload="x", requests=10, timeout=timeout)
            thread.join()
        if result["errors"] == {"timeout": 1}:
            break
    assert (result["answered"], result["errors"], result["hosts"]) == (9, {"timeout": 1}, {"u": 9})
    assert send(1, "udp", payload="x")["errors"] == {"reset": 1}


def test_udp_uses_the_first_address_with_a_route(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        # Linux refuses a broadcast address without SO_BROADCAST.
        found = [
            (socket.AF_INET, socket.SOCK_DGRAM, 0, "", (to, port)) for to in ("255.255.255.255", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **more: found)

        def echo() -> None:
            data, peer = receiver.recvfrom(100)
            receiver.sendto(data, peer)

        thread = threading.Thread(target=echo, daemon=True)
        thread.start()
        result = send(port, "udp", payload="x", requests=1, timeout=5)
        thread.join(10)
        assert result["answered"] == 1, result
        found[1:] = []
        assert send(port, "udp", payload="x", requests=1, timeout=1)["errors"] == {"connect": 1}


def test_module_runs_through_ansible(tmp_path: Path) -> None:
    """Ansible packs the module and runs it on the host; the demo app answers."""
    environment = {
        "DEMO_APP_PORT": "0",
        "DEMO_APP_BIND": "127.0.0.1",
        "DEMO_APP_SERVICE": "1",
        "DEMO_APP_HOSTNAME": "app-1",
    }
    application = ROOT / "roles" / "demo_app" / "files" / "demo_app.py"
    with subprocess.Popen(
        [sys.executable, str(application)],
        env={"PATH": "/usr/bin:/bin", **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().split()[-1]
            expect = [{"status": 200, "op": "eq", "value": 20}, {"hosts": "app-1", "op": "eq", "value": "20"}]
            arguments = {
                "url": f"http://127.0.0.1:{port}/service/1",
                "requests": 20,
                "concurrency": 2,
                "expect": expect,
            }
            held = ansible(arguments)
            failed = ansible({**arguments, "url": f"http://127.0.0.1:{port}/service/2", "name": "service 2"})
        finally:
            process.terminate()
    assert held.returncode == 0, held.stdout + held.stderr
    assert json.loads(held.stdout)["traffic"][0]["statuses"] == {"200": 20}
    assert failed.returncode != 0
    assert (
        "expected 20, got 0 (answers with status 200 of traffic service 2). Other answers: 20 × 404."
        in failed.stdout
    )


def ansible(arguments: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the module on this host; its result is on standard output as JSON."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-c", "local"]
    command += [
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-m",
        "meshlab.envoy.http_traffic",
        "-a",
        json.dumps(arguments),
    ]
    environment = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    done.stdout = done.stdout.partition("=> ")[2] if done.returncode == 0 else done.stdout
    return done


APP = ROOT / "roles" / "demo_app" / "files" / "demo_app.py"


@contextmanager
def app() -> Iterator[int]:
    environment = {"DEMO_APP_PORT": "0", "DEMO_APP_BIND": "127.0.0.1", "DEMO_APP_HOSTNAME": "app-1"}
    with subprocess.Popen(
        [sys.executable, str(APP)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().split()[-1])
        finally:
            process.kill()


def send_messages(port: int, path: str = "/websocket", **keys: Any) -> TrafficResult:
    """Return the result of traffic over WebSocket to a port of this machine."""
    return send_traffic(
        parse_traffic([{"url": f"ws://127.0.0.1:{port}{path}", "payload": "ping", "timeout": 60, **keys}])[0]
    )


def test_websocket_counts_messages() -> None:
    with app() as port:
        kept = send_messages(port, requests=50, reply="ping$")
        new = send_messages(port, requests=5, connections="new", reply="^ping$", payload="ping\n" * 20_000)
        other = send_messages(port, "/", requests=3)
        wrong = send_messages(port, reply="pong", requests=2)
    assert (kept["statuses"], kept["connections"], kept["hosts"]) == ({"101": 50}, 1, {"app-1": 50})
    # The app sends its name once for each connection.
    assert kept["bytes_received"] == 50 * len("ping") + len("served-by app-1\n")
    assert (new["statuses"], new["connections"]) == ({"101": 5}, 5)
    # The refusal of an upgrade is an answer.
    assert (other["statuses"], other["errors"], other["connections"]) == ({"200": 3}, {}, 3)
    assert wrong["errors"] == {"reply": 2}
    assert "expected a reply that matches 'pong'" in wrong["last_error"]


def test_websocket_with_wrong_accept_key_is_an_error() -> None:
    def forger(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: forged\r\n\r\n"
        )

    def closer(connection: socket.socket, number: int) -> None:
        request(connection)

    with server(forger) as port:
        error = send_messages(port)["last_error"]
        assert error.startswith("protocol: the upgrade failed: expected sec-websocket-accept ")
        assert error.endswith(", got forged")
    with server(closer) as port:
        assert send_messages(port)["errors"] == {"reset": 1}


def test_traffic_is_repeated_within_its_time() -> None:
    requests = [0]

    def answer_503_six_times(connection: socket.socket, number: int) -> None:
        while request(connection):
            requests[0] += 1
            connection.sendall(OK if requests[0] > 6 else OK.replace(b"200 OK", b"503 No"))

    expect = [{"status": "200", "op": "eq", "value": 2}]
    with server(answer_503_six_times) as port:
        once = send(port, requests=2, expect=expect)
        result = send(port, requests=2, expect=expect, within=60)
        assert (once["expect"][0]["ok"], once["statuses"]) == (False, {"503": 2})
        assert (result["statuses"], requests[0]) == ({"200": 2}, 8)
        for within in (0.2, 5, 30):
            never = send(port, requests=1, expect=expect, within=within)
            assert never["expect"][0]["ok"] is False
            if requests[0] > 10:
                break
    assert requests[0] > 10


def test_stall_is_in_the_latencies_of_an_open_loop() -> None:
    """A server that stops for half a second: a closed loop has one slow request, an open loop all that were due in that time."""
    stalled = threading.Event()

    def stalling(connection: socket.socket, number: int) -> None:
        count = 0
        while request(connection):
            count += 1
            if count == 20 and not stalled.is_set():
                stalled.set()
                time.sleep(0.5)
            connection.sendall(OK)

    with server(stalling) as port:
        closed = send(port, requests=300)
        stalled.clear()
        late = send(port, requests=300, rate=300)
    assert closed["latency_ms"]["max"] >= 500
    assert closed["latency_ms"]["p90"] < 250
    # Half of the requests were due during the stall, and each waited for its rest.
    assert late["latency_ms"]["p90"] >= 250
    assert late["statuses"] == closed["statuses"] == {"200": 300}


def test_load_keeps_its_rate_with_several_processes() -> None:
    with server(answer_each) as port:
        ramp = send(
            port,
            phases=[{"duration": 0.5, "rate": 100}, {"duration": 1, "rate": 100, "to_rate": 300}],
            processes=2,
        )
        warm = send(port, rate=100, duration=1, warm_up=0.4, concurrency=20)
        many = send(port, requests=600, concurrency=300)
        refused = send_traffic(
            parse_traffic([{"url": "http://127.0.0.1:1/", "requests": 5, "processes": 2, "concurrency": 2}])[
                0
            ]
        )
    assert (ramp["statuses"], ramp["errors"]) == ({"200": 250}, {})
    assert (
        sum(count for _bound, count in ramp["latency_histogram"])
        == sum(one["requests"] for one in ramp["timeline"])
        == 250
    )
    assert warm["statuses"] == {"200": 60}
    assert (many["statuses"], many["connections"]) == ({"200": 600}, 300)
    assert refused["errors"] == {"connect": 5}


def test_load_counts_answers_that_are_cut() -> None:
    def closing(connection: socket.socket, number: int) -> None:
        if request(connection):
            connection.sendall(OK if number % 2 else OK[:-1])

    with server(closing) as port:
        result = send(port, requests=10, processes=2, concurrency=2)
    assert result["sent"] == 10
    assert result["errors"]["reset"] == 10 - result["answered"] > 0
