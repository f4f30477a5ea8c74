# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace secrets in a configuration, before any other code reads it.

Envoy redacts the fields that its own types mark as sensitive. Secrets remain in headers, metadata, matchers, source code of filters and
types that Envoy does not know. This module replaces values with a name like a secret, and values that look like one. When in doubt it
replaces: a dump is for reading, not for restoring.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

REDACTED = "(redacted)"
_REDACTED_BY_ENVOY = ("[redacted]", "W3JlZGFjdGVkXQ==")  # as text, and as bytes in base64

# Words that make a key secret.
_WORD = re.compile(
    r"secrets?|passwords?|passwd|pwd|passphrase|tokens?|credentials?|authorization|apikeys?|jwks?|hmac|bearer|privatekey|cookies?"
    r"|htpasswd|signature|otp|pin"
)
# Pairs of words that make a key secret. Bytes and source code cannot be searched for secrets.
_PAIR = re.compile(
    r"(?:private|api|access|json|secret|signing|encryption|account|ticket|auth)_keys?|auth_header|basic_auth|session_id|inline_bytes"
    r"|inline_code|source_codes?"
)
# Keys that contain such words but are not secret: rate limits, and locations.
_PLAIN = re.compile(
    r"token_bucket|max_tokens|tokens_per_fill|remote_jwks|jwks_async_fetch"
    r"|.*_(?:algorithms?|endpoint|names?|prefix|uri|path|specifier|ttl|lifetime|status|time|timeout|type)"
)
# Keys of a secret object whose values are locations or versions, and not secret.
_LOCATIONS = frozenset(
    ["@type", "name", "filename", "environment_variable", "cluster", "cluster_name", "cookie_name", "watched_directory", "version_info",
     "last_updated", "sds_config", "resource_api_version", "path", "type_url"]
)  # fmt: skip
# Keys of a name next to a value, as in headers, metadata, matchers and environments.
_NAMES = ("key", "name", "header", "header_name", "header_key", "path")
_VALUES = re.compile(
    r".*value.*|.+_match(?:er)?|exact|prefix|suffix|contains|regex|inline_string|inline_bytes|default|text_format.*"
)
_SECRET_HEADERS = re.compile(
    r"(?:proxy-)?authorization|(?:set-)?cookie2?|.*(?:auth(?!or)|session|api-?key).*"
)

_TEXTS = (
    re.compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)?"),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|sk-|sk_live_|hvs\.)[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"',;]{4,}"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=_-]{8,}"),
    re.compile(r"(?<=://)[^/\s@?#]{1,300}(?=@)"),
)
# A value that follows a secret name, in code, in a query or in an argument.
_ASSIGNED = (
    re.compile(
        r"""(?ix)
        ((?:secret|password|passwd|passphrase|token|credential|authorization|(?:api|access|private)[_-]?key|signature)
         [a-z0-9_.-]{0,60}["']?\s{0,3}[=:,]\s{0,3})
        ("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&"',;(){}]+)"""
    ),
    re.compile(r"""(?i)([?&](?:key|sig|auth|code|pass|pw|pwd)=)([^&\s#"']+)"""),
)


class Redactor:
    """Replaces secrets and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def value(self, data: Any, secret: bool = False) -> Any:
        """Return the data without secrets.

        Args:
            data: Decoded JSON.
            secret: Whether the key that holds the data is secret.
        """
        if isinstance(data, Mapping):
            return self._mapping(data, secret)
        if isinstance(data, list):
            return [self.value(each, secret) for each in data]
        if isinstance(data, bool) or data is None or data == "":
            return data
        if secret or data in _REDACTED_BY_ENVOY:
            return self._replace()
        return self.text(data) if isinstance(data, str) else data

    def text(self, text: str) -> str:
        """Return the text without secrets. JSON in a text is decoded first."""
        if text[:1] in ("{", "[") and len(text) < 1_000_000:
            try:
                before = self.count
                inner = self.value(json.loads(text))
                return json.dumps(inner) if self.count > before else text
            except (ValueError, RecursionError):
                pass
        for pattern in _TEXTS:
            text = pattern.sub(self._match, text)
        for pattern in _ASSIGNED:
            text = pattern.sub(self._assigned, text)
        return text

    def _mapping(self, data: Mapping[str, Any], secret: bool) -> dict[str, Any]:
        named = any(_names_secret(data.get(key)) for key in _NAMES)
        named = named or str(data.get("@type", "")).endswith(".BytesValue")
        answer = {}
        for key, value in data.items():
            if secret and key in _LOCATIONS:
                hidden = False
            elif named and _VALUES.fullmatch(key):
                hidden = True
            else:
                hidden = secret or is_secret(key)
            answer[self.text(key)] = self.value(value, hidden)
        return answer

    def _replace(self) -> str:
        self.count += 1
        return REDACTED

    def _match(self, _found: re.Match[str]) -> str:
        return self._replace()

    def _assigned(self, found: re.Match[str]) -> str:
        if found[2].strip("\"'") in (REDACTED, "", "true", "false", "null"):
            return found[0]
        return found[1] + self._replace()


def is_secret(key: str) -> bool:
    """Return whether the name of a key marks its value as secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", key)]
    if _PLAIN.fullmatch("_".join(words)):
        return False
    return any(_WORD.fullmatch(word) for word in words) or any(
        _PAIR.fullmatch("_".join(pair)) for pair in zip(words, words[1:])
    )


def _names_secret(name: Any) -> bool:
    if isinstance(name, list):  # the path of a metadata matcher
        return any(isinstance(each, Mapping) and _names_secret(each.get("key")) for each in name)
    return (
        isinstance(name, str)
        and len(name) < 200
        and (is_secret(name) or _SECRET_HEADERS.fullmatch(name.lower()) is not None)
    )
