# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts that no process, file or Envoy accepts: with NUL or half a character, names of environment variables, paths of missing files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.meshlab.envoy.plugins.module_utils._demo.errors import DemoError
from ansible_collections.meshlab.envoy.plugins.module_utils._demo.validation import proxies

UNUSABLE = re.compile("[\x00\ud800-\udfff]")
# The operating system forbids '=' and NUL only. This collection passes variables by supervisord.conf, compose.yaml and manifests.
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,200}")
# Keys whose texts can be bytes of a protocol or the content of a file.
BINARY = ("traffic", "during", "expectations", "files", "config")
FILE = re.compile(r"\$\{files\}/([\w.+@/-]+)")


def check_characters(data: Any, file: str, path: str = "") -> None:
    """Raise DemoError for the first text, or key, of a demo with a character that no file can contain as text."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in BINARY:
                continue
            where = f"{path}.{key}" if path else str(key)
            _check_text(str(key), file, f"{path}: the key" if path else "a key")
            check_characters(value, file, where)
    elif isinstance(data, (list, tuple)):
        for position, one in enumerate(data):
            check_characters(one, file, f"{path}[{position}]")
    elif isinstance(data, str):
        _check_text(data, file, f"{path}: the text")


def _check_text(text: str, file: str, what: str) -> None:
    if found := UNUSABLE.search(text):
        code = f"U+{ord(found[0]):04X}"
        raise DemoError(
            file, f"{what} contains the character {code}, which no program accepts as text. Remove it."
        )


def check_texts(demo: Mapping[str, Any], file: str) -> None:
    """Raise DemoError for a name that no environment variable can have, and for a path of a file that the demo does not have."""
    for name, service in demo["services"].items():
        for kind in ("app", "server"):
            variables = (service[kind] or {}).get("environment", {})
            _check_variables(variables, file, f"services.{name}.{kind}.environment")
        server = service["server"]
        if server is not None:
            where = f"services.{name}.server"
            texts = [(f"{where}.command[{index}]", one) for index, one in enumerate(server["command"])]
            texts += [(f"{where}.environment.{key}", one) for key, one in server["environment"].items()]
            _check_files(texts, server["files"], file, where)
    for where, proxy in proxies(demo):
        _check_variables(proxy["environment"], file, f"{where}.environment")


def _check_variables(names: Iterable[str], file: str, where: str) -> None:
    for name in names:
        if not VARIABLE.fullmatch(name):
            raise DemoError(
                file,
                f"{where}: {name!r:.60} is not the name of a variable. Use letters, digits, '_', '.' and '-', without a digit first.",
            )


def _check_files(texts: Iterable[tuple[str, str]], files: Iterable[str], file: str, where: str) -> None:
    known = list(files)
    for key, text in texts:
        for path in _paths(text):
            if path not in known and not any(one.startswith(f"{path.rstrip('/')}/") for one in known):
                listed = f"Its files are: {', '.join(known)}." if known else "It has no files."
                raise DemoError(
                    file,
                    f"{key}: the server has no file '{path}'. {listed} Correct the path, or add the file under '{where}.files'.",
                )


def _paths(text: str) -> Iterator[str]:
    yield from (found[1] for found in FILE.finditer(text))
