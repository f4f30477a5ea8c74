# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted of a folder, and how a wish is refused. Shapes as in 'The plan' of docs/architecture.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused

# Names directly below the folder that belong to this layer.
STAGING = ".staging"
STATE_FILE = ".files.json"
LOCK = ".lock"
AUTHORITY = "ca"
RESERVED = (STAGING, STATE_FILE, LOCK, AUTHORITY)


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
    validated_files: tuple[str, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Admin:
    proxy: str
    url: str


@dataclass(frozen=True)
class DesiredFiles:
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
                raise ConfigRefused("is wanted twice.", path)
            seen.add(path)
        for path in [
            *(one.path for one in self.directories),
            *(file.path for one in self.checks for file in one.files),
        ]:
            checked_path(path)
        for path in sorted(seen):
            for parent in PurePosixPath(path).parents:
                if str(parent) in seen:
                    raise ConfigRefused(f"is wanted as a file, and as a folder for {path}.", str(parent))

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> DesiredFiles:
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
                    validated_files=tuple(one.get("validated_files") or ()),
                    version=one.get("version"),
                )
                for one in plan.get("checks") or ()
            ),
            admins=tuple(Admin(one["proxy"], one["url"]) for one in plan.get("admins") or ()),
        )


def checked_path(path: str) -> str:
    """Return `path` when it is a plain relative one that stays below the folder. Raises ConfigRefused."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or str(PurePosixPath(path)) != path or "\0" in path:
        raise ConfigRefused(
            "is not a plain path below the folder: relative, without '..', '.' or a slash at its end.", path
        )
    if parts[0] in RESERVED:
        raise ConfigRefused(f"cannot be used: {parts[0]} belongs to this collection.", path)
    return path


def mode_of(text: str | int) -> int:
    """Return the mode that `text` ('0644') says in octal. Raises ConfigRefused."""
    if isinstance(text, str) and len(text) in (3, 4) and set(text) <= set("01234567"):
        return int(text, 8)
    raise ConfigRefused(f"A mode is written in quotes and in octal, as in '0644'; this is {text!r}.")


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
