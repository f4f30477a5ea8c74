# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One private certificate authority for each folder, and the certificates that it signs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandRunner
from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import openssl
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    AUTHORITY_FILES,
    CERTIFICATE_FILES,
    Certificate,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import sha256

DAY = 86400  # seconds
AUTHORITY_DAYS = 3650
# The authority must be valid for longer than any certificate that it signs, so it is renewed this many days before its end.
AUTHORITY_RENEW_DAYS = 400
# An authority that was put into the folder by hand is used until this many days before its end.
FOREIGN_RENEW_DAYS = 30
IS_FOREIGN = "the authority in the folder is new"
PARALLEL = 4
# The data by which a renewal is decided: digest, ends (seconds since the epoch), names, days, renew_days, authority (digest).
Record = dict[str, Any]


@dataclass(frozen=True)
class IssuedCertificates:
    """The files of certificates and their authority.

    Attributes:
        files: All files, the key of each certificate before the certificate.
        records: For each directory, the data by which a renewal is decided.
        reasons: For each directory of a certificate that was created now, why.
    """

    files: tuple[File, ...] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def find_valid(
    folder: Path, certificates: Sequence[Certificate], records: Mapping[str, Record], now: float
) -> tuple[IssuedCertificates, dict[str, str]]:
    """Return the certificates that stay, and why each of the others must be issued.

    Args:
        folder: The folder on the host.
        certificates: The desired certificates.
        records: The records of the state file.
        now: The time in seconds since the epoch.

    Returns:
        The valid certificates; and for the directory of each other one, AUTHORITY included, the reason.
    """
    if not certificates:
        return IssuedCertificates(), {}
    due: dict[str, str] = {}
    files: list[File] = []
    valid: dict[str, Record] = {}
    authority = _contents(folder, AUTHORITY, AUTHORITY_FILES)
    record = records.get(AUTHORITY, {})
    if not authority:
        due[AUTHORITY] = "there is no authority"
    elif record.get("digest") == _digest(authority):
        if now > record.get("ends", 0) - record.get("renew_days", AUTHORITY_RENEW_DAYS) * DAY:
            due[AUTHORITY] = "the authority ends soon"
    else:
        due[AUTHORITY] = IS_FOREIGN
    if AUTHORITY not in due:
        files += _authority_files(authority)
        valid[AUTHORITY] = dict(record)
    for certificate in certificates:
        contents = _contents(folder, certificate.path, CERTIFICATE_FILES)
        reason = _reason(certificate, contents, records.get(certificate.path, {}), AUTHORITY in due, now)
        if reason:
            due[certificate.path] = reason
        else:
            files += _certificate_files(certificate, contents)
            valid[certificate.path] = dict(records[certificate.path])
    return IssuedCertificates(tuple(files), valid), due


def issue(
    folder: Path,
    valid: IssuedCertificates,
    certificates: Sequence[Certificate],
    due: Mapping[str, str],
    private: Path,
    runner: CommandRunner,
) -> IssuedCertificates:
    """Return `valid` with the certificates in `due`, which are created in the directory `private`.

    Args:
        folder: The folder on the host, whose authority is used when it is valid.
        valid: The first result of `find_valid`.
        certificates: The desired certificates.
        due: The second result of `find_valid`.
        private: An empty directory that only this user can enter.
        runner: Runs openssl.

    Raises:
        ConfigRefused: openssl failed, or a name of a certificate is not valid.
        RequirementMissing: The host has no openssl.
    """
    if not due:
        return valid
    now = time.time()
    files = list(valid.files)
    records = dict(valid.records)
    if AUTHORITY in due:
        contents, record = _new_or_foreign_authority(folder, due[AUTHORITY], private, now, runner)
        files += _authority_files(contents)
        records[AUTHORITY] = {"digest": _digest(contents), **record}
    authority = {
        file.path.rpartition("/")[2]: file.content for file in files if file.path.startswith(f"{AUTHORITY}/")
    }
    for name, content in authority.items():
        file_tree.write(private, name, content, 0o600)
    due_certificates = [
        (number, certificate) for number, certificate in enumerate(certificates) if certificate.path in due
    ]
    issued = map_to_pairs(
        lambda pair: openssl.new_certificate(pair[1], private / f"leaf{pair[0]}", private, runner),
        due_certificates,
        threads=PARALLEL,
    )
    for (_number, certificate), key_and_certificate in issued:
        contents = {**key_and_certificate, "ca.crt": authority["ca.crt"]}
        files += _certificate_files(certificate, contents)
        records[certificate.path] = {
            "digest": _digest(contents),
            "ends": int(now) + certificate.days * DAY,
            "names": list(certificate.subject_alternative_names),
            "days": certificate.days,
            "authority": sha256(authority["ca.crt"]),
        }
    return IssuedCertificates(tuple(files), records, dict(due))


def _new_or_foreign_authority(
    folder: Path, reason: str, private: Path, now: float, runner: CommandRunner
) -> tuple[dict[str, bytes], Record]:
    """Return the authority that was put into the folder by hand, while it is valid, or a new one; and its record."""
    foreign = _contents(folder, AUTHORITY, AUTHORITY_FILES) if reason == IS_FOREIGN else {}
    ends = openssl.end_time(foreign["ca.crt"], private, runner) if foreign else 0
    if now < ends - FOREIGN_RENEW_DAYS * DAY:
        return foreign, {"ends": ends, "renew_days": FOREIGN_RENEW_DAYS}
    return openssl.new_authority(private, AUTHORITY_DAYS, runner), {"ends": int(now) + AUTHORITY_DAYS * DAY}


def _reason(
    certificate: Certificate,
    contents: Mapping[str, bytes],
    record: Record,
    is_authority_new: bool,
    now: float,
) -> str:
    """Return why a certificate must be issued, or an empty string."""
    if not contents:
        return "there is no certificate"
    if record.get("digest") != _digest(contents):
        return "the certificate was replaced by hand"
    if (
        record.get("names") != list(certificate.subject_alternative_names)
        or record.get("days") != certificate.days
    ):
        return "its names or its days changed"
    if now > record.get("ends", 0) - certificate.renew_days * DAY:
        return "the certificate ends soon"
    return "its authority changed" if is_authority_new else ""


def _contents(folder: Path, directory: str, names: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of all files `names` of a directory, or nothing when one is missing."""
    found = {name: file_tree.read(folder, f"{directory}/{name}") for name in names}
    return {name: file[0] for name, file in found.items() if file} if all(found.values()) else {}


def _digest(contents: Mapping[str, bytes]) -> str:
    return sha256(b"\0".join(contents[name] for name in sorted(contents)))


def _authority_files(contents: Mapping[str, bytes]) -> list[File]:
    return [
        File(f"{AUTHORITY}/ca.key", contents["ca.key"], 0o600, shown_as="(a private key)"),
        File(
            f"{AUTHORITY}/ca.crt",
            contents["ca.crt"],
            0o644,
            shown_as="(the certificate of this folder's authority)",
        ),
    ]


def _certificate_files(certificate: Certificate, contents: Mapping[str, bytes]) -> list[File]:
    names = ", ".join(certificate.subject_alternative_names)
    path = certificate.path
    return [
        File(f"{path}/tls.key", contents["tls.key"], certificate.mode, shown_as="(a private key)"),
        File(f"{path}/tls.crt", contents["tls.crt"], 0o644, shown_as=f"(a certificate for {names})"),
        File(
            f"{path}/ca.crt",
            contents["ca.crt"],
            0o644,
            shown_as="(the certificate of this folder's authority)",
        ),
    ]
