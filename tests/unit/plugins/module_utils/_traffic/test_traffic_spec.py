# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One traffic, read from plain data: what it becomes, and what a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic import (
    TRAFFIC_ARGS,
    TrafficError,
    parse_traffic,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.expectations import SUBJECTS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_options import EXPECT_ARGS
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_spec import KEYS, Traffic

URL = "http://127.0.0.1:8080/service/1"


def one(**keys: Any) -> Traffic:
    return parse_traffic([{"url": URL, **keys}])[0]


def expecting(**keys: Any) -> Any:
    return one(expect=[{"op": "eq", "value": 1, **keys}]).expect[0]


def test_a_traffic_of_an_address_alone_is_one_request_by_get() -> None:
    traffic = one()
    assert (traffic.name, traffic.requests, traffic.concurrency, traffic.reuse) == (URL, 1, 1, True)
    assert (traffic.method, traffic.timeout, traffic.rate, traffic.duration) == ("GET", 10.0, None, None)
    assert (traffic.host_header, traffic.host_body, traffic.expect) == ("x-served-by", None, ())


def test_what_ansible_hands_over_for_options_left_out_counts_as_left_out() -> None:
    assert one(**dict.fromkeys(set(KEYS) - {"url"})) == one()
    assert expecting(
        status="200", **dict.fromkeys(set(EXPECT_ARGS) - {"op", "value", "status"})
    ) == expecting(status="200")


def test_the_argument_spec_and_the_parser_know_the_same_keys() -> None:
    assert tuple(TRAFFIC_ARGS) == KEYS
    assert set(SUBJECTS) <= set(EXPECT_ARGS)
    for key in EXPECT_ARGS:
        with pytest.raises(TrafficError) as refused:
            one(expect=[{key: object(), "nonsense": 1}])
        assert "nonsense is unknown" in str(refused.value)


def test_a_body_is_posted_and_a_method_may_be_stated() -> None:
    assert one(body="a").method == "POST"
    assert one(body="a", method="put").method == "PUT"


def test_a_file_makes_a_duration_longer_and_nothing_else() -> None:
    assert one(duration=1, while_file="/tmp/flows").while_file == "/tmp/flows"
    with pytest.raises(TrafficError, match="give duration, too"):
        one(requests=5, while_file="/tmp/flows")


