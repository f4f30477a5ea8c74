# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a TLS client offers, and which sessions an expectation counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._common.errors import ArgumentError
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.client_tls import (
    Session,
    SessionMatch,
    parse_alpn,
    session_of,
    tls_context,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.traffic_parser import parse_traffic

SESSION = Session("TLSv1.3", "TLS_AES_256_GCM_SHA384", "")


@pytest.mark.parametrize(
    ("match", "counts"),
    [
        (SessionMatch(version="TLSv1.3"), True),
        (SessionMatch(version="TLSv1.2"), False),
        (SessionMatch(cipher="TLS_AES_256_GCM_SHA384", alpn=""), True),
        (SessionMatch(version="TLSv1.3", alpn="h2"), False),
    ],
)
def test_session_match(match: SessionMatch, counts: bool) -> None:
    assert match.matches(SESSION) is counts
    assert not match.matches(None)


def test_session_match_text_names_a_missing_protocol() -> None:
    assert SessionMatch(version="TLSv1.3", alpn="").text == "version TLSv1.3, alpn none"


def test_alpn_default_follows_from_the_protocol() -> None:
    assert parse_alpn({}, "x", "http1") == ("http/1.1",)
    assert parse_alpn({}, "x", "http2") == ("h2",)
    assert parse_alpn({}, "x", "") == ()
    assert parse_alpn({"alpn": "h2, http/1.1"}, "x", "") == ("h2", "http/1.1")


def test_traffic_without_tls_has_no_context() -> None:
    [traffic] = parse_traffic([{"url": "http://a"}])
    assert tls_context(traffic) is None
    assert session_of(object()) is None


def test_context_error_names_traffic_and_option(tmp_path: Path) -> None:
    pair = {"certificate": str(tmp_path / "a.pem"), "key": "b.pem"}
    for keys, error in (
        ({"ca": "none.pem"}, r"^shop: ca: none\.pem does not contain CA certificates in PEM: no such file"),
        (
            {"client_certificate": pair},
            r"^shop: client_certificate: .*a\.pem and its key b\.pem cannot be used",
        ),
        ({"ciphers": "none"}, r"^shop: ciphers: OpenSSL supports none of 'none'\.$"),
    ):
        [traffic] = parse_traffic([{"url": "https://a", "name": "shop", **keys}])
        with pytest.raises(ArgumentError, match=error):
            tls_context(traffic)
