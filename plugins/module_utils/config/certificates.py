# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One private authority per folder, and certificates from it; made by the openssl command, in a private folder."""

from __future__ import annotations

import ipaddress
import re
import secrets
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils.config import tree
from ansible_collections.meshlab.envoy.plugins.module_utils.config.manifest import sha256
from ansible_collections.meshlab.envoy.plugins.module_utils.config.model import (
    AUTHORITY,
    Certificate,
    File,
    Ran,
    Refused,
    Runner,
    Unavailable,
)

DAY = 86400
NEW_HERE = "the one there is new here"
# Somebody else's authority is used until this many days before its end.
ADOPTED_RENEW_DAYS = 30
AUTHORITY_DAYS = 3650
# The authority must outlive what it signs, so it is renewed well before the last leaf could outlive it.
AUTHORITY_RENEW_DAYS = 400
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
Record = dict[str, Any]


@dataclass(frozen=True)
class Certified:
    """All files of all certificates and their authority, what to remember of them, and why some were made now."""

    files: tuple[File, ...] = ()
    records: Mapping[str, Record] | None = None
    made: Mapping[str, str] | None = None


def keep(
    folder: Path, wanted: Sequence[Certificate], records: Mapping[str, Record], now: float
) -> tuple[Certified, dict[str, str]]:
    """Return what is there and good, and for each path of the rest (with AUTHORITY, when it is that) why it must be made."""
    if not wanted:
        return Certified((), {}, {}), {}
    due: dict[str, str] = {}
    files: list[File] = []
    kept: dict[str, Record] = {}
    found = _found(folder, AUTHORITY, ("ca.crt", "ca.key"))
    record = records.get(AUTHORITY, {})
    if not found:
        due[AUTHORITY] = "there is none"
    elif record.get("digest") == _digest(found):
        if now > record.get("ends", 0) - record.get("renew_days", AUTHORITY_RENEW_DAYS) * DAY:
            due[AUTHORITY] = "the one there ends soon"
    else:
        due[AUTHORITY] = NEW_HERE
    if AUTHORITY not in due:
        files += _authority_files(found)
        kept[AUTHORITY] = dict(record)
    for one in wanted:
        leaf = _found(folder, one.path, ("tls.crt", "tls.key", "ca.crt"))
        reason = _due(one, leaf, records.get(one.path, {}), AUTHORITY in due, now)
        if reason:
            due[one.path] = reason
        else:
            files += _leaf_files(one, leaf)
            kept[one.path] = dict(records[one.path])
    return Certified(tuple(files), kept, {}), due


def make(
    folder: Path,
    kept: Certified,
    wanted: Sequence[Certificate],
    due: Mapping[str, str],
    private: Path,
    runner: Runner,
) -> Certified:
    """Return `kept` with what is `due` made in the folder `private`. Raises Refused, Unavailable without openssl."""
    if not due:
        return kept
    now = time.time()
    files = list(kept.files)
    records = dict(kept.records or {})
    if AUTHORITY in due:
        there = _found(folder, AUTHORITY, ("ca.crt", "ca.key")) if due[AUTHORITY] == NEW_HERE else {}
        contents, record = _adopt(there, private, runner, now) or _new_authority(private, runner, now)
        files += _authority_files(contents)
        records[AUTHORITY] = {"digest": _digest(contents), **record}
    authority = {
        file.path.rpartition("/")[2]: file.content for file in files if file.path.startswith(f"{AUTHORITY}/")
    }
    for name, content in authority.items():
        tree.write(private / name, content, 0o600)
    todo = [one for one in wanted if one.path in due]
    with ThreadPoolExecutor(4) as pool:
        leaves = list(
            pool.map(
                lambda pair: _leaf(pair[1], private / f"leaf{pair[0]}", private, runner), enumerate(todo)
            )
        )
    for one, leaf in zip(todo, leaves, strict=True):
        leaf["ca.crt"] = authority["ca.crt"]
        files += _leaf_files(one, leaf)
        records[one.path] = {
            "digest": _digest(leaf),
            "ends": int(now) + one.days * DAY,
            "names": [*one.names, *one.addresses],
            "days": one.days,
            "authority": sha256(authority["ca.crt"]),
        }
    return Certified(tuple(files), records, dict(due))


def _due(one: Certificate, leaf: Mapping[str, bytes], record: Record, new_authority: bool, now: float) -> str:
    """Return why a certificate must be made, '' when it need not."""
    if not leaf:
        return "there is none"
    if record.get("digest") != _digest(leaf):
        return "it is not the one that was made here"
    if record.get("names") != [*one.names, *one.addresses] or record.get("days") != one.days:
        return "its names or its days changed"
    if now > record.get("ends", 0) - one.renew_days * DAY:
        return "it ends soon"
    return "its authority changed" if new_authority else ""


