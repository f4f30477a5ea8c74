# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted of a folder, and how a wish is refused. Shapes as in 'The plan' of docs/architecture.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

# Names directly below the folder that belong to this layer.
STAGING = ".staging"
MANIFEST = ".files.json"
LOCK = ".lock"
AUTHORITY = "ca"
RESERVED = (STAGING, MANIFEST, LOCK, AUTHORITY)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: of which check, in which file and line where that is known, in whose words."""

    words: str
    check: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.file} line {self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (self.check, where, self.words) if part)


class Refused(Exception):
    """A wish that is not carried out. `findings` say why; `stays` says what is the case now."""

    def __init__(
        self,
        words: str | Sequence[Finding],
        file: str | None = None,
        line: int | None = None,
        stays: str = "Nothing was changed.",
    ) -> None:
        self.findings = [Finding(words, None, file, line)] if isinstance(words, str) else list(words)
        self.stays = stays
        between = "\n" if len(self.findings) > 1 else " "
        super().__init__(between.join([*map(str, self.findings), stays]))

    @property
    def file(self) -> str | None:
        return self.findings[0].file

    @property
    def line(self) -> int | None:
        return self.findings[0].line

    @property
    def words(self) -> str:
        return self.findings[0].words


class Unavailable(Refused):
    """Something that the host lacks (openssl, docker, the Envoy): in check mode a remark, otherwise a refusal."""


@dataclass(frozen=True)
class File:
    """A file below the folder; `live` names the proxy that watches it; `shown` stands for the content in a diff."""

    path: str
    content: bytes
    mode: int = 0o644
    live: str | None = None
    shown: str = ""


@dataclass(frozen=True)
class Directory:
    path: str
    mode: int = 0o755


@dataclass(frozen=True)
class Certificate:
    """`<path>/tls.crt`, `<path>/tls.key` (with `mode`) and `<path>/ca.crt`, renewed `renew_days` before it ends."""

    path: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    mode: int = 0o600
    days: int = 365
    renew_days: int = 30


@dataclass(frozen=True)
class Check:
    """A command that must succeed in the staged folder, directly or (with an image) in a container of that image."""

    name: str
    command: tuple[str, ...]
    image: str | None = None
    files: tuple[File, ...] = ()
    blames: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Admin:
    proxy: str
    url: str


@dataclass(frozen=True)
class Wanted:
    files: tuple[File, ...] = ()
    directories: tuple[Directory, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    checks: tuple[Check, ...] = ()
    admins: tuple[Admin, ...] = ()

    def __post_init__(self) -> None:
        certified = [
            f"{one.path}/{name}" for one in self.certificates for name in ("tls.crt", "tls.key", "ca.crt")
        ]
        seen: set[str] = set()
        for path in [*(file.path for file in self.files), *certified]:
            checked_path(path)
            if path in seen:
                raise Refused("is wanted twice.", path)
            seen.add(path)
        for path in [
            *(one.path for one in self.directories),
            *(file.path for one in self.checks for file in one.files),
        ]:
            checked_path(path)
        for path in sorted(seen):
            for parent in PurePosixPath(path).parents:
                if str(parent) in seen:
                    raise Refused(f"is wanted as a file, and as a folder for {path}.", str(parent))

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> Wanted:
        """Return what `plan` says of files, directories, certificates, checks and admins; the rest is not looked at."""
        return cls(
            files=tuple(_file(one) for one in plan.get("files") or ()),
            directories=tuple(
                Directory(one["path"], mode_of(one.get("mode") or "0755"))
                for one in plan.get("directories") or ()
            ),
            certificates=tuple(_certificate(one) for one in plan.get("certificates") or ()),
            checks=tuple(
                Check(
                    name=one["name"],
                    command=tuple(one["command"]),
                    image=one.get("image"),
                    files=tuple(_file(file) for file in one.get("files") or ()),
                    blames=tuple(one.get("blames") or ()),
                    version=one.get("version"),
                )
                for one in plan.get("checks") or ()
            ),
            admins=tuple(Admin(one["proxy"], one["url"]) for one in plan.get("admins") or ()),
        )


def checked_path(path: str) -> str:
    """Return `path` when it is a plain relative one that stays below the folder. Raises Refused."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or str(PurePosixPath(path)) != path or "\0" in path:
        raise Refused(
            "is not a plain path below the folder: relative, without '..', '.' or a slash at its end.", path
        )
    if parts[0] in RESERVED:
        raise Refused(f"cannot be used: {parts[0]} belongs to this collection.", path)
    return path


def mode_of(text: str | int) -> int:
    """Return the mode that `text` ('0644') says in octal. Raises Refused."""
    if isinstance(text, str) and len(text) in (3, 4) and set(text) <= set("01234567"):
        return int(text, 8)
    raise Refused(f"A mode is written in quotes and in octal, as in '0644'; this is {text!r}.")


def _file(one: Mapping[str, Any]) -> File:
    return File(
        one["path"], str(one["content"]).encode(), mode_of(one.get("mode") or "0644"), one.get("live")
    )


def _certificate(one: Mapping[str, Any]) -> Certificate:
    given = {key: int(one[key]) for key in ("days", "renew_days") if one.get(key)}
    return Certificate(
        one["path"],
        tuple(one["names"]),
        tuple(one.get("addresses") or ()),
        mode_of(one.get("mode") or "0600"),
        **given,
    )
