# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of the cluster, issued at its start by an authority whose key `down` deletes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .base import run

_DAYS = "30"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A certificate authority: a folder with ca.crt, ca.key, and NAME.crt and NAME.key for each name."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"

    def make(self) -> None:
        """Create the authority if it does not exist."""
        if self.certificate.exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        run(
            [
                *("openssl", "req", "-x509", *_NEW_KEY, "-days", _DAYS, "-subj", "/CN=meshlab-lab"),
                *("-keyout", self.key, "-out", self.certificate),
                *("-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"),
            ]
        )

    def certify(self, name: str, user: str, group: str = "", addresses: Iterable[str] = ()) -> None:
        """Issue a client certificate for `user`, which is also a server certificate for `addresses` (`IP:…` or `DNS:…`)."""
        if self.crt(name).exists():
            return
        request = self.folder / f"{name}.csr"
        subject = f"/O={group}/CN={user}" if group else f"/CN={user}"
        run(
            [
                "openssl",
                "req",
                "-new",
                *_NEW_KEY,
                "-subj",
                subject,
                "-keyout",
                self.private(name),
                "-out",
                request,
            ]
        )
        extensions = self.folder / f"{name}.ext"
        lines = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth,serverAuth"]
        if addresses:
            lines.append(f"subjectAltName={','.join(addresses)}")
        extensions.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run(
            [
                *("openssl", "x509", "-req", "-in", request, "-days", _DAYS, "-extfile", extensions),
                *("-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-out", self.crt(name)),
            ]
        )
        request.unlink()
        extensions.unlink()

    def crt(self, name: str) -> Path:
        """Return the path of a certificate."""
        return self.folder / f"{name}.crt"

    def private(self, name: str) -> Path:
        """Return the path of a private key."""
        return self.folder / f"{name}.key"

    def signing_key(self, name: str) -> Path:
        """Return the path of a key pair that signs the tokens of service accounts, and create it if necessary."""
        path = self.private(name)
        if not path.exists():
            run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path])
        return path
