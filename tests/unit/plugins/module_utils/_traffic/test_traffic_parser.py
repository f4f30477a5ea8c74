# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Traffic from plain data, its defaults, and the errors for what cannot be sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import KEYS, Traffic

URL = "http://127.0.0.1:8080/service/1"


def parsed(**keys: Any) -> Traffic:
    """Return traffic to URL with these keys."""
    return parse_traffic([{"url": URL, **keys}])[0]


def test_default_is_one_get_request() -> None:
    traffic = parsed()
    assert (traffic.name, traffic.requests, traffic.concurrency, traffic.reuse) == (URL, 1, 1, True)
    assert (traffic.method, traffic.timeout, traffic.rate, traffic.duration) == ("GET", 10.0, None, None)
    assert (traffic.host_header, traffic.host_body, traffic.expect) == ("x-served-by", None, ())


def test_keys_without_value_count_as_left_out() -> None:
    assert parsed(**dict.fromkeys(set(KEYS) - {"url"})) == parsed()


def test_body_is_posted_unless_a_method_is_set() -> None:
    assert parsed(body="a").method == "POST"
    assert parsed(body="a", method="put").method == "PUT"


def test_while_file_needs_a_duration() -> None:
    assert parsed(duration=1, while_file="/tmp/flows").while_file == "/tmp/flows"
    with pytest.raises(
        ArgumentError, match=r"while_file: it extends duration, which is missing\. Set duration"
    ):
        parsed(requests=5, while_file="/tmp/flows")


def test_duration_replaces_the_number_of_requests() -> None:
    assert parsed(duration=2).requests is None


