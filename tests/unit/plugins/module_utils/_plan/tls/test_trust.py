# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the certificates that a cluster accepts, as text."""

from __future__ import annotations

from typing import Any

import pytest
from shop_demo import Planner, shop

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n"

AUTHORITY = (
    "a certificate of the demo's authority (/state/ca/ca.crt; for another one, set 'ca' of the cluster's tls)"
)
SYSTEM = "a certificate of an authority of the system (/etc/ssl/certs/ca-certificates.crt)"
COMPANY = "a certificate of the authority in its 'ca'"


def demo(tls: dict[str, Any]) -> dict[str, Any]:
    """Return a demo whose cluster `web` has these keys of `tls`."""
    data = shop()
    data["proxies"]["edge"]["clusters"]["web"]["tls"] = tls
    return data


@pytest.mark.parametrize(
    ("tls", "accepted"),
    [
        ({}, f"{AUTHORITY} with the DNS name 'web'"),
        ({"ca": "system", "server_name": "example.com"}, f"{SYSTEM} with the DNS name 'example.com'"),
        (
            {"ca": CERTIFICATE, "subject_alt_name": {"ip_address": "192.0.2.1"}},
            f"{COMPANY} with the IP address '192.0.2.1'",
        ),
    ],
)
def test_plan_describes_the_accepted_certificates(plan: Planner, tls: dict[str, Any], accepted: str) -> None:
    assert plan(demo(tls))["trust"] == {"edge": {"web": accepted}}


def test_trust_in_envoys_fields_is_not_described(plan: Planner) -> None:
    context = {"common_tls_context": {"validation_context": {"trusted_ca": {"filename": "x"}}}}
    assert plan(demo({"context": context}))["trust"] == {}
