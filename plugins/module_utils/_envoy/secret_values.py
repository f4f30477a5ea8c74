# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets in a configuration of Envoy: keys, passwords and tokens that it contains itself, not by the path of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

# The fields that Envoy's API marks as sensitive (option udpa.annotations.sensitive of the protobuf descriptors, Envoy 1.40), and the
# credentials of config.core.v3.GrpcService.GoogleGrpc, which it does not mark.
SENSITIVE_FIELDS = frozenset(
    [
        "access_token",
        "auth_password",
        "auth_username",
        "backend_token",
        "context_extensions",
        "credentials_data_source",
        "downstream_auth_password",
        "downstream_auth_passwords",
        "downstream_auth_username",
        "generic_secret",
        "google_refresh_token",
        "json_key",
        "password",
        "pkcs12",
        "private_key",
        "private_key_provider",
        "secret",
        "secret_access_key",
        "secret_data",
        "session_ticket_keys",
        "session_token",
        "users",
        "web_identity_token_data_source",
    ]
)
# Fields with the location or the name of a secret. Their texts are not secret.
LOCATIONS = frozenset(
    [
        "@type",
        "environment_variable",
        "filename",
        "name",
        "path",
        "provider_name",
        "sds_config",
        "watched_directory",
    ]
)
SECRET_HEADERS = re.compile(
    r"(?:proxy-)?authorization|cookie2?|.*(?:api-?key|auth-token|access-token|secret).*", re.I
)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


def secret_values(data: Any) -> list[str]:
    """Return all secrets in a message or in a list of messages.

    Example:
        >>> secret_values({"name": "token", "generic_secret": {"secret": {"inline_string": "hunter2"}}})
        ['hunter2']
        >>> secret_values({"private_key": {"filename": "site.key"}})
        []
    """
    return list(dict.fromkeys(_secrets(data, in_secret=False)))


def _secrets(data: Any, in_secret: bool) -> Iterator[str]:
    if isinstance(data, Mapping):
        yield from _header(data)
        for name, value in data.items():
            field = _snake_case(str(name))
            if field in LOCATIONS:
                continue
            yield from _secrets(value, in_secret or field in SENSITIVE_FIELDS or _is_api_keys(field, value))
    elif isinstance(data, (list, tuple)):
        for one in data:
            yield from _secrets(one, in_secret)
    elif isinstance(data, str) and data and (in_secret or PRIVATE_KEY.search(data)):
        yield data


def _header(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield the value of a header (config.core.v3.HeaderValue) that authenticates. A value from a request is no secret."""
    key, value = data.get("key"), data.get("value")
    if (
        isinstance(key, str)
        and isinstance(value, str)
        and SECRET_HEADERS.fullmatch(key)
        and value
        and "%" not in value
    ):
        yield value


def _is_api_keys(field: str, value: Any) -> bool:
    """Return whether a field has the keys of extensions.filters.http.api_key_auth.v3.Credential."""
    return field == "credentials" and isinstance(value, (list, tuple))


@lru_cache(maxsize=4096)
def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda found: f"_{found[0]}", name).lower()
