# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks whether an executable can be started on this machine, without starting it."""

from __future__ import annotations

import os
import platform
import shutil
import struct
import sys
from pathlib import Path

# The ELF header's e_machine (man 5 elf) that each `uname -m` runs, and the names of these machines.
_MACHINES = {
    "x86_64": {62, 3},
    "aarch64": {183, 40},
    "arm64": {183, 40},
    "ppc64le": {21},
    "s390x": {22},
    "riscv64": {243},
}
_MACHINE_NAMES = {
    3: "i386",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}
_MACH_O = {b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf"}
# Where Linux lists the emulators of foreign executables, such as qemu or Rosetta (Documentation/admin-guide/binfmt-misc.rst).
_BINFMT_MISC = Path("/proc/sys/fs/binfmt_misc")


def problem(program: str, folder: Path) -> str:
    """Return why `program` cannot be started from the working directory `folder`, and what to do; empty where it can.

    Args:
        program: A path, absolute or relative to `folder` or below `~/`, or a name that is looked up in PATH.
        folder: The working directory.
    """
    path = found(program, folder)
    if path is None:
        missing = "does not exist" if "/" in program else "is in no folder of PATH"
        return f"{program} {missing}. Install it, or correct its path"
    if path.is_dir():
        return f"{program} is a folder. Name the executable in it"
    if not os.access(path, os.X_OK):
        return f"{program} is not executable for user {os.geteuid()}. Run `chmod +x {path}`, or use become"
    try:
        with path.open("rb") as file:
            start = file.read(128)
    except PermissionError:
        return ""  # an executable need not be readable
    kind = "" if _is_emulated(path, start) else _foreign_kind(start)
    if not kind:
        return ""
    return (
        f"{program} {kind}. Choose an executable for this machine ({platform.system()} {platform.machine()})"
    )


def found(program: str, folder: Path) -> Path | None:
    """Return the path of `program`, see `problem`; None where it does not exist."""
    if "/" in program:
        path = folder / Path(program).expanduser()
        return path if path.exists() else None
    # A file in PATH that is not executable is found too, so that the error names it.
    in_path = shutil.which(program) or shutil.which(program, mode=os.F_OK)
    return Path(in_path) if in_path else None


def _foreign_kind(start: bytes) -> str:
    """Return for what else an executable is, from its first bytes; empty where this machine can run it."""
    if start[:2] == b"#!":
        return ""
    is_linux = sys.platform.startswith("linux")
    if start[:4] == b"\x7fELF" and len(start) >= 20:
        if not is_linux:
            return "is a program for Linux"
        (machine,) = struct.unpack("<H" if start[5] == 1 else ">H", start[18:20])
        allowed = _MACHINES.get(platform.machine())
        if allowed and machine not in allowed:
            return f"is a program for {_MACHINE_NAMES.get(machine, f'machine {machine}')}"
        return ""
    if start[:4] in _MACH_O:
        return "is a program for macOS" if is_linux else ""
    return "is not a program (Exec format error)"


def _is_emulated(path: Path, start: bytes) -> bool:
    """Return whether the kernel has an emulator for this kind of file."""
    try:
        entries = [
            path.read_text() for path in _BINFMT_MISC.iterdir() if path.name not in ("register", "status")
        ]
    except OSError:
        return False
    for entry in entries:
        fields = dict(line.split(" ", 1) for line in entry.splitlines() if " " in line)
        if not entry.startswith("enabled"):
            continue
        if path.suffix and fields.get("extension") == path.suffix:
            return True
        magic = bytes.fromhex(fields.get("magic", ""))
        mask = bytes.fromhex(fields.get("mask", "")) or b"\xff" * len(magic)
        offset = int(fields.get("offset", "0"))
        compared = start[offset : offset + len(magic)]
        if magic and len(compared) == len(magic) and _matches(compared, magic, mask):
            return True
    return False


def _matches(compared: bytes, magic: bytes, mask: bytes) -> bool:
    # The three have the same length: binfmt_misc writes the mask with the length of the magic.
    return all(a & m == b & m for a, b, m in zip(compared, magic, mask))
