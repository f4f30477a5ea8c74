# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The serial number of a certificate, by which the admin interface of Envoy shows the certificates that it uses."""

from __future__ import annotations

import re
import ssl

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)
_VERSION = 0xA0  # the tag of the optional first field of TBSCertificate (RFC 5280, section 4.1)
_INTEGER = 0x02


def serial_number(pem: bytes) -> int:
    """Return the serial number of the first certificate of a PEM text; 0 when there is none.

    Python's standard library has no public parser of certificates, and a managed host can have no openssl.
    """
    found = CERTIFICATE.search(pem)
    if not found:
        return 0
    try:
        der = ssl.PEM_cert_to_DER_cert(found.group().decode("ascii"))
        # Certificate, TBSCertificate: two sequences that begin with each other.
        _tag, start, _end = _header(der, 0)
        _tag, start, _end = _header(der, start)
        tag, start, end = _header(der, start)
        if tag == _VERSION:
            tag, start, end = _header(der, end)
        return int.from_bytes(der[start:end], "big") if tag == _INTEGER else 0
    except (ValueError, IndexError):
        return 0


def _header(der: bytes, position: int) -> tuple[int, int, int]:
    """Return the tag of the value at a position, and where its content begins and ends."""
    tag, length, start = der[position], der[position + 1], position + 2
    if length & 0x80:
        size = length & 0x7F
        length, start = int.from_bytes(der[start : start + size], "big"), start + size
    return tag, start, start + length