def test_a_duration_replaces_the_number() -> None:
    assert one(duration=2).requests is None


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path"),
    [
        ("http://a", "http", "a", 80, "/"),
        ("https://a?b=1", "https", "a", 443, "/?b=1"),
        ("http://[::1]:81/x#y", "http", "::1", 81, "/x"),
        ("tcp://a:9", "tcp", "a", 9, ""),
        ("udp://a:9", "udp", "a", 9, ""),
        ("tls://a:9", "tls", "a", 9, ""),
        ("ws://a/x", "ws", "a", 80, "/x"),
        ("wss://a", "wss", "a", 443, "/"),
    ],
)
def test_addresses(url: str, scheme: str, host: str, port: int, path: str) -> None:
    assert parse_traffic([{"url": url}])[0].target == (scheme, host, port, path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": None}, "traffic[0].url is missing: say where to send requests, e.g. http://127.0.0.1:8080/"),
        (
            {"url": "ftp://a"},
            "has to start with one of http://, https://, ws://, wss://, tcp://, tls://, udp://",
        ),
        ({"url": "http://"}, "names no host"),
        ({"url": "http://a:99999"}, "is no address"),
        ({"url": "tcp://a"}, "needs a port, e.g. tcp://a:9000"),
        ({"url": "tcp://a:1/x"}, "has a path, which tcp does not know; use payload instead"),
        ({"url": "http://me:secret@a"}, "send it as a header named authorization"),
        ({"url": "http://a/b c"}, "have to be percent-encoded"),
        ({"url": "http://a/\r\nx: y"}, "have to be percent-encoded"),
        ({"requets": 3}, "traffic[0].requets is unknown; did you mean requests?"),
        ({"zzz": 3}, "traffic[0].zzz is unknown; known: name, url, requests"),
        ({"requests": 0}, "traffic[0].requests: 0 has to be a whole number from 1 to 1000000"),
        ({"requests": 1_000_001}, "from 1 to 1000000"),
        ({"requests": 1.5}, "1.5 has to be a whole number"),
        ({"requests": True}, "True is no number"),
        ({"requests": "many"}, "'many' is no number"),
        ({"concurrency": 1001}, "from 1 to 1000"),
        ({"timeout": 0}, "above 0 and at most 3600"),
        ({"rate": float("nan")}, "nan is no number"),
        ({"timeout": float("inf")}, "inf is no number"),
        ({"requests": 10**400}, "is no number"),
        ({"duration": 1, "requests": 1}, "either requests or duration, not both"),
        ({"connections": "resue"}, "traffic[0].connections: 'resue' is unknown; did you mean reuse?"),
        ({"method": "GET /"}, "no method that can be sent"),
        ({"method": "connect"}, "no method that can be sent"),
        ({"headers": ["a"]}, "has to be a dictionary of names and values"),
        ({"headers": {"a b": "c"}}, "'a b' is no name of a header"),
        ({"headers": {"a": "b\r\nc: d"}}, "a line break or another control character"),
        ({"headers": {"Host": "a"}}, "host is set by host, not here"),
        ({"headers": {"content-length": "1"}}, "content-length is set by body, not here"),
        ({"host": "a\nb"}, "a line break"),
        ({"payload": "a"}, "payload is for ws, wss, tcp, tls and udp; use body instead"),
        ({"url": "tcp://a:1", "body": "a"}, "body is for http and https; use payload instead"),
        ({"ca": "a.pem"}, "ca is for https, wss and tls, and the url is http://"),
        ({"url": "https://a", "client_certificate": {"key": "a"}}, "needs both certificate and key"),
        ({"url": "tcp://a:1", "reply": "("}, "'(' is no regular expression"),
        ({"host_from": {}}, "either header, a name, or body, a regular expression"),
        ({"url": "tcp://a:1", "host_from": {"header": "a"}}, "host_from.header is for http and https"),
        ({"expect": {"status": "200"}}, "traffic[0].expect has to be a list"),
        ({"url": "ws://a/", "body": "a"}, "body is for http and https; use payload instead"),
        ({"url": "tcp://a:1", "headers": {}}, "headers is for http, https, ws and wss; use payload instead"),
        ({"url": "https://a", "tls_version": "1.3"}, "tls_version: '1.3' is unknown; "),
        ({"url": "https://a", "alpn": ["h2"]}, "only http/1.1 is spoken over https"),
        ({"url": "tls://a:1", "alpn": 2}, "alpn has to be a list of protocols"),
        ({"alpn": ["h2"]}, "alpn is for https, wss and tls"),
        ({"within": 0}, "within: 0 has to be above 0"),
        ({"within": 1, "duration": 1, "while_file": "/tmp/x"}, "give either within or while_file, not both"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_key_and_what_to_do(
    keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrafficError) as refused:
        one(**keys)
    assert message in str(refused.value)
    assert str(refused.value).startswith("traffic[0]")


@pytest.mark.parametrize("entries", [{}, "http://a", None, b"x"])
def test_anything_but_a_list_is_refused(entries: Any) -> None:
    with pytest.raises(TrafficError, match="has to be a list"):
        parse_traffic(entries)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "needs exactly one of status, header, hosts, latency, error, bytes, body, tls; it has none"),
        ({"status": "200", "hosts": "count"}, "it has status and hosts"),
        ({"status": "200", "op": None}, "op is missing: one of eq, ne"),
        ({"status": "200", "op": "=="}, "op: '==' is unknown; known: eq"),
        ({"status": "200", "value": None}, "value is missing"),
        ({"status": "200", "value": "x"}, "'x' is no number"),
        ({"status": "200", "value": [1]}, "[1] is no number"),
        ({"status": "200", "op": "in", "value": 1}, "has to be a list of numbers, since op is in"),
        ({"status": "200", "op": "in", "value": []}, "has to be a list of numbers"),
        ({"status": "200", "op": "between", "value": [2, 1]}, "has to be [lowest, highest]"),
        ({"status": "20"}, "'20' is no status; use a code (200), a class (2xx) or any"),
        ({"status": "200", "of": "shares"}, "did you mean share?"),
        ({"latency": 0.5, "of": "share"}, "latency is no number of answers, so it has no share"),
        ({"hosts": "spread", "of": "share"}, "so it has no share"),
        ({"latency": 99}, "latency: 99 has to be above 0 and at most 1"),
        ({"error": "timeouts"}, "did you mean timeout?"),
        ({"bytes": "all"}, "known: total, mean"),
        ({"header": "server"}, "expect[0].header has to be a dictionary"),
        ({"header": {"name": "a", "value": "b", "matches": "c"}}, "either value or matches"),
        ({"hosts": "count", "among": ["a"]}, "among is for `hosts: spread` only"),
        ({"hosts": "spread", "among": "a"}, "has to be a list of host names"),
        ({"status": "200", "tolerance": "binomial"}, "it goes with `of: share`"),
        (
            {"status": "200", "of": "share", "op": "ne", "tolerance": "binomial"},
            "tolerance: binomial does not work with op ne",
        ),
        ({"status": "200", "of": "share", "value": 2, "tolerance": "binomial"}, "the value is 2"),
        ({"status": "200", "of": "share", "tolerance": "some"}, "expect[0].tolerance: expected a number"),
        ({"tls": {}}, "expect[0].tls needs at least one of version, cipher, alpn"),
        ({"tls": {"protocol": "h2"}}, "expect[0].tls.protocol is unknown"),
        ({"stauts": "200"}, "expect[0].stauts is unknown; did you mean status?"),
    ],
)
def test_wrong_expectations_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(TrafficError) as refused:
        expecting(**keys)
    assert message in str(refused.value)
    assert str(refused.value).startswith("traffic[0].expect[0]")


def test_numbers_may_come_as_text_and_stay_whole() -> None:
    assert expecting(status=200, value="20").value == 20
    assert isinstance(expecting(status=200, value="20").value, int)
    assert expecting(status=200, op="between", value="2, 5").value == (2, 5)
    assert expecting(status=200, op="in", value=["2", 5.5]).value == (2, 5.5)