def _adopt(
    there: Mapping[str, bytes], private: Path, runner: Runner, now: float
) -> tuple[dict[str, bytes], Record] | None:
    """An authority that somebody put there is used, while it lasts."""
    if not there:
        return None
    path = private / "there.crt"
    tree.write(path, there["ca.crt"], 0o600)
    ran = _asked(runner, ["x509", "-in", str(path), "-noout", "-enddate"])
    end = re.search(r"notAfter=(.*)", ran.out)
    ends = ssl.cert_time_to_seconds(end.group(1).strip()) if ran.code == 0 and end else 0
    if now > ends - ADOPTED_RENEW_DAYS * DAY:
        return None
    return dict(there), {"ends": ends, "renew_days": ADOPTED_RENEW_DAYS}


def _new_authority(private: Path, runner: Runner, now: float) -> tuple[dict[str, bytes], Record]:
    config = private / "ca.cnf"
    # Two authorities of the same subject confuse clients that trust both: the name has something of its own.
    name = f"meshlab.envoy {secrets.token_hex(4)}"
    tree.write(config, (REQUEST.format(name=name) + AUTHORITY_EXTENSIONS).encode(), 0o600)
    key, crt = private / "ca.key", private / "ca.crt"
    options = ["-extensions", "extensions", "-days", str(AUTHORITY_DAYS), "-sha256", "-set_serial", _serial()]
    _openssl(
        runner,
        ["req", "-x509", *NEW_KEY, "-config", str(config), *options, "-keyout", str(key), "-out", str(crt)],
    )
    return {"ca.crt": crt.read_bytes(), "ca.key": key.read_bytes()}, {"ends": int(now) + AUTHORITY_DAYS * DAY}


def _leaf(one: Certificate, base: Path, private: Path, runner: Runner) -> dict[str, bytes]:
    names = _alternative_names(one)
    config, extensions = base.with_suffix(".cnf"), base.with_suffix(".ext")
    key, request, crt = base.with_suffix(".key"), base.with_suffix(".csr"), base.with_suffix(".crt")
    tree.write(config, REQUEST.format(name=[*one.names, *one.addresses][0][:64]).encode(), 0o600)
    tree.write(extensions, LEAF_EXTENSIONS.format(names=", ".join(names)).encode(), 0o600)
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
            raise Refused(
                f"{name!r} cannot be a certificate's name: a host name or a URI is.", f"{one.path}/tls.crt"
            )
    try:
        addresses = [f"IP:{ipaddress.ip_address(address)}" for address in one.addresses]
    except ValueError as error:
        raise Refused(f"{error}.", f"{one.path}/tls.crt") from None
    names = [f"URI:{name}" if "://" in name else f"DNS:{name}" for name in one.names]
    if not names + addresses:
        raise Refused("has neither names nor addresses.", f"{one.path}/tls.crt")
    return names + addresses


def _openssl(runner: Runner, arguments: Sequence[str]) -> None:
    ran = _asked(runner, arguments)
    if ran.code != 0:
        words = " ".join(ran.err.split()[-60:])
        raise Refused(f"openssl could not make a certificate ({' '.join(arguments[:2])}): {words}.")


def _asked(runner: Runner, arguments: Sequence[str]) -> Ran:
    try:
        return runner(["openssl", *arguments])
    except OSError as error:
        raise Unavailable(
            f"Certificates are made by openssl, which this host lacks ({error.strerror}): install openssl."
        ) from None


def _serial() -> str:
    return str(secrets.randbits(126) + 1)


def _found(folder: Path, path: str, names: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of all `names`, or nothing when one is missing."""
    found = {name: tree.read(folder / path / name) for name in names}
    return {name: one[0] for name, one in found.items() if one} if all(found.values()) else {}


def _digest(contents: Mapping[str, bytes]) -> str:
    return sha256(b"\0".join(contents[name] for name in sorted(contents)))


def _authority_files(contents: Mapping[str, bytes]) -> list[File]:
    return [
        File(f"{AUTHORITY}/ca.key", contents["ca.key"], 0o600, shown="(a private key)"),
        File(
            f"{AUTHORITY}/ca.crt",
            contents["ca.crt"],
            0o644,
            shown="(the certificate of this folder's authority)",
        ),
    ]


def _leaf_files(one: Certificate, contents: Mapping[str, bytes]) -> list[File]:
    """The key comes before the certificate that needs it."""
    names = ", ".join([*one.names, *one.addresses])
    return [
        File(f"{one.path}/tls.key", contents["tls.key"], one.mode, shown="(a private key)"),
        File(f"{one.path}/tls.crt", contents["tls.crt"], 0o644, shown=f"(a certificate for {names})"),
        File(
            f"{one.path}/ca.crt",
            contents["ca.crt"],
            0o644,
            shown="(the certificate of this folder's authority)",
        ),
    ]
