# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in a configuration are replaced, and other values are kept."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshlab.envoy.plugins.module_utils._readings.redact import (
    REDACTED,
    Redactor,
    is_secret,
)

S = "hunter2-Zx9Qw"  # a secret that must not occur in any result
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{S}\n-----END RSA PRIVATE KEY-----"
JWT = f"eyJhbGciOiJIUzI1NiJ9.{S}.{S}"


@pytest.mark.parametrize(
    "config",
    [
        {"password": S},
        {"password": {"inline_string": S}},
        {"api_key": S, "apiKey": S, "API-KEY": S, "clientSecret": S, "accessToken": [S, {"a": S}]},
        {"private_key": {"inline_bytes": S}, "certificate_chain": {"inline_bytes": S}},
        {"session_ticket_keys": {"keys": [{"inline_string": S}]}},
        {"metadata": {"filter_metadata": {"x": {"deep": {"refresh_token": S}, "pin": 12345678901}}}},
        {"header": {"key": "Authorization", "value": f"Bearer {S}"}},
        {"header": {"key": "x-api-key", "value": S}, "append_action": "APPEND"},
        {"header": {"key": "x-session-id", "raw_value": S}},
        {"headers": [{"name": "cookie", "string_match": {"contains": S}}]},
        {"query_parameters": [{"name": "token", "string_match": {"exact": S}}]},
        {"path": [{"key": "tenant"}, {"key": "api_token"}], "value": {"string_match": {"exact": S}}},
        {"initial_metadata": [{"key": "authorization", "value": S}]},
        {"uri": f"https://user:{S}@example.com/x"},
        {"uri": f"https://{S}@example.com/x"},
        {"uri": f"https://example.com/x?a=1&access_token={S}&b=2"},
        {"uri": f"https://example.com/x?sig={S}#f"},
        {"body": {"inline_string": f"the words\n{PEM}\nand more"}},
        {"body": {"inline_string": PEM.partition("-----END")[0]}},
        {"text": f"Authorization: Bearer {S}"},
        {"text": f"basic {S}{S}"},
        {"text": JWT},
        {"text": f'set("authorization", "{S}")'},
        {"text": f"password='{S} with blanks {S}' --x"},
        {
            "configuration": {
                "@type": "x/google.protobuf.StringValue",
                "value": json.dumps({"a": {"token": S}}),
            }
        },
        {"configuration": {"@type": "x/google.protobuf.BytesValue", "value": S}},
        {"default_source_code": {"inline_string": f"local key = '{S}'"}, "inline_code": S},
        {"local_jwks": {"inline_string": S}},
        {"error_state": {"details": f"refused: client_secret: {S}", "failed_configuration": {"secret": S}}},
        {"credentials": {"user": {"a": [S]}}},
        {f"https://u:{S}@h/": 1},
    ],
    ids=lambda config: json.dumps(config)[:40],
)
def test_secrets_are_replaced(config: dict[str, Any]) -> None:
    redactor = Redactor()
    result = json.dumps(redactor.value({"configs": [config]}))
    assert S not in result
    assert "12345678901" not in result
    assert redactor.count > 0
    assert REDACTED in result


@pytest.mark.parametrize(
    "config",
    [
        {"token_bucket": {"max_tokens": 10, "tokens_per_fill": 10, "fill_interval": "1s"}},
        {"name": "auth-service", "load_assignment": {"cluster_name": "auth-service"}, "connect_timeout": "1s"},
        {"name": "token_route", "match": {"prefix": "/token"}, "route": {"cluster": "token"}},
        {"name": ":authority", "string_match": {"exact": "example.com"}},
        {"private_key": {"filename": "/etc/certs/key.pem"}, "certificate_chain": {"filename": "/etc/certs/cert.pem"}},
        {"token_secret": {"name": "token", "sds_config": {"path_config_source": {"path": "/etc/sds.yaml"}}}},
        {"password": {"environment_variable": "PASSWORD"}},
        {"remote_jwks": {"http_uri": {"uri": "https://example.com/jwks.json", "cluster": "idp"}}},
        {"allow_credentials": True, "forward_bearer_token": False},
        {"address": {"pipe": {"path": "unix:///run/envoy/admin.sock"}}},
        {"body": {"inline_string": "all is well: 20 requests, key of the map = 7"}},
        {"header": {"key": "x-served-by", "value": "edge"}},
        {"tls_params": {"signature_algorithms": ["ecdsa_secp256r1_sha256"]}},
        {"password": "", "token": None},
    ],
    ids=lambda config: json.dumps(config)[:40],
)  # fmt: skip
def test_other_values_are_kept(config: dict[str, Any]) -> None:
    redactor = Redactor()
    assert redactor.value(config) == config
    assert redactor.count == 0


def test_values_that_envoy_redacted_are_counted() -> None:
    redactor = Redactor()
    result = redactor.value([{"inline_string": "[redacted]"}, {"x": "W3JlZGFjdGVkXQ=="}])
    assert (result, redactor.count) == ([{"inline_string": REDACTED}, {"x": REDACTED}], 2)


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "token" * 40_000, "-----BEGIN PRIVATE KEY-----" * 8_000, "eyJ" * 60_000, "://" * 60_000, "[" * 200_000,
     'token="' + "\\" * 200_000, "bearer " * 30_000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_every_text_takes_linear_time(text: str) -> None:
    began = time.monotonic()
    Redactor().value({"text": text})
    assert time.monotonic() - began < 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@settings(deadline=None, max_examples=100)
@given(JSON, st.sampled_from(["password", "x_token", "Authorization", "API_KEY", "client-secret"]))
def test_everything_below_a_secret_name_is_replaced(data: Any, name: str) -> None:
    wrapped = {name: [{"a": S}, S], "b": data}
    assert S not in json.dumps(Redactor().value({"c": [data, wrapped]}))
    assert is_secret(name)
