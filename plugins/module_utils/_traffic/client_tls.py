# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client asks for in a TLS handshake, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.meshlab.envoy.plugins.module_utils._traffic.reading import (
    TrafficError,
    dictionary,
    text,
)

if TYPE_CHECKING:
    import ssl

# As OpenSSL names them, and so what a session says of itself.
VERSIONS = ("TLSv1.2", "TLSv1.3")
HTTP_ALPN = ("http/1.1",)


class Session(NamedTuple):
    """What both sides agreed on."""

    version: str  # TLSv1.3
    cipher: str  # TLS_AES_256_GCM_SHA384
    alpn: str  # h2; empty where the server chose none

    @property
    def words(self) -> str:
        return ", ".join(filter(None, (self.version, self.alpn, self.cipher)))


class SessionMatch(NamedTuple):
    """What an expectation wants of a session; None: anything."""

    version: str | None = None
    cipher: str | None = None
    alpn: str | None = None

    def holds(self, session: Session | None) -> bool:
        if session is None:
            return False
        return all(wanted in (None, seen) for wanted, seen in zip(self, session, strict=True))

    @property
    def words(self) -> str:
        return ", ".join(
            f"{name} {value or 'none'}" for name, value in self._asdict().items() if value is not None
        )


def parse_match(entry: Any, where: str) -> SessionMatch:
    data = dictionary(entry, where, SessionMatch._fields)
    if not data:
        raise TrafficError(f"{where} needs at least one of {', '.join(SessionMatch._fields)}")
    return SessionMatch(*(text(data, key, where) for key in SessionMatch._fields))


def parse_alpn(data: Mapping[str, Any], where: str, http: bool) -> tuple[str, ...]:
    """The protocols to offer, the best first; http/1.1 for HTTP where nothing is said."""
    if "alpn" not in data:
        return HTTP_ALPN if http else ()
    names = data["alpn"]
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",") if name.strip()]
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and 0 < len(name) < 256 for name in names
    ):
        raise TrafficError(f"{where}.alpn has to be a list of protocols, such as [h2, http/1.1]")
    if http and not set(names) <= {"http/1.1", "http/1.0"}:
        raise TrafficError(
            f"{where}.alpn: only http/1.1 is spoken over https; send a payload over tls:// to offer anything else"
        )
    return tuple(names)


def apply(context: ssl.SSLContext, version: str | None, ciphers: str | None, alpn: tuple[str, ...]) -> None:
    """Makes a context ask for these; raises TrafficError for ciphers that OpenSSL does not know."""
    import ssl

    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version is not None:
        only = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = only
    if ciphers is not None:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError:
            raise TrafficError(f"ciphers: OpenSSL knows none of {ciphers!r}") from None


def session_of(connection: Any) -> Session | None:
    """What was agreed on for a connection, None where it is not encrypted."""
    if not hasattr(connection, "selected_alpn_protocol"):
        return None
    cipher = connection.cipher()
    return Session(
        connection.version() or "", cipher[0] if cipher else "", connection.selected_alpn_protocol() or ""
    )
