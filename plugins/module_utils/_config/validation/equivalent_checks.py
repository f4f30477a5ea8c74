# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of Envoys whose configurations differ only in the name of the proxy and in ports: one of them stands for all.

The replicas of a service and the sidecars of similar services have such configurations. Envoy needs 0.08 s of CPU for each validation.
The result of a validation depends on no name and on no port from 1 to 65535, as long as equal ones stay equal.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ansible_collections.meshlab.envoy.plugins.module_utils._common.execution.command import CommandRunner
from ansible_collections.meshlab.envoy.plugins.module_utils._config.desired_files import Check, File
from ansible_collections.meshlab.envoy.plugins.module_utils._config.errors import (
    ConfigRefused,
    RequirementMissing,
)
from ansible_collections.meshlab.envoy.plugins.module_utils._config.files.state_file import sha256
from ansible_collections.meshlab.envoy.plugins.module_utils._config.validation.checks import (
    own_directories,
    run_checks,
)

_REPLICA = re.compile(r"(?P<group>.+)-\d+")
# A digest of the resources of a watched file, whose text follows.
_VERSION_INFO = re.compile(r"^version_info: sha256:[0-9a-f]+$", re.MULTILINE)
_PORT = re.compile(r"(?<=\bport_value: )(?P<port>[1-9]\d{0,4})$", re.MULTILINE)
LARGEST_PORT = 65535
# In place of the name of the proxy, of the name of its service, and of a certificate that this run issues.
INSTANCE, GROUP, ISSUED = "\0instance\0", "\0group\0", "\0issued\0"


def run_distinct_checks(
    checks: Sequence[Check],
    files: Sequence[File],
    issued: Sequence[File],
    folder: Path,
    texts: Mapping[str, str],
    writable: Sequence[str],
    pull: bool,
    runner: CommandRunner,
) -> list[str]:
    """Run one check of each kind, and all checks if any finds a fault or warns, so that no finding is missing.

    Args:
        checks: The checks.
        files: All files of the folder.
        issued: Those of them that are certificates which the collection issues.
        folder: See `run_checks`, as for the further arguments, the result and the errors.
        texts: See `run_checks`.
        writable: See `run_checks`.
        pull: See `run_checks`.
        runner: See `run_checks`.
    """
    distinct = distinct_checks(checks, files, issued)
    try:
        warnings = run_checks(distinct, folder, texts, writable, pull, runner)
    except RequirementMissing:
        raise
    except ConfigRefused:
        if len(distinct) == len(checks):
            raise
    else:
        if not warnings or len(distinct) == len(checks):
            return warnings
    return run_checks(checks, folder, texts, writable, pull, runner)


def distinct_checks(
    checks: Sequence[Check], files: Sequence[File], issued: Sequence[File] = ()
) -> list[Check]:
    """Return one check of each kind, in their order: that with the longest name, since the paths of Unix sockets have a limit."""
    by_top: dict[str, dict[str, bytes]] = defaultdict(dict)
    for file in files:
        by_top[file.path.partition("/")[0]][file.path] = file.content
    issued_paths = {file.path for file in issued}
    found: dict[str, Check] = {}
    for number, check in enumerate(checks):
        key = _kind(check, by_top, issued_paths) or str(number)
        if key not in found or len(check.name) > len(found[key].name):
            found[key] = check
    return list(found.values())


def _kind(check: Check, by_top: Mapping[str, Mapping[str, bytes]], issued: Collection[str]) -> str:
    """Return a digest that equivalent checks share; empty for a check that has no equivalent."""
    tops = own_directories(check)
    # Only an Envoy is known to be independent of names.
    if not (check.version and "validate" in check.command and tops):
        return ""
    readable = {path: content for top in tops for path, content in by_top.get(top, {}).items()}
    readable |= {file.path: file.content for file in check.files}
    neutral = _Neutral(check.name)
    files = [
        (path, neutral.name_in(path), b"" if path in issued else content)
        for path, content in readable.items()
    ]
    parts: list[object] = [check.image, check.version, check.volumes, check.elsewhere]
    parts += [neutral.name_in(check.directory), [neutral.name_in(word) for word in check.command]]
    for path, name, content in sorted(files, key=lambda file: file[1]):
        text = ISSUED if path in issued else neutral.text(content)
        if not text:
            return ""
        parts.append((name, text))
    return sha256(repr(parts).encode())


class _Neutral:
    """The texts of one check without its name and its ports. The same port has the same number in all of them."""

    def __init__(self, name: str) -> None:
        replica = _REPLICA.fullmatch(name)
        self._names = {name: INSTANCE, **({replica["group"]: GROUP} if replica else {})}
        words = "|".join(map(re.escape, sorted(self._names, key=len, reverse=True)))
        # A name is also a part of a longer one, such as that of a Service.
        self._name = re.compile(rf"(?<![A-Za-z0-9_])(?:{words})(?![A-Za-z0-9_])")
        # Another file or another host has this path.
        self._in_path = re.compile(rf"/[^\s\"']*?(?<![A-Za-z0-9_])(?:{words})(?![A-Za-z0-9_])")
        self._ports: dict[str, str] = {}

    def name_in(self, text: str) -> str:
        return self._name.sub(lambda found: self._names[found[0]], text)

    def text(self, content: bytes) -> str:
        """Return the text of a file; empty if it is no text, or if a path depends on the name."""
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return ""
        if "\0" in text or self._in_path.search(text):
            return ""
        text = _VERSION_INFO.sub("", self.name_in(text))
        return _PORT.sub(lambda found: self._port(found["port"]), text) or "\0empty\0"

    def _port(self, port: str) -> str:
        return self._ports.setdefault(port, f"\0{len(self._ports)}\0") if int(port) <= LARGEST_PORT else port
