# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the rules between the keys of `tls`."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import changed

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.loader import read_demo

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n"
IN_PEM = "in PEM. Write {source: PATH} for a file"
NO_CLIENTS = (
    "verifies client certificates, which the listener does not require. Add 'client_certificate: true'."
)
ONE_NAME = "subject_alt_name: expected exactly one of dns, uri, ip_address, email, got"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n"
LISTENER, CLUSTER = "proxies.edge.listeners.https.tls", "proxies.edge.clusters.web.tls"
SYSTEM_ROOTS = {"common_tls_context": {"validation_context": {"system_root_certs": {}}}}


@pytest.mark.parametrize(
    ("where", "tls", "problem"),
    [
        (
            LISTENER,
            {"certificate_chain": CERTIFICATE},
            "certificate_chain: needs 'private_key', too. Add it.",
        ),
        (CLUSTER, {"private_key": KEY}, "private_key: needs 'certificate_chain', too. Add it."),
        (
            LISTENER,
            {"certificate_chain": "a", "private_key": KEY},
            f"certificate_chain: expected a certificate {IN_PEM}.",
        ),
        (
            LISTENER,
            {"certificate_chain": CERTIFICATE, "private_key": CERTIFICATE},
            f"private_key: expected a private key {IN_PEM}.",
        ),
        (
            CLUSTER,
            {"ca": "sytem"},
            f"ca: expected a certificate {IN_PEM}, or 'system' for the authorities of the system.",
        ),
        (LISTENER, {"ca": CERTIFICATE}, f"ca: {NO_CLIENTS}"),
        (LISTENER, {"subject_alt_name": {"dns": "a"}}, f"subject_alt_name: {NO_CLIENTS}"),
        (
            LISTENER,
            {"server_name": "a"},
            "server_name: applies to clusters. Use 'names' for names of the generated certificate.",
        ),
        (
            LISTENER,
            {"names": ["a"], "certificate_chain": CERTIFICATE, "private_key": KEY},
            "names: the certificate in 'certificate_chain' has its names already. Remove one of the two keys.",
        ),
        (
            CLUSTER,
            {"names": ["a"]},
            "names: applies to listeners. Use 'server_name' or 'subject_alt_name' in a cluster.",
        ),
        (CLUSTER, {"subject_alt_name": {"dns": "a", "uri": "spiffe://a"}}, f"{ONE_NAME} dns, uri."),
        (CLUSTER, {"subject_alt_name": {"ip": "192.0.2.1"}}, f"{ONE_NAME} ip."),
        (
            CLUSTER,
            {"subject_alt_name": {"ip_address": "shop"}},
            "subject_alt_name.ip_address: 'shop' is not an IP address. Use 'dns' for a host name.",
        ),
        (
            CLUSTER,
            {"subject_alt_name": {"uri": "shop"}},
            "subject_alt_name.uri: 'shop' is not a URI, such as 'spiffe://example.com/shop'. Add its scheme.",
        ),
        (
            CLUSTER,
            {"context": SYSTEM_ROOTS},
            f"context: Envoy ignores 'system_root_certs' and accepts any certificate. Use '{CLUSTER}.ca: system'.",
        ),
    ],
)
def test_contradiction_is_refused(where: str, tls: dict[str, Any], problem: str) -> None:
    with pytest.raises(DemoError) as error:
        read_demo("shop", changed(where, tls))
    assert str(error.value) == f"shop: {where}.{problem}"


def test_private_key_is_not_in_an_error() -> None:
    with pytest.raises(DemoError) as error:
        read_demo("shop", changed(LISTENER, {"certificate_chain": KEY, "private_key": KEY}))
    assert "MIGH" not in str(error.value)
