# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authorities and certificates by the openssl command, since Python's standard library cannot create them."""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import (
    CommandResult,
    CommandRunner,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._common.network.error_text import error_text
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Certificate
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree

# A host name, which can have a wildcard, or a URI.
NAME = re.compile(r"[A-Za-z0-9*_]([A-Za-z0-9._-]*[A-Za-z0-9])?|[a-z][a-z0-9+.-]*://[A-Za-z0-9._~/:@-]+")
# The longest common name (RFC 5280, ub-common-name).
COMMON_NAME_LENGTH = 64
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
REQUEST = "[req]\ndistinguished_name = subject\nprompt = no\n[subject]\nCN = {name}\n"
AUTHORITY_EXTENSIONS = """[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
CERTIFICATE_EXTENSIONS = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def end_time(certificate: bytes, private: Path, runner: CommandRunner) -> int:
    """Return when a certificate ends, in seconds since the epoch; 0 when `certificate` is not one."""
    path = private / "foreign.crt"
    file_tree.write(private, path.name, certificate, 0o600)
    result = _run_openssl(runner, ["x509", "-in", str(path), "-noout", "-enddate"])
    end = re.search(r"notAfter=(.*)", result.stdout)
    return ssl.cert_time_to_seconds(end.group(1).strip()) if result.exit_code == 0 and end else 0


def new_authority(private: Path, days: int, runner: CommandRunner) -> dict[str, bytes]:
    """Return `ca.crt` and `ca.key` of a new authority, which is created in the directory `private`."""
    config = private / "ca.cnf"
    # A client that trusts two authorities needs different subjects, so the name has a random part.
    name = f"meshlab.envoy {secrets.token_hex(4)}"
    file_tree.write(private, config.name, (REQUEST.format(name=name) + AUTHORITY_EXTENSIONS).encode(), 0o600)
    key, crt = private / "ca.key", private / "ca.crt"
    options = ["-extensions", "extensions", "-days", str(days), "-sha256", "-set_serial", _serial()]
    _require_openssl(
        runner,
        ["req", "-x509", *NEW_KEY, "-config", str(config), *options, "-keyout", str(key), "-out", str(crt)],
    )
    return {"ca.crt": crt.read_bytes(), "ca.key": key.read_bytes()}


def new_certificate(
    certificate: Certificate, base: Path, private: Path, runner: CommandRunner
) -> dict[str, bytes]:
    """Return `tls.crt` and `tls.key`.

    Args:
        certificate: The desired certificate.
        base: The path without suffix of the files that are created.
        private: The directory with `ca.crt` and `ca.key` of the authority that signs.
        runner: Runs openssl.
    """
    names = _subject_alternative_names(certificate)
    config, extensions = base.with_suffix(".cnf"), base.with_suffix(".ext")
    key, request, crt = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".crt")
    common_name = certificate.subject_alternative_names[0][:COMMON_NAME_LENGTH]
    file_tree.write(private, config.name, REQUEST.format(name=common_name).encode(), 0o600)
    file_tree.write(
        private, extensions.name, CERTIFICATE_EXTENSIONS.format(names=", ".join(names)).encode(), 0o600
    )
    _require_openssl(
        runner, ["req", "-new", *NEW_KEY, "-config", str(config), "-keyout", str(key), "-out", str(request)]
    )
    authority = ["-CA", str(private / "ca.crt"), "-CAkey", str(private / "ca.key")]
    options = ["-set_serial", _serial(), "-sha256", "-days", str(certificate.days)]
    files = ["-in", str(request), "-extfile", str(extensions), "-out", str(crt)]
    _require_openssl(runner, ["x509", "-req", *authority, *options, *files])
    return {"tls.crt": crt.read_bytes(), "tls.key": key.read_bytes()}


def _subject_alternative_names(certificate: Certificate) -> list[str]:
    """Return the names and addresses in openssl's form. Raises ConfigRefused."""
    file = f"{certificate.path}/tls.crt"
    for name in certificate.names:
        if not NAME.fullmatch(name):
            raise ConfigRefused(
                f"{name!r} is not a valid name of a certificate. Use a host name or a URI.", file
            )
    try:
        addresses = [f"IP:{ipaddress.ip_address(address)}" for address in certificate.addresses]
    except ValueError as error:
        raise ConfigRefused(f"{error}. Use an IP address, or move it to 'names'.", file) from None
    names = [f"URI:{name}" if "://" in name else f"DNS:{name}" for name in certificate.names]
    if not names + addresses:
        raise ConfigRefused("the certificate has no name and no address. Add one to 'names'.", file)
    return names + addresses


def _require_openssl(runner: CommandRunner, arguments: Sequence[str]) -> None:
    """Run openssl. Raises ConfigRefused when it fails."""
    result = _run_openssl(runner, arguments)
    if result.exit_code != 0:
        text = " ".join(result.stderr.split()[-60:])
        raise ConfigRefused(f"openssl {' '.join(arguments[:2])}: the certificate cannot be created: {text}.")


def _run_openssl(runner: CommandRunner, arguments: Sequence[str]) -> CommandResult:
    try:
        return runner(["openssl", *arguments])
    except OSError as error:
        raise RequirementMissing(
            f"openssl: this host does not have the command that creates certificates ({error_text(error)})."
            " Install openssl."
        ) from None


def _serial() -> str:
    return str(secrets.randbits(126) + 1)
