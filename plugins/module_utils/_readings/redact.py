# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strikes secrets out of a configuration before anything else sees it.

Envoy strikes out what its own types call sensitive. What is left are headers with tokens, metadata, matchers, texts of filters and of
types that it does not know; here, what is named like a secret goes, and what looks like one. In doubt it goes: a dump is for looking.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

STRUCK = "(redacted)"
_ENVOYS = ("[redacted]", "W3JlZGFjdGVkXQ==")  # the second is the first, in base64

# Words that make a key secret.
_WORD = re.compile(
    r"secrets?|passwords?|passwd|pwd|passphrase|tokens?|credentials?|authorization|apikeys?|jwks?|hmac|bearer|privatekey|cookies?"
    r"|htpasswd|signature|otp|pin"
)
# Words that do so side by side. Bytes and source code cannot be looked through.
_PAIR = re.compile(
    r"(?:private|api|access|json|secret|signing|encryption|account|ticket|auth)_keys?|auth_header|basic_auth|session_id|inline_bytes"
    r"|inline_code|source_codes?"
)
# Named like secrets, and none: rate limits, and where something is.
_PLAIN = re.compile(
    r"token_bucket|max_tokens|tokens_per_fill|remote_jwks|jwks_async_fetch"
    r"|.*_(?:algorithms?|endpoint|names?|prefix|uri|path|specifier|ttl|lifetime|status|time|timeout|type)"
)
# Of something secret, what only says where it is.
_WHERE = frozenset(
    ["@type", "name", "filename", "environment_variable", "cluster", "cluster_name", "cookie_name", "watched_directory", "version_info",
     "last_updated", "sds_config", "resource_api_version", "path", "type_url"]
)  # fmt: skip
# A pair of a name and a value, as in headers, metadata, matchers and environments.
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
# What is given to a name that is secret, in code, in a query or in an argument.
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
    """Strikes out, and counts how often."""

    def __init__(self) -> None:
        self.struck = 0

    def value(self, data: Any, secret: bool = False) -> Any:
        """The same data without what is secret; `secret` where what is around it is called so."""
        if isinstance(data, Mapping):
            return self._mapping(data, secret)
        if isinstance(data, list):
            return [self.value(one, secret) for one in data]
        if isinstance(data, bool) or data is None or data == "":
            return data
        if secret or data in _ENVOYS:
            return self._strike()
        return self.text(data) if isinstance(data, str) else data

    def text(self, text: str) -> str:
        """A text without what looks like a secret in it; JSON in a text is read as such."""
        if text[:1] in ("{", "[") and len(text) < 1_000_000:
            try:
                before = self.struck
                inner = self.value(json.loads(text))
                return json.dumps(inner) if self.struck > before else text
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
            if secret and key in _WHERE:
                hidden = False
            elif named and _VALUES.fullmatch(key):
                hidden = True
            else:
                hidden = secret or is_secret(key)
            answer[self.text(key)] = self.value(value, hidden)
        return answer

    def _strike(self) -> str:
        self.struck += 1
        return STRUCK

    def _match(self, _found: re.Match[str]) -> str:
        return self._strike()

    def _assigned(self, found: re.Match[str]) -> str:
        if found[2].strip("\"'") in (STRUCK, "", "true", "false", "null"):
            return found[0]
        return found[1] + self._strike()


def is_secret(key: str) -> bool:
    """Whether what a key holds is secret by its name."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", key)]
    if _PLAIN.fullmatch("_".join(words)):
        return False
    return any(_WORD.fullmatch(word) for word in words) or any(
        _PAIR.fullmatch("_".join(pair)) for pair in pairwise(words)
    )


def _names_secret(name: Any) -> bool:
    if isinstance(name, list):  # the path of a metadata matcher
        return any(isinstance(one, Mapping) and _names_secret(one.get("key")) for one in name)
    return (
        isinstance(name, str)
        and len(name) < 200
        and (is_secret(name) or _SECRET_HEADERS.fullmatch(name.lower()) is not None)
    )
