# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The desired content of a folder: files, directories, certificates, checks and the proxies that confirm a change.

Longer than 300 lines because it defines the data of the whole package, with a description of each field.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._common.deployment_record import (
    DeploymentRecord,
    RecordError,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import ConfigRefused, Finding

# Names directly below the folder that this package uses itself.
STAGING = ".staging"
STATE_FILE = ".files.json"
LOCK = ".lock"
# Configurations that Envoy refused, which errors refer to. The next run removes them.
REFUSED = ".refused"
AUTHORITY = "ca"
RESERVED_NAMES = (STAGING, STATE_FILE, LOCK, REFUSED, AUTHORITY)

# How a diff shows a file with secrets.
SENSITIVE = "(sensitive, not shown)"

CERTIFICATE_FILES = ("tls.crt", "tls.key", "ca.crt")
AUTHORITY_FILES = ("ca.crt", "ca.key")


@dataclass(frozen=True)
class File:
    """A file below the folder.

    Attributes:
        path: Path relative to the folder.
        content: The bytes of the file.
        mode: Permission bits.
        live: Name of the proxy that watches the file while it runs. None when a proxy reads it only at its start.
        shown_as: Text that a diff shows instead of the content. Empty shows the content.
        source: The author's file of which this is a copy. Errors name it. Empty: errors name the path.
    """

    path: str
    content: bytes
    mode: int = 0o644
    live: str | None = None
    shown_as: str = ""
    source: str = ""


@dataclass(frozen=True)
class Directory:
    """A directory below the folder that exists even without files.

    Attributes:
        path: Path relative to the folder.
        mode: Permission bits.
    """

    path: str
    mode: int = 0o755


@dataclass(frozen=True)
class Certificate:
    """A certificate that the folder's authority signs.

    Attributes:
        path: Directory of `tls.crt`, `tls.key` and `ca.crt`, relative to the folder.
        names: Host names and URIs that the certificate is valid for. The first one is its common name.
        addresses: IP addresses that the certificate is valid for.
        mode: Permission bits of `tls.key`.
        days: Number of days that the certificate is valid.
        renew_days: Number of days before its end at which it is renewed.
    """

    path: str
    names: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    mode: int = 0o600
    days: int = 365
    renew_days: int = 30

    @property
    def subject_alternative_names(self) -> tuple[str, ...]:
        """Return the names and the addresses."""
        return (*self.names, *self.addresses)


@dataclass(frozen=True)
class CheckSource:
    """The part of a demo file from which a check's proxy is generated.

    Attributes:
        file: Name of the demo file.
        key: Key of the proxy, such as `proxies.edge`.
        lines: Line of each key below it, relative to it, such as `listeners.http`. Its own line is that of the empty key.
    """

    file: str
    key: str
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A command that must succeed in a staged copy of the folder before anything is changed.

    Attributes:
        name: Name of the check in errors, which for an Envoy is the name of the proxy.
        command: The program and its arguments.
        image: Image whose container runs the command. None runs it on the host.
        files: Files that exist only while the check runs.
        validated_files: Paths of the deployed files that the check validates. Errors are reported with their lines.
        version: Envoy version that the program must have. None accepts any program.
        volumes: Volumes that the container sees: `kind` (`empty` or `host`), `target`, `name` and `writable` of each.
        elsewhere: Whether the configuration runs on another machine, which can have other files.
        source: The author's keys, which errors name in place of the deployed files. None: the author wrote the deployed files.
        directory: Working directory, relative to the staged copy.
    """

    name: str
    command: tuple[str, ...]
    image: str | None = None
    files: tuple[File, ...] = ()
    validated_files: tuple[str, ...] = ()
    version: str | None = None
    volumes: tuple[tuple[str, str, str, bool], ...] = ()
    elsewhere: bool = False
    source: CheckSource | None = field(default=None, compare=False)
    directory: str = ""


@dataclass(frozen=True)
class Admin:
    """The admin interface of a proxy.

    Attributes:
        proxy: Name of the proxy.
        url: `http://host:port`, `unix:///path` (with `~` for the home of the task's user) or `unix://@name`.
        container: Docker container in which the URL applies. Empty: it applies on this host.
    """

    proxy: str
    url: str
    container: str = ""


@dataclass(frozen=True)
class DesiredFiles:
    """The desired content of a folder. Paths are relative to it. `deployed` is what the state file records of the plan.

    Raises:
        ConfigRefused: A path leaves the folder, is reserved, or is listed twice.
    """

    files: tuple[File, ...] = ()
    directories: tuple[Directory, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    checks: tuple[Check, ...] = ()
    admins: tuple[Admin, ...] = ()
    deployed: DeploymentRecord | None = None

    def __post_init__(self) -> None:
        """Refuse paths that are unsafe or that contradict each other."""
        certificate_files = [
            f"{certificate.path}/{name}" for certificate in self.certificates for name in CERTIFICATE_FILES
        ]
        file_paths: set[str] = set()
        for path in [*(file.path for file in self.files), *certificate_files]:
            # Without an authority of the folder, another one can have its place.
            if path != f"{AUTHORITY}/ca.crt" or self.certificates:
                require_safe_path(path)
            if path in file_paths:
                raise ConfigRefused("this path is listed twice. Remove one of the two entries.", path)
            file_paths.add(path)
        for path in [
            *(directory.path for directory in self.directories),
            *(file.path for check in self.checks for file in check.files),
        ]:
            require_safe_path(path)
        for path in sorted(file_paths):
            for parent in PurePosixPath(path).parents:
                if str(parent) in file_paths:
                    raise ConfigRefused(
                        f"this path is a file and also the directory of {path}. Rename one of the two.",
                        str(parent),
                    )

    def located(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return findings that name the files of their author."""
        sources = {one.path: one.source for one in self.files if one.source}
        return [replace(one, file=sources.get(one.file or "", one.file)) for one in findings]

    @classmethod
    def from_plan(cls, plan: Mapping[str, Any]) -> DesiredFiles:
        """Return the files, directories, certificates, checks and admins of a plan.

        Args:
            plan: Data with the keys `files`, `directories`, `certificates`, `checks` and `admins` of a plan
                (docs/plan.md). Other keys are ignored; a missing key is an empty list.

        Raises:
            ConfigRefused: A path or a mode is not valid.

        Example:
            >>> desired = DesiredFiles.from_plan({"files": [{"path": "edge/clusters.yaml", "content": "resources: []"}]})
            >>> desired.files[0].content
            b'resources: []'
        """
        return cls(
            files=tuple(_file(file) for file in plan.get("files") or ()),
            directories=tuple(
                Directory(directory["path"], parse_mode(directory.get("mode") or "0755"))
                for directory in plan.get("directories") or ()
            ),
            certificates=tuple(_certificate(certificate) for certificate in plan.get("certificates") or ()),
            checks=tuple(
                Check(
                    name=check["name"],
                    command=tuple(check["command"]),
                    image=check.get("image"),
                    files=tuple(_file(file) for file in check.get("files") or ()),
                    validated_files=tuple(check.get("validated_files") or ()),
                    version=check.get("version"),
                    volumes=tuple(
                        (one["kind"], one["target"], one["name"], one["writable"])
                        for one in check.get("volumes") or ()
                    ),
                    elsewhere=bool(check.get("elsewhere")),
                    directory=check.get("directory") or "",
                    source=CheckSource(**check["source"]) if check.get("source") else None,
                )
                for check in plan.get("checks") or ()
            ),
            admins=tuple(
                Admin(admin["proxy"], admin["url"], admin.get("container") or "")
                for admin in plan.get("admins") or ()
            ),
            deployed=planned_record(plan.get("deployed")),
        )


def require_safe_path(path: str) -> str:
    """Return `path` when it is relative, normalized, below the folder and not reserved.

    Raises:
        ConfigRefused: The path is none of that.
    """
    if not is_safe_path(path):
        raise ConfigRefused(
            "this path is not below the folder. Use a relative path without '..', without '.' and without a slash at its end.",
            path,
        )
    top = PurePosixPath(path).parts[0]
    if top in RESERVED_NAMES:
        raise ConfigRefused(f"the name {top} is reserved for this collection. Choose another name.", path)
    return path


def is_safe_path(path: str) -> bool:
    """Return whether `path` is a relative, normalized path that stays below the folder that it is joined to."""
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and not path.startswith("/")
        and ".." not in parts
        and str(PurePosixPath(path)) == path
        and "\0" not in path
    )


def parse_mode(text: str | int) -> int:
    """Return the permission bits that `text` states in octal, such as `0644`.

    Raises:
        ConfigRefused: `text` is not three or four octal digits in quotes.
    """
    if isinstance(text, str) and len(text) in (3, 4) and set(text) <= set("01234567"):
        return int(text, 8)
    raise ConfigRefused(f"mode: {text!r} is not a mode. Write it in octal and in quotes, such as '0644'.")


def planned_record(data: Any) -> DeploymentRecord | None:
    """Return the record in the key `deployed` of a plan, or None without one. Raises ConfigRefused for a wrong value."""
    try:
        return DeploymentRecord.read(data) if data else None
    except RecordError as error:
        raise ConfigRefused(
            f"deployed: {error}. Use the value of a plan of meshlab.envoy.demo_plan."
        ) from None


def file_bytes(file: Mapping[str, Any]) -> bytes:
    """Return the bytes of a planned file, whose `content` is text, or Base64 if `encoding` is base64."""
    content = str(file["content"])
    return base64.b64decode(content) if file.get("encoding") == "base64" else content.encode()


def _file(file: Mapping[str, Any]) -> File:
    return File(
        file["path"],
        file_bytes(file),
        parse_mode(file.get("mode") or "0644"),
        file.get("live"),
        SENSITIVE if file.get("sensitive") else "",
        file.get("source") or "",
    )


def _certificate(certificate: Mapping[str, Any]) -> Certificate:
    stated = {key: int(certificate[key]) for key in ("days", "renew_days") if certificate.get(key)}
    return Certificate(
        certificate["path"],
        tuple(certificate["names"]),
        tuple(certificate.get("addresses") or ()),
        parse_mode(certificate.get("mode") or "0600"),
        **stated,
    )
