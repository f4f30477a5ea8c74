# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one builder of TLS contexts of clients."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Union

from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text

if TYPE_CHECKING:
    import ssl

VERSIONS = ("TLSv1.2", "TLSv1.3")

# Aliases are evaluated at import, and Python 3.9 cannot evaluate `str | os.PathLike`.
Path = Union[str, "os.PathLike[str]"]


class TlsError(ValueError):
    """A TLS setting that cannot be used. `setting` is the name of the parameter of client_context."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(problem)
        self.setting = setting


def client_context(
    *,
    ca: Path | None = None,
    verify: bool = True,
    certificate: Path | None = None,
    key: Path | None = None,
    version: str | None = None,
    ciphers: str | None = None,
    alpn: Sequence[str] = (),
) -> ssl.SSLContext:
    """Return a TLS context for the client's side of connections.

    Args:
        ca: Path to the CA certificates in PEM that verify the server; None uses those of the system. `~` is the home directory.
        verify: Whether to verify the server's certificate and host name.
        certificate: Path to the client's certificate in PEM, None for no certificate.
        key: Path to the key of `certificate`; None where the certificate's file contains the key.
        version: The only version to offer, one of VERSIONS; None offers TLS 1.2 and later.
        ciphers: Ciphers of TLS 1.2 in OpenSSL's notation, None for OpenSSL's default.
        alpn: The protocols to offer by ALPN (RFC 7301), the preferred one first.

    Raises:
        TlsError: A file cannot be used, or OpenSSL supports none of the ciphers.

    Example:
        >>> client_context(version="TLSv1.3", alpn=["h2"]).minimum_version.name
        'TLSv1_3'
    """
    import ssl  # imported here because it takes 10 ms, and most callers do not use TLS

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # the default of Python 3.10 and newer
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif ca is None:
        context.load_default_certs()
    if ca is not None:
        try:
            context.load_verify_locations(_expanded(ca))
        except OSError as error:
            raise TlsError(
                "ca", f"{ca} does not contain CA certificates in PEM: {error_text(error)}"
            ) from None
    if certificate is not None:
        _load_pair(context, certificate, key)
    if version is not None:
        only = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = only
    if ciphers is not None:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError:
            raise TlsError("ciphers", f"OpenSSL supports none of {ciphers!r}") from None
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def _load_pair(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    files = f"{certificate} and its key {key}" if key is not None else f"{certificate}"
    try:
        context.load_cert_chain(
            _expanded(certificate), None if key is None else _expanded(key), password=_refuse_password
        )
    except (OSError, TlsError) as error:
        problem = str(error) if isinstance(error, TlsError) else error_text(error)
        raise TlsError("certificate", f"{files} cannot be used: {problem}") from None


def _expanded(path: Path) -> str:
    """Return a path with the home directory in place of `~`; an unknown user's stays."""
    return os.path.expanduser(os.fspath(path))


def _refuse_password() -> str:
    """Raise the error for an encrypted key, for which OpenSSL would prompt on the terminal."""
    raise TlsError("key", "the key is encrypted. Use one without a password")
