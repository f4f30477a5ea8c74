# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From Envoy's words about a candidate to the file and line that a person wrote."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshlab.envoy.plugins.module_utils.config import locate
from ansible_collections.meshlab.envoy.plugins.module_utils.config.blocks import kind
from ansible_collections.meshlab.envoy.plugins.module_utils.config.model import Check, Finding
from ansible_collections.meshlab.envoy.plugins.module_utils.config.words import Said, said


def finding(check: Check, output: str, texts: Mapping[str, str]) -> Finding:
    """Return what a failed `check` found; `texts` has the contents of all files of the staged folder by their path."""
    what = said(output)
    files = {path: texts[path].splitlines() for path in check.blames if path in texts}
    name, rest = _resource(check, what)
    words = what.words or "it failed without a word"
    if name:
        words += f", which is {name!r}" if what.path else ""
    place = _by_path(files, name, rest, what) or _by_word(files, what, name)
    if not place and len(files) == 1:
        return Finding(f"{words}.", check.name, next(iter(files)))
    return Finding(f"{words}.", check.name, *(place or (None, None)))


def _resource(check: Check, what: Said) -> tuple[str, list[str | int]]:
    """Return the name of the listener or cluster that the path leads to in the candidate, and the path within it."""
    steps = locate.steps(what.path)
    if len(steps) < 3 or steps[0] != "static_resources" or not isinstance(steps[2], int):
        return "", steps
    for file in check.files:
        lines = file.content.decode(errors="replace").splitlines()
        span, followed = locate.walk(lines, steps[:3])
        if followed == 3:
            return locate.resource_name(lines, span), steps[3:]
    return "", steps


def _by_path(
    files: Mapping[str, list[str]], name: str, rest: list[str | int], what: Said
) -> tuple[str, int] | None:
    """Look in the block of that resource: down the path, then for the words."""
    for path, lines in files.items():
        span = _block(path, lines, locate.steps(what.path), name)
        if not span:
            continue
        deeper, _count = locate.walk(lines, rest, span)
        for token in what.tokens:
            number = locate.word(lines, token, deeper)
            if number is not None:
                return path, number + 1
        return path, deeper.start + 1
    return None


def _block(path: str, lines: list[str], steps: list[str | int], name: str) -> locate.Span | None:
    """Return the place of the resource `name`, in a watched file or in the bootstrap; without one, of a path there."""
    if not name:
        span, followed = locate.walk(lines, steps)
        return span if followed else None
    roots: list[list[str | int]] = [["static_resources", steps[1]]]
    if kind(path, "\n".join(lines)) == steps[1]:
        roots.append(["resources"])
    for root in roots:
        index = 0
        while True:
            span, followed = locate.walk(lines, [*root, index])
            if followed <= len(root):
                break
            if locate.resource_name(lines, span) == name:
                return span
            index += 1
    return None


def _by_word(files: Mapping[str, list[str]], what: Said, name: str) -> tuple[str, int] | None:
    nth = 1 if "duplicate " in what.words and "address" not in what.words else 0
    field = what.path.rpartition(".")[2].partition("[")[0]
    for token in [*what.tokens, *([name] if name else []), *([field] if field else [])]:
        for path, lines in files.items():
            number = locate.word(lines, token, None, nth)
            if number is not None:
                return path, number + 1
    return None
