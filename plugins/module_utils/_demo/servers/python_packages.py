# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Python packages of a server: lines of a requirements file, each with one version and the hashes of its files.

The demo runs the same files on every host and in every image, because each requirement is pinned and hashed, also those that other
packages require.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.author_files import author_file
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.demo_source import DemoSource
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError

# Names of packages, extras and versions (packaging.python.org, "Version specifiers"), as far as they are pinned with ==.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9._, -]+\])?")
_PINNED = re.compile(rf"({_NAME.pattern})\s*==\s*([A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_HASH = re.compile(r"--hash[= ]sha256:([0-9a-f]{64})(?=\s|$)")
_PYTHONS = ("python3", "python")
_LOCK = "`pip-compile --generate-hashes` or `uv pip compile --generate-hashes` writes such lines"


def python_packages(value: Any, file: str, where: str, source: DemoSource) -> str:
    """Return the text of a requirements file: one line for each package, sorted, with its version and its hashes.

    Args:
        value: A list of requirements, or a file as `author_file` reads it.
        file: Name of the demo file.
        where: The key that holds `value`.
        source: Reads the files relative to the demo file.

    Raises:
        DemoError: A requirement is not pinned, has no hash, or is no requirement.

    Example:
        >>> python_packages(["six == 1.17.0 --hash=sha256:" + 64 * "0"], "shop.yml", "packages", DemoSource())[:12]
        'six==1.17.0 '
    """
    if isinstance(value, (list, tuple)):
        lines = [(f"{where}[{position}]", str(one)) for position, one in enumerate(value)]
    elif isinstance(value, Mapping):
        content = author_file(value, file, where, source).content
        if isinstance(content, bytes):
            raise DemoError(file, f"{where}: the file is not text. Use a requirements file of pip.")
        lines = [(f"{where}, line {number}", line) for number, line in _logical_lines(content)]
    else:
        raise DemoError(
            file,
            f"{where}: expected a list of requirements, or a file such as {{source: requirements.txt}}, got '{value}'.",
        )
    found: dict[str, str] = {}
    for place, line in lines:
        name, requirement = _requirement(" ".join(line.replace("\\\n", " ").split()), file, place)
        if name in found:
            raise DemoError(file, f"{place}: package '{name}' occurs twice. Remove one of the lines.")
        found[name] = requirement
    if not found:
        raise DemoError(file, f"{where}: no package. Add one, or remove the key.")
    return "".join(f"{found[name]}\n" for name in sorted(found))


def check_packages(server: Mapping[str, Any], file: str, where: str) -> None:
    """Raise DemoError if the program of a server with packages is not Python."""
    if server["packages"] is None:
        return
    program = server["command"][0]
    if program not in _PYTHONS:
        raise DemoError(
            file,
            f"{where}.command[0]: 'packages' are for a program that Python runs, got '{program}'. Begin with python3, and start a"
            " package's own program with '-m', such as [python3, -m, http.server].",
        )
    if server["program"]:
        raise DemoError(
            file,
            f"{where}.program: with 'packages', the Python of their virtual environment runs the command on local. Remove the key.",
        )


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return (number, line) of each requirement of a file: without comments, and with its continuation lines."""
    found: list[tuple[int, str]] = []
    is_continued = False
    for number, line in enumerate(text.splitlines(), start=1):
        content = re.sub(r"(^|\s)#.*", "", line).strip()
        part = content.removesuffix("\\").strip()
        if is_continued and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}")
        elif part:
            found.append((number, part))
        is_continued = content.endswith("\\")
    return found


def _requirement(line: str, file: str, where: str) -> tuple[str, str]:
    """Return the normalized name of a package, and its requirement with hashes. Raises DemoError."""
    hashes = sorted(set(_HASH.findall(line)))
    rest = _HASH.sub("", line).strip()
    if ";" in rest:
        raise DemoError(
            file,
            f"{where}: '{rest}' has a marker, but the Python of an image differs from that of a host. Pin one version for all Pythons, or"
            " remove the line.",
        )
    if "--hash" in rest:
        raise DemoError(
            file,
            f"{where}: expected hashes as --hash=sha256: with 64 hexadecimal digits, got '{rest}'. Correct them.",
        )
    if not _NAME.match(rest):
        raise DemoError(
            file,
            f"{where}: '{rest}' is no requirement such as grpcio==1.76.0. Options, URLs and paths are not supported. Remove it.",
        )
    pinned = _PINNED.fullmatch(rest)
    if pinned is None:
        raise DemoError(
            file,
            f"{where}: '{rest}' is not pinned. Write one version, such as grpcio==1.76.0, with its hashes: {_LOCK}.",
        )
    if not hashes:
        raise DemoError(
            file, f"{where}: {rest} has no hash. Add --hash=sha256:… for each of its files: {_LOCK}."
        )
    name, version = pinned.groups()
    normalized = re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()
    return normalized, " ".join(
        [f"{name.replace(' ', '')}=={version}", *(f"--hash=sha256:{one}" for one in hashes)]
    )
