# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tests of the secrets in a configuration of Envoy."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.meshlab.envoy.plugins.module_utils._envoy.secret_values import secret_values

PEM = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    "message",
    [
        {"tls_certificates": [{"private_key": {"inline_string": "S"}}]},
        {"tlsCertificates": [{"privateKey": {"inlineString": "S"}}]},
        {"password": {"inline_bytes": "S"}},
        {"name": "hmac", "generic_secret": {"secret": {"inline_string": "S"}}},
        {"generic_secret": {"secrets": {"a": {"inline_string": "S"}}}},
        {"session_ticket_keys": {"keys": [{"inline_bytes": "S"}]}},
        {"users": {"inline_string": "S"}},
        {"credentials": [{"key": "S", "client": "S"}]},
        {"google_grpc": {"call_credentials": [{"access_token": "S"}]}},
        {"request_headers_to_add": [{"header": {"key": "Authorization", "value": "S"}}]},
        {"inline_credential": {"secret_access_key": "S"}},
    ],
)
def test_secret_fields_are_found(message: dict[str, Any]) -> None:
    assert secret_values({"filters": [message]}) == ["S"]


def test_private_key_is_found_in_any_field() -> None:
    assert secret_values({"body": {"inline_string": PEM}}) == [PEM]


@pytest.mark.parametrize(
    "message",
    [
        {"private_key": {"filename": "site.key"}},
        {"password": {"environment_variable": "PASSWORD"}},
        {
            "credentials": {
                "client_id": "shop",
                "token_secret": {"name": "token", "sds_config": {"path": "x"}},
            }
        },
        {"certificate_chain": {"inline_string": "-----BEGIN CERTIFICATE-----"}},
        {"request_headers_to_add": [{"header": {"key": "x-api-key", "value": "%REQ(x-key)%"}}]},
        {"providers": {"shop": {"local_jwks": {"inline_string": "{}"}}}},
    ],
)
def test_locations_and_public_values_are_no_secrets(message: dict[str, Any]) -> None:
    assert secret_values(message) == []
