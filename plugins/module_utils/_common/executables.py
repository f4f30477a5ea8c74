# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a program can be started here, told before it is tried."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
from pathlib import Path

# e_machine of what `uname -m` says
_MACHINES = {
    "x86_64": {62, 3},
    "aarch64": {183, 40},
    "arm64": {183, 40},
    "ppc64le": {21},
    "s390x": {22},
    "riscv64": {243},
}
_NAMES = {3: "i386", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_MACH_O = {b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf"}
_FOREIGN = Path("/proc/sys/fs/binfmt_misc")


def trouble(program: str, folder: Path) -> str:
    """Return why `program` cannot be started from `folder`, and what to do; empty where it can."""
    path = found(program, folder)
    if path is None:
        where = "is not there" if "/" in program else "is in no folder of PATH"
        return f"{program} {where}: install it, or say where it is"
    if path.is_dir():
        return f"{program} is a folder: name the program in it"
    if not os.access(path, os.X_OK):
        return f"{program} may not be executed by {_user()}: `chmod +x {path}`, or choose another"
    try:
        with path.open("rb") as file:
            start = file.read(128)
    except PermissionError:
        return ""  # what may be executed need not be readable
    kind = "" if _is_emulated(path, start) else _wrong_kind(start)
    return (
        f"{program} {kind}: choose one that is for this machine ({platform.system()} {platform.machine()})"
        if kind
        else ""
    )


def found(program: str, folder: Path) -> Path | None:
    """Return where `program` is: below home (`~/`), relative to `folder`, or in PATH; None where it is not."""
    if "/" in program:
        path = folder / Path(program).expanduser()
        return path if path.exists() else None
    path_of = shutil.which(program) or _unexecutable(program)
    return Path(path_of) if path_of else None


def _unexecutable(program: str) -> str | None:
    return shutil.which(program, mode=os.F_OK)


def _wrong_kind(start: bytes) -> str:
    if start[:2] == b"#!":
        return ""
    linux = sys.platform.startswith("linux")
    if start[:4] == b"\x7fELF" and len(start) >= 20:
        if not linux:
            return "is a program for Linux"
        (machine,) = struct.unpack("<H" if start[5] == 1 else ">H", start[18:20])
        allowed = _MACHINES.get(platform.machine())
        if allowed and machine not in allowed:
            return f"is a program for {_NAMES.get(machine, f'machine {machine}')}"
        return ""
    if start[:4] in _MACH_O:
        return "is a program for macOS" if linux else ""
    return "is not a program (Exec format error)"


def _is_emulated(path: Path, start: bytes) -> bool:
    """Whether the kernel was told what to run such a file with, as qemu or Rosetta do."""
    try:
        entries = [one.read_text() for one in _FOREIGN.iterdir() if one.name not in ("register", "status")]
    except OSError:
        return False
    for entry in entries:
        said = dict(line.split(" ", 1) for line in entry.splitlines() if " " in line)
        if not entry.startswith("enabled"):
            continue
        if said.get("extension") == path.suffix and path.suffix:
            return True
        magic = bytes.fromhex(said.get("magic", ""))
        mask = bytes.fromhex(said.get("mask", "")) or b"\xff" * len(magic)
        found = start[int(said.get("offset", "0")) :][: len(magic)]
        if (
            magic
            and len(found) == len(magic)
            and all(a & m == b & m for a, b, m in zip(found, magic, mask, strict=True))
        ):
            return True
    return False


def _user() -> str:
    return f"user {os.geteuid()}"
