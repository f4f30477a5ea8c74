# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One private authority per folder, and certificates from it; made by the openssl command, in a private folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.command import CommandRunner
from ansible_collections.meshlab.envoy.plugins.module_utils._common.thread_pool import map_to_pairs
from ansible_collections.meshlab.envoy.plugins.module_utils._config.certificates import openssl
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import (
    AUTHORITY,
    Certificate,
    File,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files import file_tree
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import sha256

DAY = 86400
NEW_HERE = "the one there is new here"
# Somebody else's authority is used until this many days before its end.
ADOPTED_RENEW_DAYS = 30
AUTHORITY_DAYS = 3650
# The authority must outlive what it signs, so it is renewed well before the last leaf could outlive it.
AUTHORITY_RENEW_DAYS = 400
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
    runner: CommandRunner,
) -> Certified:
    """Return `kept` with what is `due` made in the folder `private`. Raises ConfigRefused, RequirementMissing without openssl."""
    if not due:
        return kept
    now = time.time()
    files = list(kept.files)
    records = dict(kept.records or {})
    if AUTHORITY in due:
        there = _found(folder, AUTHORITY, ("ca.crt", "ca.key")) if due[AUTHORITY] == NEW_HERE else {}
        end = openssl.ends(there["ca.crt"], private, runner) if there else 0
        if now < end - ADOPTED_RENEW_DAYS * DAY:
            # An authority that somebody put there is used, while it lasts.
            contents, record = there, {"ends": end, "renew_days": ADOPTED_RENEW_DAYS}
        else:
            contents = openssl.new_authority(private, AUTHORITY_DAYS, runner)
            record = {"ends": int(now) + AUTHORITY_DAYS * DAY}
        files += _authority_files(contents)
        records[AUTHORITY] = {"digest": _digest(contents), **record}
    authority = {
        file.path.rpartition("/")[2]: file.content for file in files if file.path.startswith(f"{AUTHORITY}/")
    }
    for name, content in authority.items():
        file_tree.write(private / name, content, 0o600)
    todo = [one for one in wanted if one.path in due]
    leaves = map_to_pairs(
        lambda pair: openssl.new_leaf(pair[1], private / f"leaf{pair[0]}", private, runner),
        enumerate(todo),
        threads=4,
    )
    for (_number, one), leaf in leaves:
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


def _found(folder: Path, path: str, names: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of all `names`, or nothing when one is missing."""
    found = {name: file_tree.read(folder / path / name) for name in names}
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
