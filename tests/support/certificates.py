# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates for tests: an authority of a company, and certificates that it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def secret(self) -> str:
        """Return a line of the private key, which no output may contain."""
        return self.key.read_text(encoding="ascii").splitlines()[1]


def new_authority(folder: Path, name: str = "company") -> Pair:
    """Return a new certificate authority in a folder."""
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl(
        "req",
        "-x509",
        *NEW_KEY,
        "-subj",
        f"/CN={name}",
        "-keyout",
        str(pair.key),
        "-out",
        str(pair.certificate),
    )
    return pair


def new_certificate(folder: Path, name: str, names: str, authority: Pair | None = None) -> Pair:
    """Return a certificate with subject alternative names, such as `DNS:shop.example.com,IP:192.0.2.1`.

    Without an authority, it is self-signed.
    """
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    signed_by = ("-CA", str(authority.certificate), "-CAkey", str(authority.key)) if authority else ()
    _openssl(
        "req", "-x509", *NEW_KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}",
        "-addext", "basicConstraints=critical,CA:FALSE", *signed_by,
        "-keyout", str(pair.key), "-out", str(pair.certificate),
    )  # fmt: skip
    return pair


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
