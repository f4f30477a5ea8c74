# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An authority and certificates, by the openssl command: present on nearly every host, where Python's standard library has none."""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import (
    CommandResult,
    CommandRunner,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree

NAME = re.compile(r"[A-Za-z0-9*_]([A-Za-z0-9._-]*[A-Za-z0-9])?|[a-z][a-z0-9+.-]*://[A-Za-z0-9._~/:@-]+")
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
REQUEST = "[req]\ndistinguished_name = subject\nprompt = no\n[subject]\nCN = {name}\n"
AUTHORITY_EXTENSIONS = """[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
LEAF_EXTENSIONS = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def ends(authority: bytes, private: Path, runner: CommandRunner) -> int:
    """Return when the certificate of an authority ends, in seconds since the epoch; 0 when it is none."""
    path = private / "there.crt"
    file_tree.write(path, authority, 0o600)
    ran = _asked(runner, ["x509", "-in", str(path), "-noout", "-enddate"])
    end = re.search(r"notAfter=(.*)", ran.stdout)
    return ssl.cert_time_to_seconds(end.group(1).strip()) if ran.exit_code == 0 and end else 0


def new_authority(private: Path, days: int, runner: CommandRunner) -> dict[str, bytes]:
    """Return `ca.crt` and `ca.key` of a new authority, made in the folder `private`."""
    config = private / "ca.cnf"
    # Two authorities of the same subject confuse clients that trust both: the name has something of its own.
    name = f"meshlab.envoy {secrets.token_hex(4)}"
    file_tree.write(config, (REQUEST.format(name=name) + AUTHORITY_EXTENSIONS).encode(), 0o600)
    key, crt = private / "ca.key", private / "ca.crt"
    options = ["-extensions", "extensions", "-days", str(days), "-sha256", "-set_serial", _serial()]
    _openssl(
        runner,
        ["req", "-x509", *NEW_KEY, "-config", str(config), *options, "-keyout", str(key), "-out", str(crt)],
    )
    return {"ca.crt": crt.read_bytes(), "ca.key": key.read_bytes()}


def new_leaf(one: Certificate, base: Path, private: Path, runner: CommandRunner) -> dict[str, bytes]:
    """Return `tls.crt` and `tls.key`, signed by the `ca.crt` and `ca.key` in `private`; `base` is the name of files there."""
    names = _alternative_names(one)
    config, extensions = base.with_suffix(".cnf"), base.with_suffix(".ext")
    key, request, crt = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".crt")
    file_tree.write(config, REQUEST.format(name=[*one.names, *one.addresses][0][:64]).encode(), 0o600)
    file_tree.write(extensions, LEAF_EXTENSIONS.format(names=", ".join(names)).encode(), 0o600)
    _openssl(
        runner, ["req", "-new", *NEW_KEY, "-config", str(config), "-keyout", str(key), "-out", str(request)]
    )
    signer = [
        "-CA",
        str(private / "ca.crt"),
        "-CAkey",
        str(private / "ca.key"),
        "-set_serial",
        _serial(),
        "-sha256",
    ]
    _openssl(
        runner,
        [
            "x509",
            "-req",
            "-in",
            str(request),
            *signer,
            "-days",
            str(one.days),
            "-extfile",
            str(extensions),
            "-out",
            str(crt),
        ],
    )
    return {"tls.crt": crt.read_bytes(), "tls.key": key.read_bytes()}


def _alternative_names(one: Certificate) -> list[str]:
    for name in one.names:
        if not NAME.fullmatch(name):
            raise ConfigRefused(
                f"{name!r} cannot be a certificate's name: a host name or a URI is.", f"{one.path}/tls.crt"
            )
    try:
        addresses = [f"IP:{ipaddress.ip_address(address)}" for address in one.addresses]
    except ValueError as error:
        raise ConfigRefused(f"{error}.", f"{one.path}/tls.crt") from None
    names = [f"URI:{name}" if "://" in name else f"DNS:{name}" for name in one.names]
    if not names + addresses:
        raise ConfigRefused("has neither names nor addresses.", f"{one.path}/tls.crt")
    return names + addresses


def _openssl(runner: CommandRunner, arguments: Sequence[str]) -> None:
    ran = _asked(runner, arguments)
    if ran.exit_code != 0:
        words = " ".join(ran.stderr.split()[-60:])
        raise ConfigRefused(f"openssl could not make a certificate ({' '.join(arguments[:2])}): {words}.")


def _asked(runner: CommandRunner, arguments: Sequence[str]) -> CommandResult:
    try:
        return runner(["openssl", *arguments])
    except OSError as error:
        raise RequirementMissing(
            f"Certificates are made by openssl, which this host lacks ({error.strerror}): install openssl."
        ) from None


def _serial() -> str:
    return str(secrets.randbits(126) + 1)