def test_numbers_can_be_text() -> None:
    traffic = parsed(requests="20", timeout="0.5", rate="1e2")
    assert (traffic.requests, traffic.timeout, traffic.rate) == (20, 0.5, 100)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        (
            {"url": None},
            "traffic[0].url: a value is missing. Set an address, for example http://127.0.0.1:8080/.",
        ),
        ({"url": "ftp://a"}, "traffic[0].url: 'ftp://a' has no scheme that is supported."),
        ({"requets": 3}, "traffic[0]: unknown key 'requets'. Did you mean 'requests'?"),
        ({"zzz": 3}, "traffic[0]: unknown key 'zzz'. Use one of: alpn, body, body_encoding, "),
        ({"requests": 0}, "traffic[0].requests: expected a whole number from 1 to 1000000, got 0."),
        ({"requests": 1_000_001}, "from 1 to 1000000, got 1000001."),
        ({"requests": 1.5}, "expected a whole number from 1 to 1000000, got 1.5."),
        ({"requests": True}, "expected a whole number from 1 to 1000000, got true."),
        ({"requests": "many"}, "expected a whole number from 1 to 1000000, got 'many'."),
        ({"requests": 10**400}, "expected a whole number from 1 to 1000000, got a number of 1329 bits."),
        ({"concurrency": 10001}, "from 1 to 10000, got 10001."),
        ({"timeout": 0}, "traffic[0].timeout: expected a number above 0 and at most 3600, got 0."),
        ({"rate": float("nan")}, "expected a number above 0 and at most 1000000, got nan."),
        ({"timeout": float("inf")}, "got inf."),
        ({"duration": 1, "requests": 1}, "requests and duration exclude each other. Set only one of them."),
        ({"connections": "resue"}, "traffic[0].connections: unknown value 'resue'. Did you mean 'reuse'?"),
        ({"method": "GET /"}, "traffic[0].method: 'GET /' cannot be sent. Use GET, POST, HEAD"),
        ({"method": "connect"}, "traffic[0].method: 'connect' cannot be sent."),
        ({"headers": ["a"]}, "traffic[0].headers: expected a dictionary, got ['a']."),
        ({"headers": {"a b": "c"}}, "expected the name of a header, such as x-request-id, got 'a b'."),
        (
            {"headers": {"a": None}},
            "traffic[0].headers.a: expected text, got null. Write '' for an empty text, or remove the key.",
        ),
        (
            {"headers": {"a": "b\r\nc: d"}},
            "a header cannot contain a line break or another control character.",
        ),
        (
            {"headers": {"Host": "a"}},
            "traffic[0].headers.Host: this header follows from host. Use that key instead.",
        ),
        ({"headers": {"content-length": "1"}}, "this header follows from body."),
        ({"host": "a\nb"}, "traffic[0].host: a header cannot contain a line break"),
        ({"payload": "a"}, "payload is for ws, wss, tcp, tls and udp. Use body instead."),
        ({"url": "tcp://a:1", "body": "a"}, "body is for http and https. Use payload instead."),
        ({"ca": "a.pem"}, "traffic[0].ca: the url has scheme http, but ca is for https, wss and tls."),
        ({"url": "https://a", "client_certificate": {"key": "a"}}, "certificate or key is missing. Set both"),
        ({"url": "tcp://a:1", "reply": "("}, "traffic[0].reply: '(' is not a regular expression"),
        ({"host_from": {}}, "set either header, the name of a header, or body, a regular expression."),
        (
            {"url": "tcp://a:1", "host_from": {"header": "a"}},
            "traffic[0].host_from.header: the url has scheme tcp, which has no headers.",
        ),
        (
            {"expect": {"status": "200"}},
            "traffic[0].expect: expected a list of expectations, got {'status': '200'}.",
        ),
        ({"url": "ws://a/", "body": "a"}, "body is for http and https. Use payload instead."),
        ({"url": "tcp://a:1", "headers": {}}, "headers is for http, https, ws and wss. Use payload instead."),
        ({"url": "https://a", "tls_version": "1.3"}, "traffic[0].tls_version: unknown value '1.3'."),
        (
            {"url": "https://a", "alpn": ["http/1.1", "h2"]},
            "traffic[0].alpn: HTTP/1.1 and wss:// support only http/1.1.",
        ),
        ({"url": "wss://a", "alpn": ["h2"]}, "traffic[0].alpn: HTTP/1.1 and wss:// support only http/1.1."),
        (
            {"url": "https://a", "protocol": "http2", "alpn": ["a"]},
            "traffic[0].alpn: protocol http2 needs h2 among them.",
        ),
        ({"protocol": "http4"}, "traffic[0].protocol: unknown value 'http4'."),
        ({"url": "tcp://a:1", "protocol": "http2"}, "protocol is for http and https. Remove the key."),
        (
            {"messages": [{}]},
            "traffic[0].messages: the protocol is http1. Set protocol: grpc, or remove the key.",
        ),
        (
            {"protocol": "grpc", "body": "a"},
            "traffic[0].body: the protocol is grpc. Use messages, or remove the key.",
        ),
        ({"protocol": "grpc", "messages": ["a"]}, "traffic[0].messages[0]: expected"),
        (
            {"expect": [{"grpc_status": "FINE", "op": "eq", "value": 1}]},
            "traffic[0].expect[0].grpc_status: 'FINE' is no gRPC status.",
        ),
        ({"phases": []}, "traffic[0].phases: empty. Add at least one phase with duration and rate."),
        ({"phases": [{"rate": 1}]}, "traffic[0].phases[0]: duration is missing. Set duration"),
        ({"phases": [{"rate": 1e5, "duration": 11}]}, "traffic[0].phases: more than 1000000 requests."),
        ({"phases": [{"rate": 1, "duration": 1}], "rate": 1}, "phases and rate exclude each other."),
        ({"url": "tcp://a:1", "processes": 2}, "processes is for http and https. Remove the key."),
        ({"streams": 2}, "traffic[0].streams: a connection of HTTP/1.1 has one request at a time."),
        (
            {"url": "http://a:1/a", "protocol": "grpc"},
            "traffic[0].url: /a is not the path of a gRPC method. Write /PACKAGE.SERVICE/METHOD.",
        ),
        ({"protocol": "http3"}, "traffic[0].url: HTTP/3 is always encrypted. Use https://."),
        (
            {"url": "https://a", "protocol": "http3", "unix_socket": "/a"},
            "traffic[0].unix_socket: QUIC needs a UDP port.",
        ),
        (
            {"url": "https://a", "protocol": "http3", "pod": {"selector": "a"}},
            "traffic[0].pod: a port-forward does not carry UDP.",
        ),
        (
            {"url": "https://a", "protocol": "http3", "tls_version": "TLSv1.2"},
            "traffic[0].tls_version: QUIC needs TLSv1.3.",
        ),
        ({"url": "tls://a:1", "alpn": 2}, "expected a list of protocols, such as [h2, http/1.1], got 2."),
        ({"alpn": ["h2"]}, "alpn is for https, wss and tls."),
        ({"within": 0}, "traffic[0].within: expected a number above 0 and at most 86400, got 0."),
        ({"within": 1, "duration": 1, "while_file": "/tmp/x"}, "within and while_file exclude each other."),
    ],
)
def test_parse_traffic_refuses_what_cannot_be_sent(keys: dict[str, Any], error: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        parsed(**keys)
    assert error in str(caught.value)
    assert str(caught.value).startswith("traffic[0]")


@pytest.mark.parametrize("entries", [{}, "http://a", None, b"x"])
def test_parse_traffic_refuses_anything_but_a_list(entries: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^traffic: expected a list of dictionaries, got "):
        parse_traffic(entries)


def test_protocol_is_http1_unless_alpn_prefers_h2() -> None:
    entries = [{"url": "https://a"}, {"url": "https://a", "alpn": ["h2", "http/1.1"]}, {"url": "ws://a"}]
    assert [traffic.protocol for traffic in parse_traffic(entries)] == ["http1", "http2", ""]


def test_load_at_a_rate_opens_connections_on_demand() -> None:
    phases = [{"rate": 1, "duration": 1}]
    entries = [{"rate": 5}, {"rate": 5, "processes": 2}, {"phases": phases}, {"concurrency": 101}]
    found = parse_traffic([{"url": "http://a", **one} for one in entries])
    assert [one.concurrency for one in found] == [1, 1000, 1000, 101]
    assert [one.needs_process for one in found] == [False, True, True, True]
